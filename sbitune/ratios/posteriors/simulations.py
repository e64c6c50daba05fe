"""Tables of simulated pairs (theta, x), as they are checked before anything is learnt from them, and their scaling."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.files import hash_bytes
from sbitune.data.text.names import check_name, repeated, shorten
from sbitune.ratios.posteriors.prior import Prior

#: a column of which the spread is smaller than this part of its size varies by rounding only
_ROUNDING = 1e-12


class Simulations(NamedTuple):
    """Pairs of parameters and what was simulated with them."""

    theta: np.ndarray  #: (n, n_parameters) in their units
    x: np.ndarray  #: (n, n_columns) in their units
    rounds: np.ndarray  #: (n,) in which round each was made, from 0

    @property
    def hash(self) -> str:
        """Of all numbers."""
        return hash_bytes(*(np.ascontiguousarray(part).tobytes() for part in (self.theta, self.x)))


class Scaling(NamedTuple):
    """How columns are shown to networks: (x - centre) / scale. Stored in the model."""

    centre: np.ndarray  #: (n_columns,) mean of the simulations
    scale: np.ndarray  #: (n_columns,) their standard deviation
    low: np.ndarray  #: (n_columns,) smallest value simulated
    high: np.ndarray  #: (n_columns,) largest

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Scale x (..., n_columns), in float64 first: float32 would round columns far from 0."""
        return ((x - self.centre) / self.scale).astype(np.float32)


def name_columns(columns: Sequence[str] | None, n_columns: int) -> tuple[str, ...]:
    """Return the names of the columns, x0, x1, ... if there are none. Raises `InputError` for too few or equal ones."""
    names = tuple(f"x{i}" for i in range(n_columns)) if columns is None else tuple(columns)
    for name in names:
        check_name(name, "column")
    if twice := repeated(names):
        raise InputError(f"the column {shorten(twice[0])} is there twice", code="posterior-columns")
    if len(names) != n_columns:
        raise InputError(
            f"x has {n_columns} columns, but {len(names)} are named: {shorten(', '.join(names))}",
            code="posterior-columns",
        )
    return names


def check_pairs(prior: Prior, columns: Sequence[str] | None, theta: Any, x: Any, number: int) -> Simulations:
    """Check pairs of theta (n, n_parameters) and x (n, n_columns) of one round.

    Raises:
        InputError: shapes that do not belong together, a number that is not finite, a theta outside the prior; the
            message names row and column.
    """
    theta, x = (_table(name, array) for name, array in (("theta", theta), ("x", x)))
    if theta.shape[1] != len(prior.names):
        raise InputError(
            f"theta has {theta.shape[1]} columns, the prior {len(prior.names)} parameters: "
            f"{shorten(', '.join(prior.names))}",
            code="posterior-shape",
        )
    if len(theta) != len(x):
        raise InputError(f"theta has {len(theta)} rows and x {len(x)}: give pairs", code="posterior-shape")
    _check_finite("theta", theta, prior.names)
    _check_finite("x", x, name_columns(columns, x.shape[1]))
    outside = np.flatnonzero(~prior.contains(theta))
    if len(outside):
        raise InputError(
            f"theta, row {outside[0]}: {_describe(prior, theta[outside[0]])} is outside the prior "
            f"({len(outside)} of {len(theta)} rows): draw theta from the prior, or widen it",
            code="posterior-outside-prior",
        )
    return Simulations(theta, x, np.full(len(theta), number, np.int32))


def check_observation(columns: Sequence[str], x: Any) -> np.ndarray:
    """Return x (n_columns,) of one observation, or (m, n_columns) of several. Raises `InputError` for others."""
    x = np.asarray(x, np.float64)
    if x.ndim not in (1, 2) or x.shape[-1] != len(columns) or not x.size:
        raise InputError(
            f"the observation has shape {x.shape}; the model reads {len(columns)} columns: "
            f"{shorten(', '.join(columns))}",
            code="posterior-columns",
        )
    _check_finite("the observation", np.atleast_2d(x), columns)
    return x


def join_rounds(parts: Sequence[Simulations]) -> Simulations:
    """Put the pairs of several rounds one behind the other. Raises `InputError` for other numbers of columns."""
    widths = [part.x.shape[1] for part in parts]
    if len(set(widths)) > 1:
        raise InputError(f"rounds have {widths} columns, need the same in each", code="posterior-columns")
    return Simulations(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def make_scaling(columns: Sequence[str], x: np.ndarray) -> Scaling:
    """Find the scaling of x (n, n_columns). Raises `InputError` for a column that never varies."""
    centre, scale = x.mean(axis=0), x.std(axis=0)
    constant = np.flatnonzero(~(scale > _ROUNDING * np.abs(centre)))
    if len(constant):
        raise InputError(
            f"column {columns[constant[0]]} is {x[0, constant[0]]:g} in all {len(x)} simulations: it tells nothing of "
            "the parameters; leave it out",
            code="posterior-constant-column",
        )
    return Scaling(centre, scale, x.min(axis=0), x.max(axis=0))


def _table(name: str, array: Any) -> np.ndarray:
    try:
        table = np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is no table of numbers: {shorten(str(error))}", code="posterior-shape") from error
    if table.ndim != 2 or not table.size:
        raise InputError(
            f"{name} has shape {table.shape}; give a table with a row for every simulation", code="posterior-shape"
        )
    return table


def _check_finite(what: str, table: np.ndarray, names: Sequence[str]) -> None:
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = bad[0]
        rows = len(np.unique(bad[:, 0]))
        raise InputError(
            f"{what}, row {row}, column {names[column]}: {table[row, column]} is not a finite number ({rows} of "
            f"{len(table)} rows have such): a simulation without a result must not be dropped in silence, as it "
            "depends on the parameters; give it a value of its own, or restrict the prior to where all succeed",
            code="posterior-not-finite",
        )


def _describe(prior: Prior, theta: np.ndarray) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in zip(prior.names, theta, strict=True))
