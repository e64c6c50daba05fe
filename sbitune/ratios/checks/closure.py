"""Do reweighted events become what they should, column by column? On events that no network has seen."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.learning.calibration.curve import calibration_curve
from sbitune.learning.calibration.labelled import effective
from sbitune.ratios.checks.records import CalibrationCurve, ColumnClosure, MeanAlong
from sbitune.ratios.mixture.classes import ClassRatios
from sbitune.ratios.mixture.model import Held, Mixture
from sbitune.ratios.samples import Samples, Simulated

#: bins of a column, with equal parts of the target; of few events fewer, of at least so many effective ones
_BINS, _FEWEST = 20, 25
#: bins of a calibration curve, at most, and effective events of either class in one
_CURVE_BINS, _IN_CURVE_BIN = 10, 10.0
#: values of a nuisance parameter at which its mean is looked at
_VALUES = 9
#: ratios above this are of events that the reference hardly has
_UNSUPPORTED = 100.0


def column_closure(
    what: str,
    columns: Sequence[str],
    target: tuple[np.ndarray, np.ndarray],
    source: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> list[ColumnClosure]:
    """Compare every column of reweighted events with independent events of what they should become.

    Args:
        what: begins the name of the comparison.
        columns: names (n_columns,).
        target: x (n, n_columns) and weights (n,).
        source: x (m, n_columns), weights before and after (m,), whose sums are to be those of a density.

    Returns:
        A comparison for every column: chi2 of the bins with the variances of both; bins hold equal parts of the target.
    """
    x, w = target
    other, before, after = source
    w, before = w / w.sum(), before / before.sum()
    effective = float(after.sum() ** 2 / np.sum(after**2))
    n_bins = int(np.clip(min(1 / np.sum(w**2), effective) / _FEWEST, 2, _BINS))
    return [
        _compare(what, name, x[:, i], w, other[:, i], before, after, n_bins, effective)
        for i, name in enumerate(columns)
    ]


def _compare(
    what: str,
    name: str,
    x: np.ndarray,
    w: np.ndarray,
    other: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    n_bins: int,
    effective: float,
) -> ColumnClosure:
    edges = _edges(x, w, n_bins)
    place, there = (np.clip(np.searchsorted(edges, v, side="right") - 1, 0, len(edges) - 2) for v in (x, other))
    n = len(edges) - 1
    target, sources = np.bincount(place, w, n), [np.bincount(there, v, n) for v in (before, after)]
    variances = np.bincount(place, w**2, n), np.bincount(there, after**2, n)
    chi2 = float(np.sum((sources[1] - target) ** 2 / np.maximum(sum(variances), 1e-300)))
    return ColumnClosure(
        what,
        name,
        edges.tolist(),
        target.tolist(),
        np.sqrt(variances[0]).tolist(),
        sources[0].tolist(),
        sources[1].tolist(),
        np.sqrt(variances[1]).tolist(),
        chi2,
        n,
        float(stats.chi2.sf(chi2, n)),
        effective,
    )


def _edges(x: np.ndarray, w: np.ndarray, n_bins: int) -> np.ndarray:
    """Edges of bins with equal parts of the weight; what lies beyond the ends belongs to the last bins."""
    order = np.argsort(x)
    below = np.cumsum(np.abs(w[order]))
    places = np.searchsorted(below, below[-1] * np.arange(1, n_bins) / n_bins)
    inner = np.unique(x[order][places].astype(float))
    ends = float(x.min()), float(x.max())
    inner = inner[(inner > ends[0]) & (inner < ends[1])]
    return np.array([ends[0], *inner, max(ends[1], np.nextafter(ends[0], np.inf))])


def halves(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of every other event, so that what is compared shares none."""
    return np.arange(0, n, 2), np.arange(1, n, 2)


def closure_of_samples(mixture: Mixture) -> list[ColumnClosure]:
    """The reference reweighted to every sample, on one half of the held events, beside the other half."""
    held, ratios, found = mixture.held, mixture.ratios, []
    if ratios.combined is None:
        return []
    first, second = halves(len(held.x))
    part = Held(held.x[first], held.weights[first], held.sample[first])
    weights = part.of_reference(ratios.fractions)
    r = np.exp(ratios.log_ratios(part.x).astype(np.float64))
    for i, name in enumerate(ratios.names):
        rows = second[held.sample[second] == i]
        target = held.x[rows], held.weights[rows]
        found += column_closure(name, mixture.columns, target, (part.x, weights, weights * r[:, i]))
    return found


def closure_of_responses(mixture: Mixture, samples: Samples) -> list[ColumnClosure]:
    """Nominal held events reweighted to every value at which there are varied ones."""
    found, names = [], [process.name for process in mixture.processes]
    for response in mixture.responses:
        nominal = samples.nominal[response.sample].of("held")
        numbers = response.coefficients(nominal.x).T.astype(np.float64)
        normalisation = mixture.normalisations[names.index(response.sample)]
        nuisances = {r.nuisance: 0.0 for r in mixture.responses if r.sample == response.sample}
        before = nominal.weights / nominal.weights.sum()
        for varied in samples.varied[response.sample, response.nuisance]:
            theta = nuisances | {response.nuisance: varied.value}
            log = np.asarray(response.log_response(varied.value, numbers)) - float(normalisation.log_mean(theta))
            held = varied.of("held")
            what = f"{response.sample} at {response.nuisance} = {varied.value:g}"
            source = nominal.x, before, before * np.exp(log)
            found += column_closure(what, mixture.columns, (held.x, held.weights), source)
    return found


def calibration_curves(ratios: ClassRatios, held: Held) -> list[CalibrationCurve]:
    """Held events of each sample beside those of the rest of the reference, in bins of what the ratios say; none of a
    sample that is all of it, or of which there are too few events or too negative ones for two bins.
    """
    if ratios.combined is None:
        return []
    logs, found = ratios.log_ratios(held.x).astype(np.float64), []
    for i, name in enumerate(ratios.names):
        if not 0 < ratios.fractions[i] < 1:
            continue
        own = held.sample == i
        others = np.delete(logs + np.log(np.maximum(ratios.fractions, 1e-300)), i, axis=1)
        odds = logs[:, i] - (np.logaddexp.reduce(others, axis=1) - np.log(1 - ratios.fractions[i]))
        weights = held.of_reference(ratios.fractions)
        each = [effective(weights[one]) for one in (own, ~own)]
        n_bins = int(np.clip(min(each) / _IN_CURVE_BIN, 2, _CURVE_BINS))
        try:
            curve = calibration_curve(odds, own.astype(int), weights, n_bins)
        except InputError:  # too few, or too many negative ones
            continue
        rows = (curve.predicted.tolist(), curve.observed.tolist(), curve.error.tolist())
        found.append(CalibrationCurve(name, *rows, curve.chi2, curve.ndf, curve.p_value))
    return found


def means_along(mixture: Mixture, samples: Samples) -> list[MeanAlong]:
    """Mean responses over validation events, at values from one end of the range to the other."""
    found, names = [], [process.name for process in mixture.processes]
    ranges = {p.name: (p.low, p.high) for p in mixture.parameters}
    for response in mixture.responses:
        events: Simulated = samples.nominal[response.sample].of("validation")
        numbers = response.coefficients(events.x).T.astype(np.float64)
        normalisation = mixture.normalisations[names.index(response.sample)]
        nuisances = {r.nuisance: 0.0 for r in mixture.responses if r.sample == response.sample}
        w = events.weights / events.weights.sum()
        rows = []
        for value in np.linspace(*ranges[response.nuisance], _VALUES).tolist():
            z = float(normalisation.log_mean(nuisances | {response.nuisance: value}))
            g = np.exp(np.asarray(response.log_response(value, numbers)))
            mean = float(w @ g)
            error = float(np.sqrt(np.sum((w * (g - mean)) ** 2)))
            rows.append((value, float(mean * np.exp(-z)), float(error * np.exp(-z)), mean))
        values, mean, error, without = map(list, zip(*rows, strict=True))
        found.append(MeanAlong(response.sample, response.nuisance, values, mean, error, without))
    return found


def unsupported_responses(mixture: Mixture, samples: Samples) -> dict[tuple[str, str, float], float]:
    """Sample, nuisance parameter and value -> part of the weight of varied held events where there are hardly any
    nominal ones.
    """
    found, names = {}, [process.name for process in mixture.processes]
    for response in mixture.responses:
        normalisation = mixture.normalisations[names.index(response.sample)]
        still = {r.nuisance: 0.0 for r in mixture.responses if r.sample == response.sample}
        for varied in samples.varied[response.sample, response.nuisance]:
            held = varied.of("held")
            numbers = response.coefficients(held.x).T.astype(np.float64)
            z = float(normalisation.log_mean(still | {response.nuisance: varied.value}))
            far = np.asarray(response.log_response(varied.value, numbers)) - z > np.log(_UNSUPPORTED)
            size = np.abs(held.weights)
            found[response.sample, response.nuisance, varied.value] = float(size[far].sum() / size.sum())
    return found


def unsupported(ratios: ClassRatios, held: Held) -> list[float]:
    """Part of every sample's weight where the reference has hardly any events."""
    r = np.exp(ratios.log_ratios(held.x).astype(np.float64))
    found = []
    for i in range(len(ratios.names)):
        rows = held.sample == i
        size = np.abs(held.weights[rows])
        found.append(float(size[r[rows, i] > _UNSUPPORTED].sum() / size.sum()))
    return found
