"""The stage that runs the generator at the tune and compares it with data and surrogate."""

from pathlib import Path

import msgspec
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.histograms import Histograms
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_file, write_bytes
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.tuning.checks.validation import (
    POINTS,
    agreement,
    compare,
    compare_chi2,
    merged_file,
    noise_of,
    read_on,
    run_points,
)
from sbitune.tuning.record.types import ObservableRecord, ValidationRecord
from sbitune.tuning.stages.fitted import Fitted, rewrite_result
from sbitune.tuning.stages.training import surrogate_stage as surrogate_stage
from sbitune.tuning.stages.training import train_stage as train_stage
from sbitune.workflow.stages import writing


def validate_stage(fitted: Fitted, reporter: Reporter = QUIET) -> Fitted:
    """Run the generator at the tune and before it; writes `validation.yoda` and completes `result.yaml`."""
    loaded, measured = fitted.loaded, fitted.measured
    if loaded.card.generator is None:
        raise InputError(f"{loaded.path}: there is no generator to validate with; add one to the card")
    points = {"tuned": fitted.theta}
    if fitted.default is not None:
        points["default"] = fitted.default
    with writing(loaded):
        files = run_points(loaded, list(fitted.record.parameters), points, reporter)
        write_bytes(loaded.output("validation.yoda"), files["tuned"].read_bytes())
        runs = {name: read_on(path, measured.bins, loaded.card.scan.weight) for name, path in files.items()}
        hashes = {name: hash_file(path) for name, path in files.items()}
        observables, summary = _compared(fitted, runs)
        summary = msgspec.structs.replace(summary, files=hashes)
        return rewrite_result(fitted, observables=observables, validation=summary)


def _compared(fitted: Fitted, runs: dict[str, Histograms]) -> tuple[list[ObservableRecord], ValidationRecord]:
    measured, run = fitted.measured, runs["tuned"]
    matched, noises = fitted.matched, {name: noise_of(h, fitted.matched.scaling) for name, h in runs.items()}
    compared = {name: agreement(h, noises[name], measured, matched.correlation) for name, h in runs.items()}
    tuned, default = compared["tuned"], compared.get("default")
    mean = np.asarray(fitted.surrogate.predict_many(fitted.theta[None]).mean)[0][measured.indices]
    with double_precision(small=False):
        covariance = np.asarray(fitted.surrogate.covariance(fitted.theta, measured.indices))
    foretold = compare(run, noises["tuned"], mean, covariance, matched.correlation)
    beside = compare_chi2(run, noises["tuned"], mean, covariance, measured, matched.correlation)
    observables = []
    for row in fitted.record.observables:
        mine = measured.bins.of(row.path)
        observables.append(
            msgspec.structs.replace(
                row,
                chi2_tuned=float(tuned.terms[mine].sum()),
                chi2_default=None if default is None else float(default.terms[mine].sum()),
            )
        )
    summary = ValidationRecord(
        events=fitted.loaded.card.validation.events,
        bins=len(measured.bins),
        chi2_tuned=tuned.chi2,
        chi2_tuned_error=tuned.error,
        chi2_default=None if default is None else default.chi2,
        chi2_default_error=None if default is None else default.error,
        weighted_tuned=tuned.weighted,
        weighted_default=None if default is None else default.weighted,
        surrogate_pull=foretold.pull,
        surrogate_chi2=foretold.chi2,
        surrogate_p=foretold.p,
        fit_chi2=beside.surrogate,
        generator_chi2=beside.generator,
        chi2_deviations=beside.deviations,
    )
    return observables, summary


def validation_files(fitted: Fitted) -> dict[str, Path]:
    """The merged validation runs of a fit.

    Raises `InputError` if they are missing, or not those that the result compares with the data.
    """
    loaded, validation = fitted.loaded, fitted.record.validation
    if validation is None:
        return {}
    if not validation.files:  # of an older sbitune
        files = {name: merged_file(loaded, name) for name in POINTS}
        return {name: path for name, path in files.items() if path.is_file()}
    for name, made in validation.files.items():
        path = merged_file(loaded, name)
        if not path.is_file() or hash_file(path) != made:
            raise InputError(
                f"{path}: missing, or not what the validation made; run `sbitune validate {loaded.path}` again"
            )
    return {name: merged_file(loaded, name) for name in validation.files}
