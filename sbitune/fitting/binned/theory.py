"""The error of the prediction itself, of every observable, found from the scatter of the data.

A prediction f_b is trusted to eps f_b in every bin of an observable, independently: V = V_0 + eps^2 diag(f^2) there.
The restricted likelihood (H. D. Patterson, R. Thompson, Biometrika 58 (1971) 545) is that of the contrasts of the data
which no parameter moves,

    -2 log L_R = r^T P r + log det V + log det J^T V^-1 J + const  (P as in `refit`),

so that eps is not too small by the degrees of freedom that the parameters have used up, as it is where L itself is
maximised. When eps^2 of one observable changes by t it changes by

    sum_i log(1 + t l_i) - t s_i^2 / (1 + t l_i),   F P F = sum_i l_i e_i e_i^T,   s_i = e_i^T F P r,   F = diag(|f|),

with P in the bins of the observable, so the search in one dimension costs nothing. Observables are searched in turn
until none changes. (With a theory error chi2/ndf is centred on 1; arXiv:2310.07566 shows that for covariances of MC
systematics.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar, root_scalar

from sbitune.data.bins import Bins
from sbitune.data.errors import ArgumentError, ComputationError
from sbitune.data.text.names import list_names
from sbitune.data.text.numbers import quoted
from sbitune.data.text.paths import reference_key
from sbitune.data.text.patterns import compile_pattern
from sbitune.fitting.binned.refit import Linear

#: relative errors that are tried first: beside 0, from nothing to ten times the prediction
_GRID = np.logspace(-5, 1, 121)
#: cycles over the observables, and the relative change of an error that ends them
_CYCLES, _CLOSE = 100, 1e-4
#: an error is found from the scatter of at least so many bins
_FEWEST = 2


class TheoryError(NamedTuple):
    """The error of the prediction of one observable, as a part of the prediction."""

    path: str
    relative: float  #: 0.05 is 5 % in every bin
    low: (
        float  #: where the restricted likelihood has fallen by half a unit, the others held; `relative` if it was given
    )
    high: float
    fitted: bool  #: found from the data, or given


Asked = Mapping[str, float | Literal["fitted"]]


def wanted_errors(asked: Asked, bins: Bins, where: str = "theory_error") -> dict[str, float | Literal["fitted"]]:
    """Path -> relative error, or "fitted", of the observables that a card asks for; the last match wins.

    Raises `InputError`, which begins with `where` it is asked for: for a key that is no regular expression or matches
    no observable, and for `fitted` of an observable with a single bin. That has no scatter: its error would become what
    the bin is off by, and take it out of the fit.
    """
    found: dict[str, float | Literal["fitted"]] = {}
    for key, value in asked.items():
        pattern = compile_pattern(key, where)
        if value != "fitted" and not (np.isfinite(value) and value >= 0):
            raise ArgumentError(
                f"{where}.{key}: {value} is no error; give 0, a positive number or `fitted`", code="fit-theory-error"
            )
        matching = [path for path in bins.paths() if pattern.match(path) or pattern.match(reference_key(path))]
        if not matching:
            raise ArgumentError(
                f"{where}: {quoted(key)} matches no observable of the fit ({list_names(bins.paths())})",
                code="fit-theory-error",
            )
        for path in matching:
            found.pop(path, None)
            found[path] = value
    _refuse_few(found, bins, where)
    return {path: found[path] for path in bins.paths() if path in found}


def _refuse_few(found: Asked, bins: Bins, where: str) -> None:
    few = [path for path in bins.paths() if found.get(path) == "fitted" and len(bins.of(path)) < _FEWEST]
    if not few:
        return
    more = f" (nor of {len(few) - 1} others: {', '.join(few[1:])})" if len(few) > 1 else ""
    raise ArgumentError(
        f"{where}: no error can be fitted to {few[0]}{more}: it has 1 bin in the fit, which does not scatter; give a "
        f"number in a line below, such as `{few[0]}: 0.05`",
        code="fit-theory-error",
    )


@dataclass(frozen=True, eq=False)
class Rise:
    """-2 log L_R of one observable's error, counted from where it is now."""

    now: float  #: eps^2
    scales: np.ndarray  #: (n_bins_of_path,) l, eigenvalues
    squares: np.ndarray  #: (n_bins_of_path,) s^2

    def __call__(self, eps: np.ndarray | float) -> np.ndarray:
        """At relative errors of any shape."""
        t = (np.asarray(eps) ** 2 - self.now)[..., None]
        grown = np.maximum(1 + t * self.scales, 1e-300)
        return np.sum(np.log(grown) - t * self.squares / grown, axis=-1)

    def minimum(self) -> float:
        """The best relative error."""
        values = self(_GRID)
        i = int(np.argmin(values))
        lower, upper = _GRID[max(i - 1, 0)], _GRID[min(i + 1, len(_GRID) - 1)]
        best = minimize_scalar(
            lambda x: float(self(np.exp(x))), bounds=np.log((lower, upper)), method="bounded", options={"xatol": 1e-6}
        )
        eps = float(np.exp(best.x))
        return eps if i > 0 and float(self(eps)) < float(self(0.0)) else 0.0

    def interval(self, best: float) -> tuple[float, float]:
        """Where it is higher than at the best by no more than 1."""

        def above(eps: float) -> float:
            return float(self(eps)) - float(self(best)) - 1.0

        low = root_scalar(above, bracket=(0.0, best)).root if best > 0 and above(0.0) > 0 else 0.0
        high = root_scalar(above, bracket=(best, _GRID[-1])).root if above(_GRID[-1]) > 0 else np.inf
        return float(low), float(high)


def fit_errors(linear: Linear, bins: Bins, start: Mapping[str, float]) -> dict[str, TheoryError]:
    """Find the errors of the observables of `start`, whose V has the errors of `start` in it, at the linear problem.

    Raises `ComputationError` if they do not settle.
    """
    eps, p = dict(start), linear.projection
    for _ in range(_CYCLES):
        largest = 0.0
        for path in eps:
            new = _rise(linear, p, bins.of(path), eps[path]).minimum()
            largest = max(largest, abs(new - eps[path]) / max(new, eps[path], _GRID[0]))
            p = _changed(p, bins.of(path), (new**2 - eps[path] ** 2) * linear.mean[bins.of(path)] ** 2)
            eps[path] = new
        if largest < _CLOSE:
            break
    else:
        raise ComputationError(
            f"the fit failed: theory errors do not settle in {_CYCLES} cycles; give some of them in theory_error"
        )
    found = {}
    for path, value in eps.items():
        found[path] = TheoryError(path, value, *_rise(linear, p, bins.of(path), value).interval(value), True)
    return found


def _rise(linear: Linear, p: np.ndarray, mine: np.ndarray, eps: float) -> Rise:
    f = np.abs(linear.mean[mine])
    eigenvalues, vectors = np.linalg.eigh(f[:, None] * p[np.ix_(mine, mine)] * f)
    s = vectors.T @ (f * (p[mine] @ linear.residual))
    return Rise(eps**2, np.maximum(eigenvalues, 0.0), s**2)


def _changed(p: np.ndarray, mine: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """P after a change of the variances (n_mine,) of some bins."""
    core = np.eye(len(mine)) + variance[:, None] * p[np.ix_(mine, mine)]
    return p - p[:, mine] @ np.linalg.solve(core, variance[:, None] * p[mine])
