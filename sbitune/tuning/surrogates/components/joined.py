r"""Surrogates of blocks of bins that were filled by different events, as one.

Where bins are copied from run to run (see `data.checks.copies`), noise is shared: of m runs that have a bin from one
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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.blocks import split_blocks
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import ArraySpec, Layout, check_arrays, whole_number
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.base import BaseSurrogate
from sbitune.tuning.surrogates.forms import kernelform, legendre
from sbitune.tuning.surrogates.forms.independent import Outputs
from sbitune.tuning.surrogates.protocols import Meta, Packed, Unpacked


class Member(NamedTuple):
    """The surrogate of one block."""

    bins: np.ndarray  #: (k,) which of all bins
    columns: np.ndarray  #: (p,) which of all parameters it knows
    surrogate: Any  #: of these bins and parameters
    measurements: int  #: that it learnt from


_MEMBER = {
    "of_bins": ArraySpec(("n_bins",), np.int64, low=0),
    "of_parameters": ArraySpec(("n_columns",), np.int64, low=0),
}


@dataclass(frozen=True, eq=False)
class JoinedSurrogate(BaseSurrogate):
    """Independent surrogates of blocks that together are all bins. Satisfies `TrainedSurrogate`."""

    tag: ClassVar[str] = "joined"
    takes_point: ClassVar[bool] = True

    parameters: tuple[Parameter, ...]  #: of all blocks, with the box in which they were trained
    bins: Bins  #: (n_bins,)
    members: tuple[Member, ...]

    def _with(self, change: Callable[[Member], Any]) -> Self:
        """The same with other surrogates of the blocks."""
        return replace(self, members=tuple(m._replace(surrogate=change(m)) for m in self.members))

    def near(self, theta: np.ndarray) -> Self:
        """The same with every block's as it is near `theta` (n_parameters,)."""
        return self._with(lambda member: member.surrogate.near(np.asarray(theta)[member.columns]))

    def wider(self, factor: float) -> Self:
        """The same with every block's learnt errors multiplied."""
        return self._with(lambda member: member.surrogate.wider(factor))

    def unknown_parameters(self, indices: np.ndarray) -> list[str]:
        """Names of parameters that none of some bins (n,) may depend on, as runs share measurements of these."""
        known = [member.columns for member in self.members if np.isin(member.bins, indices).any()]
        columns = set(range(len(self.parameters))) - set(np.concatenate([[], *known]).astype(int).tolist())
        return [self.parameters[column].name for column in sorted(columns)]

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        return np.concatenate([member.surrogate.log for member in self.members])[self.order]

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
        ask = [(where, part.surrogate.covariances(at, place)) for part, where, place, at in self._split(theta, indices)]
        for _ in theta:
            yield _assemble(len(indices), [(where, next(found)) for where, found in ask])

    def learnt_covariances(self, theta: np.ndarray, bins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `wider` multiplies of the covariance (k, k) of bins (k,) at theta (n, n_parameters), and the rest."""
        parts = self._split(theta, bins)
        ask = [(where, part.surrogate.learnt_covariances(at, place)) for part, where, place, at in parts]
        for _ in theta:
            both = [(where, *next(found)) for where, found in ask]
            yield tuple(_assemble(len(bins), [(row[0], row[i]) for row in both]) for i in (1, 2))  # pyright: ignore[reportReturnType]

    def _split(self, theta: np.ndarray, indices: np.ndarray) -> list[tuple[Member, Any, Any, Any]]:
        """Of every block: which of the bins `indices` (k,) are its own, their places in it, and its part of theta."""
        theta, found = np.asarray(theta, np.float64), []
        for member in self.members:
            place, mine = self._places(member)
            where = np.flatnonzero(mine[indices])
            found.append((member, where, place[indices[where]], theta[:, member.columns]))
        return found

    def _places(self, member: Member) -> tuple[np.ndarray, np.ndarray]:
        """(n_bins,) where each bin is in a block, 0 for those of others, and whether it is there."""
        place, mine = np.zeros(len(self.bins), int), np.zeros(len(self.bins), bool)
        place[member.bins], mine[member.bins] = np.arange(len(member.bins)), True
        return place, mine

    def _together(self, parts: Sequence[Prediction], xp: Any) -> Prediction:
        return Prediction(*(xp.concatenate(part, axis=-1)[..., self.order] for part in zip(*parts, strict=True)))

    def describe(self) -> dict[str, Any]:
        """What is said of every block."""
        blocks = [self._describe(member) for member in self.members]
        return {"kind": " and ".join(dict.fromkeys(block["kind"] for block in blocks)), "blocks": blocks}

    def _describe(self, member: Member) -> dict[str, Any]:
        about: dict[str, Any] = {"bins": len(member.bins), "measurements": member.measurements}
        about |= {"parameters": [self.parameters[column].name for column in member.columns]}
        about |= {"observables": member.surrogate.bins.paths()}
        return about | member.surrogate.describe()

    def legendre(self) -> tuple[int, np.ndarray] | None:
        """Order and coefficients (n_terms, n_bins) if the means of all blocks are polynomials."""
        found = [(member.surrogate.legendre(), member.columns, member.bins) for member in self.members]
        if any(own is None for own, _, _ in found):
            return None
        return legendre.of_blocks(len(self.parameters), len(self.bins), found)

    def kernel_form(self, bins: np.ndarray) -> kernelform.KernelForm | None:
        """The means of some bins (n_bins,) if those of all blocks are sums of kernels."""
        found = []
        for member in self.members:
            outputs, places = kernelform.chosen_among(member.bins, bins)
            form = member.surrogate.kernel_form(outputs)
            if form is None:
                return None
            found.append((form, member.columns, places))
        return kernelform.of_blocks(self.parameters, len(bins), found)

    def independent_outputs(self, scan: Scan) -> tuple[Outputs, ...]:
        """Those of all blocks; a run at another point measures every block anew."""
        found: list[Outputs] = []
        for member, block in zip(self.members, split_blocks(scan, everything=True), strict=True):
            of_block = member.surrogate.independent_outputs(block.scan)
            if not of_block:
                return ()
            every = np.eye(len(self.bins))[member.bins]
            found += [o._replace(rows=o.rows @ every, columns=member.columns) for o in of_block]
        return tuple(found)

    def pack(self) -> Packed:
        """See `TrainedSurrogate`; a correlation is that of the blocks."""
        meta: dict[str, Any] = {"members": len(self.members)}
        arrays, parts = {}, {}
        for number, member in enumerate(self.members):
            name = f"member{number}"
            meta[name], parts[name] = {"measurements": member.measurements}, member.surrogate
            arrays |= {f"{name}/of_bins": member.bins, f"{name}/of_parameters": member.columns}
        return Packed(meta, arrays, None, parts)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """See `TrainedSurrogate`."""
        return {}

    @classmethod
    def part_names(cls, meta: Meta) -> Sequence[str]:
        """See `TrainedSurrogate`."""
        members = whole_number("members", meta["members"])
        if members > len(meta):
            raise InputError(f"members is {members}, which the header does not describe")
        return [f"member{number}" for number in range(members)]

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """See `TrainedSurrogate`."""
        members = tuple(_member(number, name, stored) for number, name in enumerate(cls.part_names(stored.meta)))
        found = np.concatenate([[], *(member.bins for member in members)])
        if not np.array_equal(np.sort(found), np.arange(len(stored.bins))):
            raise InputError(f"{stored.where}: its parts are not of {len(stored.bins)} bins, each once")
        return cls(stored.parameters, stored.bins, members)


def _member(number: int, name: str, stored: Unpacked) -> Member:
    part = stored.parts[name]
    own = {key: stored.arrays[f"{name}/{key}"] for key in _MEMBER if f"{name}/{key}" in stored.arrays}
    of = check_arrays(stored.where, own, _MEMBER, {"n_bins": len(part.bins), "n_columns": len(part.parameters)})
    bins, columns = of["of_bins"], of["of_parameters"]
    known, n = stored.parameters, len(stored.parameters)
    if columns.max(initial=-1) >= n or part.parameters != tuple(known[column] for column in columns):
        raise InputError(f"{stored.where}: the parameters of part {number} are not those that it names")
    return Member(bins, columns, part, whole_number("measurements", stored.meta[name]["measurements"]))


def _assemble(size: int, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(size, size) of parts (k, k) at places (k,); 0 between parts."""
    whole = np.zeros((size, size))
    for where, part in parts:
        whole[np.ix_(where, where)] = part
    return whole
