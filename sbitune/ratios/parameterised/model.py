"""A learned ratio as an intensity of events, for `fitting.likelihood.terms.unbinned`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.terms.term import Named
from sbitune.ratios.parameterised.ratio import LearnedRatio, mean_log

#: parameters that are beyond the range by as much as this times its width are extrapolated to where that is allowed
_FAR = 1e3


@dataclass(frozen=True, eq=False)
class RatioModel:
    """p(x | theta) in units of the density of the reference, times the number of events if that depends on theta.

    Networks of x run in `prepare`, once; those of theta once for each theta.
    """

    ratio: LearnedRatio
    number: Callable[[Named], Any] | None = None  #: expected number of events; None: it says nothing
    extrapolate: bool = False  #: allow theta outside of the range in which the ratio was learned
    precision: Any = np.float64  #: precision of prepared events; in single precision they take half of the memory

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the ratio, with the ranges in which it was learned."""
        if not self.extrapolate:
            return self.ratio.parameters
        wide = [(p, _FAR * (p.high - p.low)) for p in self.ratio.parameters]
        return tuple(replace(p, low=p.low - far, high=p.high + far) for p, far in wide)

    def prepare(self, events: Any) -> np.ndarray:
        """What networks make of x: (n_events, n_members, ...)."""
        return self.ratio.prepare(self.ratio.inputs_of(events)).astype(self.precision)

    def log_intensity(self, theta: Named, prepared: Any) -> Any:
        """(n_events,) Raises `InputError` for theta outside of the box; a fit, which traces this, asks `parameters`."""
        row = jnp.stack([jnp.asarray(theta[p.name]) for p in self.ratio.parameters])
        if not (self.extrapolate or isinstance(row, Tracer)):
            self.ratio.check_theta(np.asarray(row)[None])
        found = mean_log(
            jax.vmap(lambda net, part: net.combine(net.embed(row), part), (0, 1))(self.ratio.networks, prepared)
        ) - self.ratio.log_mean(row)
        return found if self.number is None else found + jnp.log(jnp.asarray(self.number(theta)))

    def expected(self, theta: Named) -> Any:
        """The number."""
        return None if self.number is None else self.number(theta)
