"""A fit without a card: a surrogate that is there, data, and a weight file: `prof2-tune`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from sbitune.data.errors import InputError, naming
from sbitune.data.formats.parameters import read_limits
from sbitune.data.formats.professor_results import write_result
from sbitune.data.formats.recognition import recognise
from sbitune.data.formats.selection import read_weights
from sbitune.data.reporting import QUIET, LeftOut, Reporter
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.results import BinnedFit
from sbitune.tuning.record.parts import ExcludedRecord
from sbitune.tuning.record.result import make_record, with_findings, write_record
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.stages.assessment import assess, describe_assessment
from sbitune.tuning.stages.findings import fit_findings
from sbitune.tuning.stages.matching import Matched
from sbitune.tuning.surrogates.protocols import Surrogate
from sbitune.tuning.tools.conversion import professor_result
from sbitune.tuning.tools.models import as_scan, matched_with, open_model
from sbitune.tuning.verdict import with_warnings
from sbitune.workflow.results.provenance import provenance


def within_limits(
    model: Surrogate, ranges: Mapping[str, tuple[float, float]], fixed: Mapping[str, float], config: BinnedFitConfig
) -> BinnedFitConfig:
    """A fit within a limits file; names that are no parameters of the surrogate are refused by the fit."""
    known = {p.name: p for p in model.parameters}
    for name, ends in ranges.items():
        p = known.get(name)
        if p is not None and not p.low <= ends[0] < ends[1] <= p.high:
            raise InputError(
                f"limits of {name}: [{ends[0]:g}, {ends[1]:g}] are not inside the range [{p.low:g}, {p.high:g}] that "
                "the surrogate learnt"
            )
    return msgspec.structs.replace(config, limits=dict(ranges), fixed=dict(fixed))


class Wanted(NamedTuple):
    """What is to be fitted."""

    source: str  #: surrogate.npz, or Professor's ipol.dat
    reference: Sequence[str] = ()  #: files, or names of measurements
    weights: str | None = None  #: weight file of Professor or Apprentice; None: all that is measured
    limits: str | None = None  #: limits file, `NAME low high` or `NAME value`
    config: BinnedFitConfig = BinnedFitConfig()  #: toys, starts, seed; limits and fixed values are those of the file


def fit_weight_file(wanted: Wanted, reporter: Reporter = QUIET) -> ResultRecord:
    """Fit the parameters of a surrogate's file to data, and judge the fit as that of a card is.

    Raises:
        InputError: naming the option, for what cannot be read or is not measured.
        ComputationError: if the fit does not converge.
    """
    if wanted.weights:
        with naming("--weights"):
            read_weights(wanted.weights)  # before the surrogate is: it may be long
    with naming("--limits"):
        ranges, fixed = read_limits(wanted.limits) if wanted.limits else ({}, {})
    model = open_model(wanted.source, reporter).model
    points = as_scan(model)
    matched = matched_with(points, None, wanted.reference, wanted.weights)
    if matched is None:
        raise InputError("--reference: say what was measured: a YODA file, a data JSON or the name of a measurement")
    for label, reason in matched.excluded:
        reporter.say(LeftOut(f"{label}: {reason}"))
    outside = fit_findings(points, matched.measured, predicted=True)
    for said in (*matched.notes, *map(str, outside)):
        reporter.say(said)
    config = within_limits(model, ranges, fixed, wanted.config)
    parts = (config.limits, config.fixed, config.surrogate_error, matched.correlation)
    assessment = assess(BinnedProblem(model, matched.measured, *parts), config, reporter)
    tune = assessment.tune
    reporter.say(str(tune))
    notes = [*tune.notes, *matched.notes]
    for said in model.cautions(Path(wanted.source).name):
        notes.append(said)
        reporter.say(said)
    record = _record(replace(tune, notes=tuple(notes)), matched, wanted.source, recognise(wanted.source), config)
    record = msgspec.structs.replace(record, answer=describe_assessment(assessment))
    return with_warnings(with_findings(record, outside))


def _record(tune: BinnedFit, matched: Matched, source: str, kind: str, config: BinnedFitConfig) -> ResultRecord:
    """Write down a fit of a surrogate's file."""
    measured = matched.measured
    data = np.concatenate([measured.values, measured.total_errors]).tobytes()
    origin = provenance({"card": b"", "reference": data, "scan": Path(source).read_bytes()}, {"fit": config.seed})
    excluded = [ExcludedRecord(bin=e.label, reason=e.reason) for e in matched.excluded]
    return make_record(tune, f"fit of {Path(source).name}", excluded, {"kind": kind}, origin, config.limits)


def write_fit(path: str | Path, record: ResultRecord) -> None:
    """Write a `result.yaml`, or Professor's `results.txt` if the name ends in .txt."""
    if str(path).endswith(".txt"):
        write_result(path, professor_result(record))
    else:
        write_record(Path(path), record)
