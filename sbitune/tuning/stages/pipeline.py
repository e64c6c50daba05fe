"""The whole line, from a card to a tune: each stage is a function, each leaves a file, each resumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np

from sbitune.data.checks.examination import Finding
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.histograms import Histograms
from sbitune.data.reference import Reference
from sbitune.data.reporting import QUIET, LeftOut, Reporter
from sbitune.data.scan import Scan
from sbitune.data.storage.files import hash_bytes, hash_file, write_bytes, write_text
from sbitune.fitting.checks.coverage import Coverage
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.results import BinnedFit
from sbitune.tuning.card import LoadedCard
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
from sbitune.tuning.output.settings import command_file
from sbitune.tuning.record import result as records
from sbitune.tuning.record.parts import ExcludedRecord
from sbitune.tuning.record.types import ObservableRecord, ResultRecord, ValidationRecord
from sbitune.tuning.stages.assessment import describe_answer, find_answer
from sbitune.tuning.stages.findings import farthest, fit_findings, scan_findings
from sbitune.tuning.stages.matching import Matched, describe_sources, match
from sbitune.tuning.stages.products import (
    SURROGATE,
    hash_fit,
    read_fit,
    surrogate_product,
    write_fit,
)
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.stages.surrogate_of_card import surrogate_of
from sbitune.tuning.stages.training import surrogate_stage as surrogate_stage
from sbitune.tuning.stages.training import train_stage as train_stage
from sbitune.tuning.surrogates.protocols import TrainedSurrogate, near_point, unknown_parameters
from sbitune.tuning.surrogates.storage import load_surrogate
from sbitune.tuning.verdict import as_before, with_warnings
from sbitune.workflow.results.findings import LEFT_OUT
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.runs.checking import check, need_reference, reference_of
from sbitune.workflow.runs.scanning import make_scan
from sbitune.workflow.runs.tasks import version_of_runs
from sbitune.workflow.stages import writing


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the fit stage leaves for those after it."""

    loaded: LoadedCard
    scan: Scan
    reference: Reference
    surrogate: TrainedSurrogate
    matched: Matched
    record: ResultRecord

    @property
    def theta(self) -> np.ndarray:
        """(n_parameters,) the tune."""
        return np.array([p.value for p in self.record.parameters.values()])

    @property
    def default(self) -> np.ndarray | None:
        """(n_parameters,) values before tuning; None if one is not known."""
        values = [p.default for p in self.record.parameters.values()]
        return None if any(v is None for v in values) else np.array(values, float)

    @property
    def problem(self) -> BinnedProblem:
        """The fit as it was made."""
        return make_problem(self.loaded, self.surrogate, self.matched)

    @property
    def measured(self) -> Measured:
        """The measured bins in the fit."""
        return self.matched.measured


def _bytes_of(scan: Scan) -> bytes:
    arrays = (scan.theta, scan.values, scan.errors, *scan.bins.to_arrays().values())
    return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)


def fit_stage(loaded: LoadedCard, scan: Scan, surrogate: TrainedSurrogate, reporter: Reporter = QUIET) -> Fitted:
    """Fit the parameters; writes `result.yaml` and `tune.cmnd` if the fit converged.

    Raises:
        ComputationError: if it did not; nothing is written then, and results of a fit before are taken away.
        InputError: if what was noted of the surrogate is missing or damaged, or another sbitune is at work on the card.
    """
    with writing(loaded):
        return _fit(loaded, scan, surrogate, reporter)


def _fit(loaded: LoadedCard, scan: Scan, surrogate: TrainedSurrogate, reporter: Reporter) -> Fitted:
    card = loaded.card
    reference = reference_of(loaded)
    for message in reference.left:
        reporter.say(message)
    matched = _match(loaded, scan, reference, surrogate)
    _check_known(loaded, surrogate, matched.measured)
    for label, reason in matched.excluded:
        reporter.say(LeftOut(f"{label}: {reason}"))
    for note in matched.notes:
        reporter.say(note)
    for words in describe_sources(matched.sources):
        reporter.say(words)
    outside = fit_findings(scan, matched.measured, predicted=loaded.stored is not None)
    for finding in outside:
        reporter.say(str(finding))
    try:
        answer = find_answer(make_problem(loaded, surrogate, matched), card.fit, reporter)
    except ComputationError as error:
        _remove(loaded, "result.yaml", "tune.cmnd", "validation.yoda", "report.html")
        raise ComputationError(f"{error}{farthest(outside)}") from error
    tune = replace(answer.tune, notes=(*answer.tune.notes, *matched.notes))
    found, used = scan_findings(loaded, scan), answer.problem.measured
    note = surrogate_product(loaded).read_note()
    hashes = {"surrogate": note.product, "fit": hash_fit(used)}
    record = _record(loaded, scan, note.about, reference, matched, tune, found, hashes)
    record = msgspec.structs.replace(record, answer=describe_answer(answer))
    record = records.with_sources(record, matched.sources)
    record = with_warnings(records.with_findings(record, (*found, *outside)))
    before = _record_before(loaded, reporter)
    if before is not None and (before.parameters, before.provenance) == (record.parameters, record.provenance):
        record = as_before(record, before)
    else:
        _remove(loaded, "validation.yoda", "report.html")
    write_fit(loaded, used)  # first: a result is not there before all that belongs to it
    _write(loaded, record)
    reporter.say(str(tune))
    return Fitted(loaded, scan, reference, _as_fitted(surrogate, record), matched._replace(measured=used), record)


def _check_known(loaded: LoadedCard, surrogate: TrainedSurrogate, measured: Measured) -> None:
    """Refuse parameters that none of the measured bins knows: they would be tuned to nothing."""
    unknown = [name for name in unknown_parameters(surrogate, measured.indices) if name not in loaded.card.fit.fixed]
    if unknown:
        raise InputError(
            f"{loaded.place('fit')}: no bin of the fit depends on {' and '.join(unknown)}: runs that differ in this "
            f"have them from the same events; hold it (`fixed: {{{unknown[0]}: VALUE}}`), or select bins that depend "
            "on it"
        )


def make_problem(loaded: LoadedCard, surrogate: TrainedSurrogate, matched: Matched) -> BinnedProblem:
    """What a card asks to be fitted."""
    how = loaded.card.fit
    parts = (surrogate, matched.measured, how.limits, how.fixed, how.surrogate_error, matched.correlation)
    return BinnedProblem(*parts)


def _match(loaded: LoadedCard, scan: Scan, reference: Reference, surrogate: TrainedSurrogate) -> Matched:
    card = loaded.card
    matched = match(scan, reference, loaded.rules(), card.fit.correlations, strict=card.scan.bad_bins == "stop")
    if matched.correlation is None and surrogate.correlation is not None and card.fit.correlations:
        part = np.ix_(matched.measured.indices, matched.measured.indices)
        matched = matched._replace(correlation=surrogate.correlation[part])
    return matched


def _record_before(loaded: LoadedCard, reporter: Reporter) -> ResultRecord | None:
    """The result that is there, if it can be read; the reporter is told if it cannot."""
    path = loaded.output("result.yaml")
    if not path.exists():
        return None
    try:
        return records.read_record(path)
    except InputError as error:
        reporter.say(f"made again: {error}")
        return None


def _remove(loaded: LoadedCard, *names: str) -> None:
    for name in names:
        loaded.output(name).unlink(missing_ok=True)
    for name in POINTS:
        merged_file(loaded, name).unlink(missing_ok=True)


def _record(
    loaded: LoadedCard,
    scan: Scan,
    about: Mapping[str, Any],
    reference: Reference,
    matched: Matched,
    tune: BinnedFit,
    found: Sequence[Finding],
    hashes: dict[str, str],
) -> ResultRecord:
    card = loaded.card
    made_of = {"card": loaded.path.read_bytes(), "reference": _data_of(reference), "scan": _bytes_of(scan)}
    origin = provenance(made_of, {"scan": card.scan.seed, "fit": card.fit.seed})
    origin |= hashes
    origin |= {"runs": len(scan.runs)} | ({"events_per_run": card.scan.events} if card.scan.events else {})
    excluded = [ExcludedRecord(bin=e.label, reason=e.reason) for e in matched.excluded]
    for finding in found:
        if finding.kind == LEFT_OUT:
            excluded += [ExcludedRecord(bin=name, reason="left out when the scan was read") for name in finding.where]
    return records.make_record(tune, card.title, excluded, about, origin, card.fit.limits)


def _data_of(reference: Reference) -> bytes:
    return np.concatenate([reference.values, reference.errors]).tobytes()


def _write(loaded: LoadedCard, record: ResultRecord) -> None:
    records.write_record(loaded.output("result.yaml"), record)
    write_text(loaded.output("tune.cmnd"), command_file(loaded.card, record, version_of_runs(loaded)))


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
        return _rewrite(fitted, observables=observables, validation=summary)


def _compared(fitted: Fitted, runs: dict[str, Histograms]) -> tuple[list[ObservableRecord], ValidationRecord]:
    measured, run = fitted.measured, runs["tuned"]
    matched, noises = fitted.matched, {name: noise_of(h, fitted.matched.scaling) for name, h in runs.items()}
    compared = {name: agreement(h, noises[name], measured, matched.correlation) for name, h in runs.items()}
    tuned, default = compared["tuned"], compared.get("default")
    mean = np.asarray(fitted.surrogate.predict_many(fitted.theta[None]).mean)[0][measured.indices]
    with jax.enable_x64(True):
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


def keep_coverage(fitted: Fitted, found: Coverage) -> Fitted:
    """Put coverage by toys at the tune into `result.yaml`, in place of that of fewer toys."""
    known = fitted.record.answer.get("coverage", {}).get("fits", 0)
    if len(found.values) < known:
        return fitted
    return _rewrite(fitted, answer=fitted.record.answer | {"coverage": found.figures()})


def keep_closure(fitted: Fitted, found: Coverage) -> Fitted:
    """Put closure of runs that were held out into `result.yaml`, in place of that of fewer runs."""
    if len(found.values) < fitted.record.closure.get("fits", 0):
        return fitted
    return _rewrite(fitted, closure=found.figures())


def _rewrite(fitted: Fitted, **parts: Any) -> Fitted:
    """Put what was found out since the fit into `result.yaml`, and what it says of the tune.

    Raises `InputError` if that holds another fit by now.
    """
    path = fitted.loaded.output("result.yaml")
    with writing(fitted.loaded):
        now = records.read_record(path)
        if (now.parameters, now.provenance) != (fitted.record.parameters, fitted.record.provenance):
            raise InputError(f"{path}: it was fitted again meanwhile; what was found out of the fit before is not kept")
        record = with_warnings(msgspec.structs.replace(now, **parts))
        records.write_record(path, record)
    return replace(fitted, record=record)


def read_fitted(loaded: LoadedCard, reporter: Reporter = QUIET) -> Fitted:
    """Read what the fit stage left; the reporter is told what `stored_scan` has to say.

    Raises `InputError` naming the command that makes what is missing, damaged, or not of this fit.
    """
    scan = stored_scan(loaded, reporter)
    record = records.read_record(loaded.output("result.yaml"))
    again = f"run `sbitune fit {loaded.path}` again"
    made = record.provenance
    reference = reference_of(loaded)
    for what, now in (
        ("card", loaded.path.read_bytes()),
        ("reference", _data_of(reference)),
        *([("scan", _bytes_of(scan))] if loaded.stored is None else []),
    ):
        if made.get(what) != hash_bytes(now):
            raise InputError(f"{loaded.path}: the {what} has changed since the fit; {again}")
    surrogate = _read_surrogate(loaded, made.get("surrogate"), again)
    matched = _match(loaded, scan, reference, surrogate)
    used = read_fit(loaded, matched.measured, made.get("fit"))  # errors and weights as the fit found them
    return Fitted(loaded, scan, reference, _as_fitted(surrogate, record), matched._replace(measured=used), record)


def _as_fitted(surrogate: TrainedSurrogate, record: ResultRecord) -> TrainedSurrogate:
    """The surrogate with its errors where the fit took them; a fit of an older sbitune did not tell."""
    near = record.answer.get("near")
    return surrogate if near is None else near_point(surrogate, np.array([near[p.name] for p in surrogate.parameters]))


def _read_surrogate(loaded: LoadedCard, made: object, again: str) -> TrainedSurrogate:
    """The surrogate that `surrogate_stage` left or read, if it is the one of the fit; of a fit of an older sbitune that
    is not known: its hash `made` is None.
    """
    path = loaded.stored or loaded.work / SURROGATE
    if not path.is_file():
        raise InputError(f"{path}: not made yet; run `sbitune train {loaded.directory}` first")
    if made is not None and hash_file(path) != made:
        raise InputError(f"{path}: not the surrogate that the fit was made with; {again}")
    if loaded.stored is not None:
        return surrogate_of(loaded)
    try:
        return load_surrogate(path)
    except InputError as error:
        raise InputError(f"{error}; {again}") from error


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


def tune(loaded: LoadedCard, reporter: Reporter = QUIET) -> Fitted:
    """Run the whole line; stages that are done are not repeated."""
    need_reference(loaded)
    if loaded.stored is not None:
        check(loaded)
    scan = make_scan(loaded, reporter) if loaded.stored is None else stored_scan(loaded)
    surrogate = surrogate_stage(loaded, scan, reporter)
    fitted = fit_stage(loaded, scan, surrogate, reporter)
    return fitted if loaded.card.generator is None else validate_stage(fitted, reporter)
