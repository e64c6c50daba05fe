"""Is a ratio that depends on parameters what it should be? On events that no network has seen.

Events x_i with parameters theta_i of their own are of the joint density p(x | theta) p(theta), events of the reference
paired with theta of others of p_ref(x) p(theta): so the latter, weighted with r(x | theta), must become the former, in
every column and in every region of theta, and the share of the former where r says so must be r / (1 + r).
"""

import jax
import numpy as np

from sbitune.learning.calibration.curve import calibration_curve
from sbitune.ratios.checks.closure import column_closure
from sbitune.ratios.checks.records import CalibrationCurve, ColumnClosure, MeanAlong, SampleRecord
from sbitune.ratios.mixture.learning import Learned
from sbitune.ratios.parameterised.inputs import single_numbers
from sbitune.ratios.parameterised.line.events import Parted, Simulated
from sbitune.ratios.parameterised.normalisation import means_along, normalise
from sbitune.ratios.parameterised.ratio import LearnedRatio
from sbitune.ratios.parameterised.samples import RatioEvents

#: bins of the calibration curve, of few events fewer, with so many effective events of each
_BINS, _IN_BIN = 10, 40
#: regions of a parameter are beyond these parts of the events
_REGIONS = (1 / 3, 2 / 3)
#: ratios above this are of events that the reference hardly has
_UNSUPPORTED = 100.0


class Pairs:
    """Held events, and held events of the reference with theta of others."""

    def __init__(self, key: jax.Array, ratio: LearnedRatio, simulated: Simulated) -> None:
        events, reference = simulated.events.held, simulated.held_reference
        if simulated.reference is None:  # what is compared shares no event
            events, reference = halves_of(events)
        assert events.theta is not None
        self.events, self.reference = events, reference
        order = np.asarray(jax.random.permutation(key, len(events)))
        rows = np.resize(order, len(reference))
        self.theta = events.theta[rows]  #: (n_reference, n_parameters)
        times = np.bincount(rows, minlength=len(events))[rows]
        #: (n_reference,) weights before they are reweighted: theta is distributed as that of the events
        self.before = reference.weight * events.weight[rows] / times
        self.log_ratio = np.asarray(ratio.log_ratios(reference.given, self.theta), float)  #: (n_reference,)
        self.log_ratio_events = np.asarray(ratio.log_ratios(events.given, events.theta), float)  #: (n_events,)


def halves_of(events: RatioEvents) -> tuple[RatioEvents, RatioEvents]:
    """Every other event, and the others."""
    return events.take(np.arange(0, len(events), 2)), events.take(np.arange(1, len(events), 2))


def closure_of(ratio: LearnedRatio, pairs: Pairs) -> list[ColumnClosure]:
    """Every column, of all events and of those with small and large values of every parameter."""
    after = pairs.before * np.exp(pairs.log_ratio)
    events, theta = pairs.events, pairs.events.theta
    assert theta is not None
    regions = {"all events": (np.ones(len(events), bool), np.ones(len(after), bool))}
    for i, p in enumerate(ratio.parameters):
        low, high = np.quantile(theta[:, i], _REGIONS)
        regions[f"{p.name} below {low:.4g}"] = theta[:, i] < low, pairs.theta[:, i] < low
        regions[f"{p.name} above {high:.4g}"] = theta[:, i] > high, pairs.theta[:, i] > high
    names, x = single_numbers(events.given, ratio.inputs)
    _, other = single_numbers(pairs.reference.given, ratio.inputs)
    found = []
    for what, (mine, theirs) in regions.items():
        if mine.any() and theirs.any():
            source = other[theirs], pairs.before[theirs], after[theirs] / after[theirs].sum()
            found += column_closure(what, names, (x[mine], events.weight[mine]), source)
    return found


def calibration_of(pairs: Pairs) -> list[CalibrationCurve]:
    """How often pairs are of the events, where the ratio says how often."""
    log_ratio = np.concatenate([pairs.log_ratio_events, pairs.log_ratio])
    weights = pairs.events.weight, pairs.before
    label = np.repeat([1, 0], [len(pairs.events), len(pairs.reference)])
    effective = min(w.sum() ** 2 / np.sum(w**2) for w in weights)
    n_bins = int(np.clip(effective / _IN_BIN, 2, _BINS))
    found = calibration_curve(log_ratio, label, np.concatenate(weights), n_bins)
    predicted, observed, error = (part.tolist() for part in (found.predicted, found.observed, found.error))
    return [CalibrationCurve("events", predicted, observed, error, found.chi2, found.ndf, found.p_value)]


def means_of(ratio: LearnedRatio, simulated: Simulated) -> list[MeanAlong]:
    """E_ref[r] along every parameter over one half of the held events, with a ratio that the other half normalised."""
    first, second = halves_of(simulated.held_reference)
    after, before = means_along(normalise(ratio, first), second), means_along(ratio, second)
    found = []
    for i, p in enumerate(ratio.parameters):
        one = after[p.name]
        lists = (one.theta[:, i], one.mean, one.error, before[p.name].mean)
        found.append(MeanAlong("the reference", p.name, *(values.tolist() for values in lists)))
    return found


def samples_of(ratio: LearnedRatio, simulated: Simulated, files: dict[str, str], pairs: Pairs) -> list[SampleRecord]:
    """What there is of events, and how much of theirs the reference hardly has."""
    fraction = ratio.config.training.validation_fraction
    size = np.abs(pairs.events.weight)
    unsupported = float(size[pairs.log_ratio_events > np.log(_UNSUPPORTED)].sum() / size.sum())
    found = [_row("events", files["events"], simulated.events, fraction, unsupported)]
    if simulated.reference is not None:
        found.append(_row("reference", files["reference"], simulated.reference, fraction, None))
    return found


def _row(name: str, file: str, parted: Parted, fraction: float, unsupported: float | None) -> SampleRecord:
    weight = np.concatenate([parted.train.weight, parted.held.weight])
    n_validation = round(fraction * len(parted.train))
    return SampleRecord(
        name,
        file,
        len(parted.train) - n_validation,
        n_validation,
        len(parted.held),
        float(weight.sum() ** 2 / np.sum(weight**2)),
        float(-weight[weight < 0].sum() / np.abs(weight).sum()),
        unsupported=unsupported,
    )


def learned_of(ratio: LearnedRatio) -> Learned:
    """How the training went."""
    record = ratio.record
    members = np.arange(ratio.n_members)
    best = record.validation[record.best_epoch, members].mean()
    n_validation = round(ratio.config.training.validation_fraction * max(record.n_events, record.n_reference))
    losses = [np.round(np.asarray(part, float), 7).tolist() for part in (record.train, record.validation)]
    return Learned(
        f"the ratio ({ratio.config.loss})",
        losses[0],
        losses[1],
        record.best_epoch.tolist(),
        float(best + record.gain.mean),
        n_validation,
    )
