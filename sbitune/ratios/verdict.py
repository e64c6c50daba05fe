"""Checks of a fit of events, the heaviest first: did the networks learn, do reweighted events become what they should,
do the data look like the fit, do intervals hold the truth?
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from sbitune.fitting.results import Fit
from sbitune.ratios.card import EVENTS
from sbitune.ratios.checks.records import ColumnClosure, TrainingRecord
from sbitune.ratios.record import ChannelRecord, FittedRecord
from sbitune.workflow.results.checks import Check, made, not_made

#: of all comparisons of a kind, one as bad or worse is by chance as rare as this
_BY_CHANCE = 1e-3
#: a mean ratio is off if it is so by more than this and by so many of its errors
_MEAN_OFF, _ERRORS = 0.01, 4.0
#: a classifier has learnt if it describes its validation events better than guessing by more than this, in log L
_LEARNT = 6.0
#: parts of weights that are negative, or have no support, and are worth a word
_NEGATIVE, _UNSUPPORTED = 0.2, 0.01
#: fewer effective events of the pool than this for every one that is expected, and toys share too many
_POOL = 5.0
#: of the error of the data: added in quadrature an error of this part is a tenth
_OF_RATIOS = 0.45
#: auxiliary measurements that are off by more
_PULL = 3.0


def checks_of_training(record: TrainingRecord, region: str = EVENTS) -> list[Check]:
    """What the training says of the ratios, of the events of a region."""
    found = [
        _learnt(record),
        _closure("reweighted events", record.closure, "reweighted events do not become what they should"),
        _calibration(record),
        _means(record),
        _negative(record),
        _support(record),
    ]
    return found if region == EVENTS else [_of_region(region, check) for check in found]


def _of_region(region: str, check: Check) -> Check:
    """The check with the region named in all that it says."""
    words = f"{region}: {check.words}" if check.words else ""
    said = tuple(f"{region}: {sentence}" for sentence in check.warnings)
    return msgspec.structs.replace(check, name=f"{region}: {check.name}", words=words, warnings=said)


def checks_of_fit(
    fit: Fit,
    parameters: Mapping[str, FittedRecord],
    columns: Sequence[ColumnClosure],
    coverage: Mapping[str, Any],
    pool: Mapping[str, float],
    further: Sequence[ChannelRecord] = (),
) -> list[Check]:
    """What the fit says; `further` are regions beside the events of the card."""
    pulls = {n: row.pull for n, row in parameters.items() if row.pull is not None and row.status != "fixed"}
    found = [_limits(fit), _ratio_errors(parameters)]
    if columns:
        found.append(_closure("data and fit", columns, "the data do not look like the fit"))
    found.append(_pool(pool))
    found += [_counted(row) if row.kind == "counts" else _of_region(row.name, _pool(row.pool)) for row in further]
    found.append(_pulls(pulls))
    if not coverage:
        return [*found, not_made("coverage by toys", "coverage by toys")]
    warnings = list(coverage["warnings"])
    words = "intervals of toys do not hold the truth as often as they claim"
    value = float(coverage["coverage68"])
    return [*found, made("coverage by toys", bool(warnings), words, warnings, value=value, expected="0.683")]


def _learnt(record: TrainingRecord) -> Check:
    said, lowest = [], np.inf
    for learned in record.learned:
        gain = float((learned.nothing - learned.best.mean()) * learned.n_validation)
        lowest = min(lowest, gain)
        if not gain > _LEARNT:
            said.append(
                f"networks of {learned.what} learnt nothing: their loss {learned.best.mean():.5f} is that of guessing, "
                f"{learned.nothing:.5f}; either the events are alike in these columns, or there are too few"
            )
    words, value = "a network learnt nothing", None if np.isinf(lowest) else lowest
    return made("networks learnt", bool(said), words, said, value=value, expected=f"above {_LEARNT:g}")


def _closure(name: str, rows: Sequence[ColumnClosure], words: str) -> Check:
    """The worst of all comparisons, with how many there are."""
    if not rows:
        return made(name, False)
    p = min(row.p_value for row in rows)
    bad = [row for row in rows if row.p_value * len(rows) < _BY_CHANCE]
    said = [
        f"{row.what}, {row.column}: chi2 is {row.chi2:.1f} for {row.ndf} bins (P = {row.p_value:.1g})" for row in bad
    ]
    return made(name, bool(bad), words, said[:6], value=p, expected=f"above {_BY_CHANCE / len(rows):.2g}")


def _calibration(record: TrainingRecord) -> Check:
    rows = record.calibration
    if not rows:
        return made("calibration", False)
    bad = [row for row in rows if row.p_value * len(rows) < _BY_CHANCE]
    said = [
        f"where the ratios say {100 * row.predicted[i]:.1f} % of {row.sample}, there are "
        f"{100 * row.observed[i]:.1f} +- {100 * row.error[i]:.1f} % (chi2 {row.chi2:.1f} for {row.ndf} bins)"
        for row in bad
        for i in [_worst(row.predicted, row.observed, row.error)]
    ]
    p = min(row.p_value for row in rows)
    return made("calibration", bool(bad), "the ratios are not calibrated", said, value=p)


def _worst(predicted: list[float], observed: list[float], error: list[float]) -> int:
    return int(np.argmax(np.abs(np.array(predicted) - observed) / np.maximum(error, 1e-300)))


def _means(record: TrainingRecord) -> Check:
    said, worst = [], 0.0
    for row in record.means:
        off = np.abs(np.array(row.mean) - 1)
        i = int(np.argmax(off))
        worst = max(worst, float(off[i]))
        if off[i] > _MEAN_OFF and off[i] > _ERRORS * row.error[i]:
            said.append(
                f"the mean response of {row.sample} at {row.nuisance} = {row.values[i]:g} is {row.mean[i]:.3f} +- "
                f"{row.error[i]:.3f} over events that did not normalise it; it must be 1"
            )
    return made("mean responses", bool(said), "responses are not normalised", said, value=worst, expected="0")


def _negative(record: TrainingRecord) -> Check:
    said = [
        f"{100 * row.negative:.0f} % of the weight of {row.name} is negative: it counts as {row.effective:,.0f} events"
        for row in record.samples
        if row.negative > _NEGATIVE
    ]
    most = max(row.negative for row in record.samples)
    return made("negative weights", bool(said), "much weight is negative", said, value=most)


def _support(record: TrainingRecord) -> Check:
    shares = {row.name: row.unsupported for row in record.samples if row.unsupported is not None}
    said = [
        f"{100 * share:.1f} % of {name} lies where what is reweighted to it has hardly any events; give a sample a "
        "part in `reference`, and simulate variations that are closer to it"
        for name, share in shares.items()
        if share > _UNSUPPORTED
    ]
    most = max(shares.values(), default=0.0)
    return made("common support", bool(said), "samples have no common support", said, value=most)


def _limits(fit: Fit) -> Check:
    said = [f"{name} is at the end of its range" for name in fit.at_limit]
    return made("limits", bool(said), "a parameter is at the end of its range", said)


def _ratio_errors(parameters: Mapping[str, FittedRecord]) -> Check:
    """The error from the ratios is not in the intervals: it must be small beside that of the data, or be added."""
    parts = {name: row.ratio_error / row.error for name, row in parameters.items() if row.error > 0}
    said = [
        f"the error of {name} from the ratios is {parameters[name].ratio_error:.2g}, beside "
        f"{parameters[name].error:.2g} from the data: add it, or learn from more events"
        for name, part in parts.items()
        if part > _OF_RATIOS
    ]
    words = "the ratios are not known well enough for these data"
    return made("error from the ratios", bool(said), words, said, value=max(parts.values(), default=0.0),
                expected=f"below {_OF_RATIOS:g} of that of the data")  # fmt: skip


def _pool(pool: Mapping[str, float]) -> Check:
    each = pool["effective"] / max(pool["expected"], 1.0)
    said = [
        f"toys draw from {pool['effective']:,.0f} effective simulated events for {pool['expected']:,.0f} that are "
        "expected: they share many; simulate more events, or hold more back"
    ]
    return made("simulated events", each < _POOL, "few simulated events", said, value=each, expected=f"above {_POOL:g}")


def _counted(row: ChannelRecord) -> Check:
    """Counts beside the fit. As parameters follow them, the chance of worse ones is smaller than it says."""
    assert row.p_value is not None
    size = f"{row.statistic:.1f} for {len(row.observed)} bins (P = {row.p_value:.1g})"
    said = f"{row.name}: -2 log L of the counts is {size}"
    words = f"counts of {row.name} do not look like the fit"
    value, expected = row.p_value, f"above {_BY_CHANCE:.2g}"
    return made(f"{row.name}: counts and fit", value < _BY_CHANCE, words, [said], value=value, expected=expected)


def _pulls(pulls: Mapping[str, float]) -> Check:
    said = [
        f"{name} is {pull:+.1f} errors from what others have measured of it"
        for name, pull in pulls.items()
        if abs(pull) > _PULL
    ]
    worst = max((abs(pull) for pull in pulls.values()), default=0.0)
    return made("auxiliary measurements", bool(said), "the data pull on an auxiliary measurement", said, value=worst)
