r"""What a posterior is sampled from: the likelihood in coordinates without limits, with its derivatives.

The prior is uniform between the limits of the fit. Every free parameter has a coordinate z that runs over all numbers:

    u = low + w [s(z) - s(z - R)],   s(z) = log(1 + e^z),   R = (high - low) / w,

which is linear in z but for a few w from the limits, with w the error of the fit. (The logistic transform, which
numpyro has, is bent everywhere; strongly correlated Gaussians then become curved valleys, in which trajectories
diverge.) The density of z is L(u(z)) |du/dz|; its negative logarithm is the potential of Hamiltonian Monte Carlo.
"""

import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from sbitune.fitting.likelihood.protocols import Objective

#: w is no smaller and no larger than these parts of the range
_MOST_WIDTHS, _LEAST_WIDTHS = 200.0, 4.0


class Limits(NamedTuple):
    """The map between z and parameters u between limits; all are arrays (n_free,)."""

    low: Any
    high: Any
    width: Any  #: w

    def to_u(self, z: Any) -> Any:
        """From z (..., n_free)."""
        span = (self.high - self.low) / self.width
        return self.low + self.width * (jax.nn.softplus(z) - jax.nn.softplus(z - span))

    def from_u(self, u: Any) -> Any:
        """From u (..., n_free) inside the limits."""
        y, rest = (u - self.low) / self.width, (u - self.high) / self.width
        return y + jnp.log(-jnp.expm1(-y)) - jnp.log(-jnp.expm1(rest))

    def log_slopes(self, z: Any) -> Any:
        """The logarithms of du/dz (..., n_free)."""
        span = (self.high - self.low) / self.width
        ends = jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(span - z)
        return ends + jnp.log(-self.width * jnp.expm1(-span))


class Target(NamedTuple):
    """A posterior in coordinates z (n_free,) without limits. Use it inside `double_precision`."""

    density: Partial  #: u (n_parameters,) -> -2 log L; its data are arguments of what is compiled
    limits: Limits
    centre: Any  #: (n_parameters,) u, of which those of fixed parameters are used
    free: Any  #: (n_free,) numbers of the free parameters

    def to_unit(self, z: Any) -> Any:
        """From z (n_free,) to u (n_parameters,), fixed parameters at their values."""
        return jnp.asarray(self.centre).at[self.free].set(self.limits.to_u(z))

    def potential(self, z: Any) -> Any:
        """-log density of z; twice this and the log slopes are -2 log L."""
        return 0.5 * self.density(self.to_unit(z)) - jnp.sum(self.limits.log_slopes(z))


def make_target(objective: Objective[Any], held: Any, errors: np.ndarray) -> Target:
    """The posterior of a problem, with V as `held` if it is held at all.

    `errors` (n_parameters,) are those of the fit in the scaled coordinates; 0 if there is none.
    """
    frame = objective.frame
    free = np.flatnonzero(~frame.fixed)
    low, high = frame.limits[free].T
    widths = np.where(errors[free] > 0, errors[free], high - low)
    widths = np.clip(widths, (high - low) / _MOST_WIDTHS, (high - low) / _LEAST_WIDTHS)
    limits = Limits(*(jnp.asarray(part) for part in (low, high, widths)))
    density = objective.traceable(held)
    density = density if isinstance(density, Partial) else Partial(density)
    return Target(density, limits, jnp.asarray(frame.centre), jnp.asarray(free))


def import_numpyro() -> Any:
    """Import numpyro; the warnings filter that it adds on import is taken away again."""
    with warnings.catch_warnings():
        import numpyro
        import numpyro.diagnostics
        import numpyro.infer
    return numpyro
