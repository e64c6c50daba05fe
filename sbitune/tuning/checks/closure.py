"""Closure of a surrogate: errors checked on cases whose truth is known.

Runs of the generator that the surrogate has not seen are taken as data. (`fitting.checks.coverage` throws data from the
model itself: that checks the fit and its errors, but believes the surrogate.)
"""

from collections.abc import Collection

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.blocks import linked_runs
from sbitune.data.errors import InputError
from sbitune.data.parameter import EDGE, parameter_box
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.fitting.checks.coverage import Coverage, collect
from sbitune.fitting.checks.known_fits import KnownFit, fit_known
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.tuning.surrogates.heldout.evaluation import check_comparable
from sbitune.tuning.surrogates.protocols import Surrogate, unknown_parameters
from sbitune.tuning.surrogates.regression.noise import smooth_errors


def closure(
    surrogate: Surrogate,
    held: Scan,
    noise: np.ndarray | None = None,
    reporter: Reporter = QUIET,
    thorough: bool = True,
    fixed: Collection[str] = (),
) -> Coverage:
    """Fit every held-out run as if it were data, in all bins that have an error.

    Args:
        surrogate: trained without these runs.
        held: the runs; of those that share measurements standard errors know it.
        noise: (n_runs, n_bins) their Monte Carlo errors freed from their own fluctuations; None: from these runs alone.
        reporter: told about progress.
        thorough: whether each is fitted as data are, from several starts; else from the middle of the box and from
            the truth.
        fixed: parameters that are not fitted, but held at what the run was made with; as are those of which no bin
            knows anything.

    Raises:
        InputError: if surrogate and runs have other parameters or bins, or no bin has an error.
        ComputationError: if no fit converged.
    """
    check_comparable(surrogate, held)
    noise = smooth_errors(held) if noise is None else noise
    used = np.flatnonzero((noise > 0).all(axis=0))
    if not len(used):
        raise InputError("no bin of the held-out runs has a Monte Carlo error: there is nothing to fit with")
    correlation = _correlation(surrogate, held, used)
    fixed = {*fixed, *unknown_parameters(surrogate, used)}
    fits: list[KnownFit | str] = []
    problem = BinnedProblem(surrogate, pseudo_data(held.bins, used, held.values[0, used], noise[0, used]))
    for i in range(len(held.runs)):
        measured = pseudo_data(held.bins, used, held.values[i, used], noise[i, used])
        truth = _inside(surrogate, held.theta[i])
        if isinstance(truth, str):
            fits.append(truth)
            continue
        known = {p.name: float(x) for p, x in zip(surrogate.parameters, truth, strict=True) if p.name in fixed}
        problem = BinnedProblem(surrogate, measured, fixed=known, correlation=correlation)
        # judged at its own place: a few truths are not spread evenly, and some lie on the limits
        fits += fit_known(problem, truth, [measured.values], thorough, spread=False)
        reporter.progress("closure", i + 1, len(held.runs))
    return collect(problem, held.runs, held.theta, fits, linked_runs(held) if held.copies else None)


def pseudo_data(bins: Bins, used: np.ndarray, values: np.ndarray, noise: np.ndarray) -> Measured:
    """A run in place of a measurement: its Monte Carlo errors are all the errors there are.

    Args:
        bins: (n_bins,) the scan's.
        used: (n,) which of them.
        values: (n,) contents.
        noise: (n,) Monte Carlo errors, none 0.
    """
    n = len(used)
    none = np.zeros((0, n))
    return Measured(used, bins.take(used), values, np.zeros(n), none, np.ones(n), noise=noise)


def _correlation(surrogate: Surrogate, scan: Scan, used: np.ndarray) -> np.ndarray | None:
    """How Monte Carlo errors move together: as the scan knows it, else as the surrogate's residuals showed."""
    found = scan.correlation if scan.correlation is not None else surrogate.correlation
    return None if found is None else found[np.ix_(used, used)]


def _inside(surrogate: Surrogate, theta: np.ndarray) -> np.ndarray | str:
    """The point (n_parameters,) freed from rounding at the faces of the box, or why it cannot be fitted."""
    centre, half = parameter_box(surrogate.parameters)
    away = np.abs(theta - centre) / half
    if away.max() > 1 + EDGE:
        name = surrogate.parameters[int(np.argmax(away))].name
        return f"{name} lies outside the box of the runs that were trained on"
    return np.clip(theta, centre - half, centre + half)
