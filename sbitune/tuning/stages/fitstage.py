"""The stage that fits: data and surrogate to a tune, `result.yaml` and `tune.cmnd`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from sbitune.data.checks.examination import Finding
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reference import Reference
from sbitune.data.reporting import QUIET, LeftOut, Reporter
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.results import BinnedFit
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.checks.validation import (
    POINTS,
    merged_file,
)
from sbitune.tuning.record import result as records
from sbitune.tuning.record.parts import ExcludedRecord
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.stages.assessment import assess, describe_assessment
from sbitune.tuning.stages.findings import farthest, fit_findings, scan_findings
from sbitune.tuning.stages.fitted import (
    Fitted,
    as_fitted,
    bytes_of_reference,
    bytes_of_scan,
    make_problem,
    match_data,
    write_result,
)
from sbitune.tuning.stages.matching import Matched, describe_sources
from sbitune.tuning.stages.products import (
    hash_fit,
    surrogate_product,
    write_fit,
)
from sbitune.tuning.stages.training import surrogate_stage as surrogate_stage
from sbitune.tuning.stages.training import train_stage as train_stage
from sbitune.tuning.surrogates.protocols import TrainedSurrogate, unknown_parameters
from sbitune.tuning.verdict import as_before, with_warnings
from sbitune.workflow.results.findings import LEFT_OUT
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.runs.checking import reference_of
from sbitune.workflow.stages import writing


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
    matched = match_data(loaded, scan, reference, surrogate)
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
        assessment = assess(make_problem(loaded, surrogate, matched), card.fit, reporter)
    except ComputationError as error:
        _remove(loaded, "result.yaml", "tune.cmnd", "validation.yoda", "report.html")
        raise ComputationError(f"{error}{farthest(outside)}") from error
    tune = replace(assessment.tune, notes=(*assessment.tune.notes, *matched.notes))
    found, used = scan_findings(loaded, scan), assessment.problem.measured
    note = surrogate_product(loaded).read_note()
    hashes = {"surrogate": note.product, "fit": hash_fit(used)}
    record = _record(loaded, scan, note.about, reference, matched, tune, found, hashes)
    record = msgspec.structs.replace(record, answer=describe_assessment(assessment))
    record = records.with_sources(record, matched.sources)
    record = with_warnings(records.with_findings(record, (*found, *outside)))
    before = _record_before(loaded, reporter)
    if before is not None and (before.parameters, before.provenance) == (record.parameters, record.provenance):
        record = as_before(record, before)
    else:
        _remove(loaded, "validation.yoda", "report.html")
    write_fit(loaded, used)  # first: a result is not there before all that belongs to it
    write_result(loaded, record)
    reporter.say(str(tune))
    return Fitted(loaded, scan, reference, as_fitted(surrogate, record), matched._replace(measured=used), record)


def _check_known(loaded: LoadedCard, surrogate: TrainedSurrogate, measured: Measured) -> None:
    """Refuse parameters that none of the measured bins knows: they would be tuned to nothing."""
    unknown = [name for name in unknown_parameters(surrogate, measured.indices) if name not in loaded.card.fit.fixed]
    if unknown:
        raise InputError(
            f"{loaded.place('fit')}: no bin of the fit depends on {' and '.join(unknown)}: runs that differ in this "
            f"have them from the same events; hold it (`fixed: {{{unknown[0]}: VALUE}}`), or select bins that depend "
            "on it"
        )


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
    made_of = {
        "card": loaded.path.read_bytes(),
        "reference": bytes_of_reference(reference),
        "scan": bytes_of_scan(scan),
    }
    origin = provenance(made_of, {"scan": card.scan.seed, "fit": card.fit.seed})
    origin |= hashes
    origin |= {"runs": len(scan.runs)} | ({"events_per_run": card.scan.events} if card.scan.events else {})
    excluded = [ExcludedRecord(bin=e.label, reason=e.reason) for e in matched.excluded]
    for finding in found:
        if finding.kind == LEFT_OUT:
            excluded += [ExcludedRecord(bin=name, reason="left out when the scan was read") for name in finding.where]
    return records.make_record(tune, card.title, excluded, about, origin, card.fit.limits)
