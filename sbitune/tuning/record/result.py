"""`result.yaml`: the tune as it is kept, with all that is needed to judge and to repeat it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from sbitune.data.checks.examination import Finding
from sbitune.data.error_sources import Decision
from sbitune.data.parameter import Parameter
from sbitune.data.storage.files import hash_bytes
from sbitune.fitting.results import BinnedFit, ObservableChi2, Start
from sbitune.tuning.record.checks import check_record
from sbitune.tuning.record.parts import ExcludedRecord, SurrogateRecord
from sbitune.tuning.record.types import (
    ErrorSourceRecord,
    FindingRecord,
    ObservableRecord,
    ParameterRecord,
    ResultRecord,
)
from sbitune.workflow.results import records
from sbitune.workflow.results.fits import fit_fields, record_minima
from sbitune.workflow.results.records import Format

#: files of format 1, of an older sbitune, have no hash of their own lines
FORMAT, _WITHOUT_HASH = 2, 1
_HEAD = """# Written by sbitune; the card beside it says how to make it again.
# chi2: at the minimum, with the card's weights squared; chi2_unit: with all weights 1. Errors are those of data and
# surrogate, propagated; scaled_error: times sqrt(chi2_unit / ndf). minima: where every start of the minimiser ended,
# with the surrogate's error of the middle of the box: their chi2 is not that of the tune.
"""


#: what is said where toys could not judge a tune
UNJUDGED = "toys cannot judge this tune"
#: parts of what is noted of a surrogate that have places of their own in a result
_OF_THEIR_OWN = ("choice", "worst_observables", "closure")


def make_record(
    tune: BinnedFit,
    title: str,
    excluded: list[ExcludedRecord],
    surrogate: Mapping[str, Any],
    provenance: dict,
    limits: Mapping[str, tuple[float, float]] = {},
) -> ResultRecord:
    """Write down a fit."""
    scale = max(1.0, np.sqrt(tune.chi2_unit / tune.ndf)) if tune.ndf > 0 else 1.0
    parameters = {}
    for p, value, error in zip(tune.parameters, tune.values, tune.quoted_errors, strict=True):
        parameters[p.name] = ParameterRecord(
            value=float(value),
            error=float(error),
            minos=tune.minos.get(p.name),
            scaled_error=float(scale * error),
            default=p.default,
            low=p.low,
            high=p.high,
            status=tune.status_of(p.name),
            limits=limits.get(p.name),
        )
    return ResultRecord(
        format=FORMAT,
        title=title,
        status=tune.status,
        chi2=tune.chi2,
        chi2_unit=tune.chi2_unit,
        ndf=tune.ndf,
        parameters=parameters,
        covariance=tune.covariance.tolist(),
        correlation=tune.correlation.tolist(),
        observables=[ObservableRecord(o.path, o.bins, o.weight, o.chi2) for o in tune.observables],
        excluded=excluded,
        notes=list(tune.notes),
        minima=[{"chi2": s.value, "valid": s.valid, "theta": s.theta.tolist()} for s in tune.starts],
        other_minima=record_minima(tune),
        surrogate=cast(SurrogateRecord, {key: x for key, x in surrogate.items() if key not in _OF_THEIR_OWN}),
        hesse_difference=float(tune.hesse_difference) if np.isfinite(tune.hesse_difference) else None,
        choice=surrogate.get("choice", []),
        worst_observables=surrogate.get("worst_observables", []),
        closure=surrogate.get("closure", {}),
        provenance=provenance,
    )


def with_findings(record: ResultRecord, findings: Iterable[Finding]) -> ResultRecord:
    """Write down what was found in the input."""
    rows = [FindingRecord(f.kind, f.what, list(f.where), f.done) for f in findings]
    return msgspec.structs.replace(record, findings=rows)


def with_sources(record: ResultRecord, sources: Iterable[tuple[str, Decision, int]]) -> ResultRecord:
    """Write down what error sources of the data are taken for, as `matching.SourceUse` has it."""
    rows = [
        ErrorSourceRecord(label, "independent" if decision.independent else "shared", decision.why, observables)
        for label, decision, observables in sources
    ]
    return msgspec.structs.replace(record, error_sources=rows)


def made_of(record: ResultRecord) -> dict[str, str]:
    """Hashes of the card, the reference, the scan and the tuned parameters: what belongs to another fit has others."""
    tuned = hash_bytes(msgspec.json.encode(record.parameters))
    return {name: str(record.provenance[name]) for name in ("card", "reference", "scan")} | {"parameters": tuned}


def tune_of(record: ResultRecord, parameters: tuple[Parameter, ...]) -> BinnedFit:
    """The fit that was written down, of the same parameters; what the minimiser said of its work is not kept.

    Raises:
        InputError: if the parameters are others than those of the record.
    """
    return BinnedFit(
        **fit_fields(parameters, record.parameters, record.covariance, record.other_minima, "surrogate"),
        chi2=record.chi2,
        chi2_unit=record.chi2_unit,
        ndf=record.ndf,
        observables=tuple(ObservableChi2(o.path, o.chi2, o.bins, o.weight) for o in record.observables),
        starts=tuple(Start(np.array(m["theta"]), m["chi2"], m["valid"]) for m in record.minima),
        minimum=np.nan,
        hesse_difference=np.nan if record.hesse_difference is None else record.hesse_difference,
        status=record.status,
        notes=tuple(record.notes),
    )


_FORMAT = Format(FORMAT, "sbitune fit", _HEAD, (_WITHOUT_HASH,), check=check_record)


def write_record(path: Path, record: ResultRecord) -> None:
    """Write `result.yaml`."""
    records.write_record(path, record, _FORMAT)


def read_record(path: Path) -> ResultRecord:
    """Read `result.yaml`. Raises `InputError` as `records.read_record`."""
    record = records.read_record(path, ResultRecord, _FORMAT)
    said = [note for note in record.notes if note.startswith(UNJUDGED)]
    if not said or "unjudged" in record.answer:
        return record
    # of an older sbitune, which kept it among the notes alone
    unjudged = said[0].removeprefix(UNJUDGED).lstrip(": ")
    return msgspec.structs.replace(record, answer=record.answer | {"unjudged": unjudged})
