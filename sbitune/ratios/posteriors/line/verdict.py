"""Checks of a posterior, the heaviest first: was anything learned, is the observation among the simulations, do
posteriors hold the truth as often as they claim, is that of the observation right?
"""

import numpy as np

from sbitune.ratios.posteriors.judgement import has_learnt
from sbitune.ratios.posteriors.line.checks import CalibrationRecord, CurveRecord, LocalRecord
from sbitune.ratios.posteriors.line.training import TrainingRecord
from sbitune.ratios.posteriors.model import Model
from sbitune.workflow.results.checks import Check, made, not_made

#: by chance a check is as bad or worse so rarely
_BY_CHANCE = 1e-3
#: P of the local test below which the posterior of the observation is told from the true one
_LOCAL = 0.02


def checks_of(record: TrainingRecord, model: Model, observation: np.ndarray, local: LocalRecord | None) -> list[Check]:
    """All of them."""
    calibration = record.calibration
    found = [_learnt(record), _inside(model, observation)]
    if calibration is None:
        return [*found, not_made("ranks", "ranks, coverage and the test at the observation")]
    found += [
        _ranks(calibration),
        _region("expected coverage", "regions of highest density", calibration.expected),
        _region("TARP", "random regions", calibration.tarp),
    ]
    return [*found, _local(local)]


def _learnt(record: TrainingRecord) -> Check:
    failed = not has_learnt(record.preference, record.preference_error)
    return made("networks learnt", failed, "the network learnt nothing", value=record.preference, expected="above 0.5")


def _inside(model: Model, observation: np.ndarray) -> Check:
    low, high, scale = model.scaling.low, model.scaling.high, model.scaling.scale
    away = np.maximum((low - observation) / scale, (observation - high) / scale).max(axis=0)
    said = [
        f"{name} is observed {distance:.2g} of its deviations outside of all simulations ({lowest:g} to {highest:g}): "
        "the network extrapolates; widen the prior, or look what the simulator lacks"
        for name, distance, lowest, highest in zip(model.columns, away, low, high, strict=True)
        if distance > 0
    ]
    words = "the observation is outside of all simulations"
    return made("observation among simulations", bool(said), words, said, value=float(away.max()), expected="below 0")


def _ranks(calibration: CalibrationRecord) -> Check:
    said = [
        f"posteriors of {name} are {row.verdict}: intervals of 68 % hold the truth in {100 * row.coverage68:.0f} % of "
        f"{calibration.pairs} held simulations"
        for name, row in calibration.parameters.items()
        if row.verdict != "consistent"
    ]
    failed = bool(said) or calibration.p_value < _BY_CHANCE
    if failed and not said:
        said = [f"ranks of true parameters among draws are not uniform (P = {calibration.p_value:.1g})"]
    words = "posteriors do not hold the truth as often as they claim"
    return made("ranks", failed, words, said, value=calibration.p_value, expected=f"above {_BY_CHANCE:g}")


def _region(name: str, which: str, curve: CurveRecord) -> Check:
    failed = curve.verdict != "consistent"
    said = [f"{which} in all parameters together are {curve.verdict} ({curve.narrow:+.1f} standard deviations)"]
    return made(name, failed, f"{which} are {curve.verdict}", said, value=curve.p_value)


def _local(local: LocalRecord | None) -> Check:
    if local is None:
        return not_made("posterior of the observation", "the posterior of the observation itself")
    said = [
        f"classifiers tell the posterior of the observation from the true one: {local.statistic:.4f}, by chance below "
        f"{local.chance:.4f} in 95 % (P = {local.p_value:.2g})"
    ]
    words = "the posterior of the observation is off"
    return made(
        "posterior of the observation", local.p_value < _LOCAL, words, said, value=local.p_value,
        expected=f"above {_LOCAL:g}",
    )  # fmt: skip
