"""The inverse model of a card, and its answer beside the direct fit: `inverse.yaml`."""

from collections.abc import Sequence
from typing import Any

import jax
import msgspec
import numpy as np

from sbitune.data.blocks import linked_groups
from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.calibration import Calibration
from sbitune.tuning.inverse.checks import as_noisy, calibrate_on_runs
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.model import InverseModel
from sbitune.tuning.inverse.storage import save_inverse
from sbitune.tuning.inverse.summary import Comparison, InverseSummary, compare
from sbitune.tuning.inverse.training import train_inverse
from sbitune.tuning.record.result import made_of, tune_of
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.surrogates.choice.choice import train_chosen
from sbitune.workflow.cards.yamlfile import read_card
from sbitune.workflow.results.records import is_sealed, write_sealed_yaml

FILE = "inverse.yaml"
_HEAD = """# Written by sbitune: the posterior of the inverse model beside the direct fit. Differences are
# posterior - fit; quantile: part of the posterior below the fitted value.
"""


class InverseRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One parameter."""

    mean: float
    sd: float
    low68: float
    high68: float
    fit: float
    fit_error: float
    """At a limit how far into the range its interval goes."""
    difference: float | None
    """In errors of the fit; None where it has none or the parameter is fixed, as the next three."""
    difference_of_width: float | None
    """In standard deviations of the posterior."""
    width: float | None
    """Standard deviation of the posterior / error of the fit."""
    quantile: float | None


class CalibrationRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Simulation-based calibration on pairs that were not trained on, or on runs of the generator."""

    cases: int
    p_value: float
    """That ranks differ so from uniform by chance."""
    verdicts: dict[str, str]
    coverage: dict[str, list[float]]
    """How often central intervals of 68 and 95 % hold the truth."""
    coverage_error: list[float]
    joint_coverage: list[float]
    """The same for the smallest regions in all parameters together."""


class InverseRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`inverse.yaml`."""

    parameters: dict[str, InverseRow]
    notes: list[str]
    """What a reader must know, the worst first."""
    inside: dict[str, float]
    """Whether the data are like what the scan produces: p values of distance and remainder, and of both."""
    bins_out_of_reach: list[dict[str, float | str]]
    calibration: CalibrationRecord
    calibration_on_runs: CalibrationRecord | None
    """On runs of the generator that surrogate and model have not seen; None if none were held out."""
    config: InverseConfig
    seed: int
    made_of: dict[str, str]
    """Hashes of card, reference, scan and tuned parameters."""


def invert(
    seed: int,
    fitted: Fitted,
    config: InverseConfig,
    reporter: Reporter = QUIET,
    holdout: Sequence[str] = (),
) -> InverseRecord:
    """Train the inverse model with the card's surrogate, keep it as `work/inverse.npz`, and write `inverse.yaml`.

    Args:
        seed: of points, noise, initial weights and batches.
        fitted: the card's fit.
        config: of the model.
        reporter: told about progress.
        holdout: names of runs on which such a model is calibrated, too: one that is trained with a surrogate that has
            not seen them, for measurements that have the runs' Monte Carlo errors besides their own.

    Raises as `train_inverse` and `train_chosen` do; nothing is written then.
    """
    fitted.loaded.need_scan()
    keys = jax.random.split(jax.random.key(seed), 3)
    measured, correlation = fitted.measured, fitted.matched.correlation
    progress = _Epochs(config, reporter)
    model = train_inverse(keys[0], fitted.scan, measured, config, fitted.surrogate, correlation, progress)
    progress.end()
    summary = model.summary(keys[1])
    on_runs = _calibrate_on_runs(keys[2], fitted, config, holdout, reporter) if holdout else None
    record = _record(fitted, model, summary, seed, on_runs)
    save_inverse(fitted.loaded.work / "inverse.npz", model)
    write_sealed_yaml(fitted.loaded.output(FILE), _HEAD, msgspec.to_builtins(record))
    return record


class _Epochs:
    """Tells a reporter about epochs of training, also of those that were not needed."""

    def __init__(self, config: InverseConfig, reporter: Reporter) -> None:
        self.total = -(-config.steps // max(1, config.points // config.batch_size))
        self.done, self.reporter = 0, reporter

    def __call__(self, epoch: int, loss: np.ndarray, validation: np.ndarray) -> None:
        self.done = epoch + 1
        self.reporter.progress("inverse model, epochs", self.done, self.total)

    def end(self) -> None:
        if self.done < self.total:
            self.reporter.progress("inverse model, epochs", self.total, self.total)


def _calibrate_on_runs(
    key: jax.Array, fitted: Fitted, config: InverseConfig, holdout: Sequence[str], reporter: Reporter
) -> Calibration:
    keys = jax.random.split(key, 3)
    used, held = fitted.scan.split(list(holdout))
    reporter.say(f"training a surrogate and an inverse model without the {len(held.runs)} runs held out")
    surrogate, _ = train_chosen(keys[0], used, fitted.loaded.training_config, reporter)
    measured, correlation = fitted.measured, fitted.matched.correlation
    noisy, progress = as_noisy(measured, held), _Epochs(config, reporter)
    model = train_inverse(keys[1], used, noisy, config, surrogate, correlation, progress)
    progress.end()
    groups = linked_groups(held)
    if len(groups) < len(held.runs):  # one of each, at all places within them
        reporter.say(f"runs held out share measurements: one of each of {len(groups)} groups calibrates")
        held = held.take_runs([held.runs[rows[i % len(rows)]] for i, rows in enumerate(groups)])
    return calibrate_on_runs(keys[2], model, held, measured, correlation)


def read_inverse(fitted: Fitted) -> InverseRecord | None:
    """Read `inverse.yaml`; None if there is none, or it is of another fit."""
    path = fitted.loaded.output(FILE)
    if not path.is_file():
        return None
    try:
        is_sealed(path, "inverse model's result")
        record = read_card(path, InverseRecord, "inverse model's result")
    except InputError as error:
        raise InputError(
            f"{error}; run `sbitune inverse {fitted.loaded.directory}` again, or take the file away"
        ) from error
    return record if record.made_of == made_of(fitted.record) else None


def _record(
    fitted: Fitted, model: InverseModel, summary: InverseSummary, seed: int, on_runs: Calibration | None
) -> InverseRecord:
    tune = tune_of(fitted.record, fitted.problem.parameters)
    compared = compare(summary, tune)
    rows = {}
    for i, name in enumerate(summary.names):
        low, high = summary.quantiles[[1, 3], i]
        rows[name] = InverseRow(
            mean=float(summary.mean[i]),
            sd=float(summary.errors[i]),
            low68=float(low),
            high68=float(high),
            fit=float(tune.values[i]),
            fit_error=float(tune.quoted_errors[i]),
            **_compared(compared, name),
        )
    notes = [*([] if on_runs is None else (f"on runs held out, {n}" for n in on_runs.notes())), *summary.notes]
    if compared.fixed:
        notes.append(f"the fit holds {', '.join(compared.fixed)} fixed, the posterior does not: they are not compared")
    inside, calibration = model.inside, model.calibration
    return InverseRecord(
        parameters=rows,
        notes=notes,
        inside={
            "p_value": inside.p_value,
            "p_distance": inside.p_distance,
            "p_remainder": inside.p_remainder,
            "distance": inside.distance,
            "usual_distance": inside.usual_distance,
            "remainder": inside.remainder,
            "usual_remainder": inside.usual_remainder,
        },
        bins_out_of_reach=[{"bin": o.label, "errors": o.distance} for o in inside.outside],
        calibration=_calibration(calibration),
        calibration_on_runs=None if on_runs is None else _calibration(on_runs),
        config=model.config,
        seed=seed,
        made_of=made_of(fitted.record),
    )


def _calibration(found: Calibration) -> CalibrationRecord:
    return CalibrationRecord(
        cases=len(found.joint),
        p_value=found.p_value,
        verdicts=found.verdicts(),
        coverage={n: c.tolist() for n, c in zip(found.names, found.coverage.T, strict=True)},
        coverage_error=found.coverage_error.tolist(),
        joint_coverage=found.joint_coverage.tolist(),
    )


def _compared(compared: Comparison, name: str) -> dict[str, float | None]:
    columns = ("difference", "difference_of_width", "width", "quantile")
    if name not in compared.names:
        return dict.fromkeys(columns)
    i = compared.names.index(name)
    numbers: dict[str, Any] = {column: float(getattr(compared, column)[i]) for column in columns}
    return {column: number if np.isfinite(number) else None for column, number in numbers.items()}
