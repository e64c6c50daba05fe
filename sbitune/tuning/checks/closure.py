"""Closure and coverage of a tune: errors checked on cases whose truth is known.

Closure takes runs of the generator that the surrogate has not seen as data. Coverage throws data from the surrogate
itself, at the tune or all over the box: it checks the fit and its errors, but believes the surrogate.
"""

from collections.abc import Collection

import jax
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.blocks import linked_runs
from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import EDGE, Scan, parameter_box
from sbitune.fitting.checks.coverage import Coverage, KnownFit, collect, fit_known
from sbitune.fitting.checks.toys import throw
from sbitune.fitting.likelihood.problem import Measured, Problem
from sbitune.tuning.surrogates.heldout.evaluation import check_comparable
from sbitune.tuning.surrogates.protocols import Surrogate, unknown_parameters
from sbitune.tuning.surrogates.regression.noise import smooth_errors

#: toys between two reports of progress
_AT_ONCE = 10


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
    problem = Problem(surrogate, pseudo_data(held.bins, used, held.values[0, used], noise[0, used]))
    for i in range(len(held.runs)):
        measured = pseudo_data(held.bins, used, held.values[i, used], noise[i, used])
        truth = _inside(surrogate, held.theta[i])
        if isinstance(truth, str):
            fits.append(truth)
            continue
        known = {p.name: float(x) for p, x in zip(surrogate.parameters, truth, strict=True) if p.name in fixed}
        problem = Problem(surrogate, measured, fixed=known, correlation=correlation)
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


def coverage(
    key: jax.Array, problem: Problem, theta: np.ndarray | None, n: int, reporter: Reporter = QUIET
) -> Coverage:
    """Fit n toys thrown from the model, with its own errors, those of the data and their correlations.

    Args:
        key: throws the toys.
        problem: as it is fitted.
        theta: (n_parameters,) where to throw them; None: every toy at a random point of the limits.
        n: number of toys.
        reporter: told about progress.
    """
    where_key, toy_key = jax.random.split(key)
    truths = _random_points(where_key, problem, n) if theta is None else np.tile(theta, (n, 1))
    fits: list[KnownFit | str] = []
    if theta is not None:
        data = throw(toy_key, problem, theta, n)
        for start in range(0, n, _AT_ONCE):
            fits += fit_known(problem, theta, data[start : start + _AT_ONCE], thorough=False, spread=False)
            reporter.progress("coverage", len(fits), n)
    else:
        for i, one in enumerate(jax.random.split(toy_key, n)):
            fits += fit_known(problem, truths[i], throw(one, problem, truths[i], 1), thorough=True)
            reporter.progress("coverage", i + 1, n)
    return collect(problem, [f"toy {i}" for i in range(n)], truths, fits)


def _random_points(key: jax.Array, problem: Problem, n: int) -> np.ndarray:
    box = [problem.limits.get(p.name, (p.low, p.high)) for p in problem.parameters]
    low, high = np.array(box).T
    points = low + np.asarray(jax.random.uniform(key, (n, len(low)))) * (high - low)
    for i, p in enumerate(problem.parameters):
        points[:, i] = problem.fixed.get(p.name, points[:, i])
    return points
