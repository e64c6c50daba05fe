r"""Surrogates of blocks of bins that were filled by different events, as one.

Where bins are copied from run to run (see `sbitune.data.copies`), noise is shared: of m runs that have a bin from one
measurement the residuals are one number, m times. With y_b = f_b(theta) + e, the covariance of e over runs i, j and
bins b, c is

    <e_ib e_jc> = S_bc  if b and c belong to one block, and i and j have it from one measurement; else 0.

It is block diagonal, first in the blocks of bins: they stem from different events. Within a block all rows of a
measurement are equal, and so are the predictions, as f_b may not depend on what the rows differ in; the likelihood of
the block is that of one row each, with independent noise, as a function of the other parameters,

    -2 log L = sum_blocks sum_measurements (y - f(theta_S))^T S^-1 (y - f(theta_S)) + const.

So nothing is approximated if every block is a scan of its own, with a run for each measurement and the parameters S,
and all that treats runs as independent (choice of orders, what is missed, inflation, residual correlation, smoothing of
errors) sees such scans alone. Errors of different blocks are uncorrelated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate


class Member(NamedTuple):
    """The surrogate of one block."""

    bins: np.ndarray  #: (k,) which of all bins
    columns: np.ndarray  #: (p,) which of all parameters it knows
    surrogate: Any  #: of these bins and parameters
    measurements: int  #: that it learnt from


def unknown_parameters(surrogate: Any, indices: np.ndarray) -> list[str]:
    """Names of parameters that none of some bins (n,) of a surrogate may depend on, as runs have these from
    measurements that they share; none for a surrogate that is not joined.
    """
    if not isinstance(surrogate, JoinedSurrogate):
        return []
    known = [member.columns for member in surrogate.members if np.isin(member.bins, indices).any()]
    columns = set(range(len(surrogate.parameters))) - set(np.concatenate([[], *known]).astype(int).tolist())
    return [surrogate.parameters[column].name for column in sorted(columns)]


def has_near(surrogate: Any) -> bool:
    """Whether some errors of a surrogate are the same in all the box until a point is named."""
    return isinstance(surrogate, JoinedSurrogate | ComponentSurrogate)


def near_point(surrogate: Any, theta: np.ndarray) -> Any:
    """The surrogate with these errors as they are at `theta` (n_parameters,); itself, if it has none."""
    return surrogate.near(theta) if has_near(surrogate) else surrogate


@dataclass(frozen=True, eq=False)
class JoinedSurrogate:
    """Independent surrogates of blocks that together are all bins. Satisfies `BinnedModel`."""

    parameters: tuple[Parameter, ...]  #: of all blocks, with the box in which they were trained
    bins: Bins  #: (n_bins,)
    members: tuple[Member, ...]

    def near(self, theta: np.ndarray) -> Self:
        """The same with every block's as it is near `theta` (n_parameters,), see `near_point`."""
        members = [m._replace(surrogate=near_point(m.surrogate, np.asarray(theta)[m.columns])) for m in self.members]
        return replace(self, members=tuple(members))

    @property
    def correlation(self) -> np.ndarray | None:
        """(n_bins, n_bins) of Monte Carlo errors, none between blocks; None: no block knows of any."""
        known = [(m.bins, m.surrogate.correlation) for m in self.members if m.surrogate.correlation is not None]
        if not known:
            return None
        r = np.eye(len(self.bins))
        for bins, of_block in known:
            r[np.ix_(bins, bins)] = of_block
        return r

    @property
    def order(self) -> np.ndarray:
        """(n_bins,) where each bin is among those of the members, one after the other."""
        return np.argsort(np.concatenate([member.bins for member in self.members]))

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        return self._together([m.surrogate.predict(theta[m.columns]) for m in self.members], jnp)

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) with NumPy in float64: mean and error (n, n_bins)."""
        theta = np.asarray(theta, dtype=np.float64)
        return self._together([m.surrogate.predict_many(theta[:, m.columns]) for m in self.members], np)

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        total: Any = 0.0
        for member in self.members:  # indices may be traced: a block sees all of them, and those of others count 0
            place, mine = (jnp.asarray(a)[indices] for a in self._places(member))
            total = total + jnp.outer(mine, mine) * member.surrogate.covariance(theta[member.columns], place)
        return total

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        theta, found = np.asarray(theta, np.float64), []
        for member in self.members:
            place, mine = self._places(member)
            where = np.flatnonzero(mine[indices])
            parts = member.surrogate.covariances(theta[:, member.columns], place[indices[where]])
            found.append((np.ix_(where, where), parts))
        for _ in theta:
            whole = np.zeros((len(indices), len(indices)))
            for where, parts in found:
                whole[where] = next(parts)
            yield whole

    def _places(self, member: Member) -> tuple[np.ndarray, np.ndarray]:
        """(n_bins,) where each bin is in a block, 0 for those of others, and whether it is there."""
        place, mine = np.zeros(len(self.bins), int), np.zeros(len(self.bins), bool)
        place[member.bins], mine[member.bins] = np.arange(len(member.bins)), True
        return place, mine

    def _together(self, parts: Sequence[Prediction], xp: Any) -> Prediction:
        return Prediction(*(xp.concatenate(part, axis=-1)[..., self.order] for part in zip(*parts, strict=True)))
