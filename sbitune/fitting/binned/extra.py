"""Errors that the data teach: of the prediction itself (`theory`), and of bins far from the fit (`robust`).

Fit and errors take turns: with the parameters at the minimum the errors are found, with these the parameters are fitted
again, until both stay. The prediction that a relative error refers to is held while the parameters move, so that no
minimum is found where the prediction, and with it the error, is large. The errors of the parameters are those of a fit
with the errors that were found, whose own uncertainty does not enter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.fitting.binned.refit import Linear, changed_errors, refit, with_errors
from sbitune.fitting.binned.robust import Downweighted, downweighted, student_weights
from sbitune.fitting.binned.theory import Asked, TheoryError, fit_errors, wanted_errors
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import BinnedFit

#: turns of fit and errors; settled when no bin's variance changes by more than this part of it
_TURNS, _CLOSE = 100, 1e-3
#: a theory error of an observable with fewer bins than this is hardly known
_FEW = 3
#: the last fit, from all starts, may end elsewhere, by more than this part of an error; then everything is done again
_SAME, _AGAIN = 0.1, 3


@dataclass(frozen=True, eq=False)
class Extra:
    """What was added to the errors of the bins."""

    problem: BinnedProblem  #: with the errors added: what is fitted
    theory: tuple[TheoryError, ...]  #: one for every observable that has a theory error
    downweighted: tuple[Downweighted, ...]  #: bins that the robust loss weighs less, lowest weight first
    theory_variance: np.ndarray  #: (n_bins,) variance added for the theory
    outlier_variance: np.ndarray  #: (n_bins,) variance added by the robust loss
    turns: int = 0  #: of fit and errors

    @property
    def added(self) -> np.ndarray:
        """(n_bins,) errors added in quadrature."""
        return np.sqrt(self.theory_variance + self.outlier_variance)


def fit_extra(problem: BinnedProblem, config: BinnedFitConfig = BinnedFitConfig()) -> tuple[BinnedFit, Extra]:
    """Fit with the theory errors and the loss of the config; without any this is `fit`.

    Raises:
        InputError: as `fit` does, and for theory errors that `wanted_errors` refuses.
        ComputationError: as `fit` does, and if errors and parameters do not settle.
    """
    asked = wanted_errors(config.theory_error, problem.measured.bins)
    extra = _nothing(problem)
    if not asked and config.loss == "gauss":
        return fit(problem, config), extra
    fitted = fit(problem, msgspec.structs.replace(config, minos=False))
    for _ in range(_AGAIN):
        theta, extra = _alternate(problem, config, asked, fitted.values, extra)
        fitted = fit(extra.problem, config)
        if np.all(np.abs(fitted.values - theta) <= _SAME * fitted.errors + 1e-12):
            return replace(fitted, notes=(*fitted.notes, *_notes(extra))), extra
    raise ComputationError(
        "the fit failed: with the errors that belong to one minimum another one is lower; give theory errors as "
        "numbers, or narrow the ranges"
    )


def _nothing(problem: BinnedProblem) -> Extra:
    none = np.zeros(len(problem.measured.bins))
    return Extra(problem, (), (), none, none)


def _alternate(
    problem: BinnedProblem, config: BinnedFitConfig, asked: Asked, theta: np.ndarray, extra: Extra
) -> tuple[np.ndarray, Extra]:
    """Fit and find errors in turn until both stay; the parameters (n_parameters,) and the errors."""
    for _ in range(_TURNS):
        linear = refit(extra.problem, theta)
        with problem.computing():
            new = _update(problem, config, asked, linear, extra)
        change = np.abs(new.added**2 - extra.added**2) / np.diag(linear.covariance)
        theta, extra = linear.theta, new
        if change.max() < _CLOSE:
            return theta, extra
    raise ComputationError(
        f"the fit failed: the added errors do not settle in {_TURNS} fits; give theory errors as numbers, or raise "
        "student_dof"
    )


def _update(problem: BinnedProblem, config: BinnedFitConfig, asked: Asked, linear: Linear, extra: Extra) -> Extra:
    """The errors that belong to a minimum."""
    theory, variance = _theory(problem, asked, linear, extra)
    linear = changed_errors(problem, linear, variance - extra.theory_variance)
    outlier, bins = extra.outlier_variance, ()
    if config.loss == "student":
        weight, pull, outlier = student_weights(linear, outlier, config.student_dof)
        bins = downweighted(weight, pull, problem.measured.bins)
    return Extra(with_errors(problem, variance + outlier), theory, bins, variance, outlier, extra.turns + 1)


def _theory(
    problem: BinnedProblem, asked: Asked, linear: Linear, extra: Extra
) -> tuple[tuple[TheoryError, ...], np.ndarray]:
    bins = problem.measured.bins
    before = {row.path: row.relative for row in extra.theory}
    eps = {path: before.get(path, 0.0) if value == "fitted" else float(value) for path, value in asked.items()}
    found = {path: TheoryError(path, value, value, value, False) for path, value in eps.items()}
    open_ones = {path: eps[path] for path, value in asked.items() if value == "fitted"}
    if open_ones:
        linear = changed_errors(problem, linear, _variance(problem, eps, linear) - extra.theory_variance)
        found |= fit_errors(linear, bins, open_ones)
    variance = _variance(problem, {path: row.relative for path, row in found.items()}, linear)
    return tuple(found[path] for path in asked), variance


def _variance(problem: BinnedProblem, eps: Mapping[str, float], linear: Linear) -> np.ndarray:
    """(n_bins,) squares of the theory errors at the prediction of the minimum."""
    relative = np.zeros(len(problem.measured.bins))
    for path, value in eps.items():
        relative[problem.measured.bins.of(path)] = value
    return (relative * linear.mean) ** 2


def _notes(extra: Extra) -> list[str]:
    fitted = [row for row in extra.theory if row.fitted]
    notes = []
    if fitted:
        words = ", ".join(f"{row.path} {100 * row.relative:.2g} %" for row in fitted)
        notes.append(f"theory errors found from the scatter of the data: {words}")
    sizes = {row.path: len(extra.problem.measured.bins.of(row.path)) for row in fitted if row.relative > 0}
    few = [f"{path}: {size} bins" for path, size in sizes.items() if size < _FEW]
    if few:
        notes.append(
            f"theory errors found from few bins ({', '.join(few)}) can take an observable out of the fit; a number in "
            "theory_error, such as 0.05, keeps it in"
        )
    low = [row for row in extra.downweighted if row.weight < 0.5]
    if low:
        words = ", ".join(f"{row.label} ({row.weight:.2g})" for row in low[:10])
        more = f" and {len(low) - 10} more" if len(low) > 10 else ""
        notes.append(f"bins that count less than half, as they are far from the fit: {words}{more}")
    return notes
