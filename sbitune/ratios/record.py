"""`result.yaml` of a fit of events: what was fitted, how far to trust it, and what it was made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from sbitune.data.parameter import Parameter
from sbitune.data.storage.files import hash_bytes
from sbitune.fitting.results import Fit
from sbitune.ratios.checks.records import ColumnClosure
from sbitune.workflow.results import records
from sbitune.workflow.results.checks import Check
from sbitune.workflow.results.fits import MinimumRecord, fit_fields
from sbitune.workflow.results.records import Format

VERSION = 2
_HEAD = """# Written by sbitune; the card beside it says how to make it again.
# minimum: -2 log L less that of the nominal parameters. closure: chi2 of columns of data and fit, and of held events
# that were reweighted; work/ratios.json has all of it.
"""


class FittedRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One parameter."""

    value: float
    error: float
    """From the data: where -2 log L has risen by 1, by its second derivatives; 0 if fixed. At a limit: how far into the
    range the interval goes."""
    ratio_error: float
    """From the ratios: the finite samples that they were learned from. Not in `error`, nor in `minos`."""
    minos: tuple[float, float] | None
    """Lower (negative) and upper MINOS error."""
    nominal: float
    low: float
    high: float
    status: Literal["free", "fixed", "at limit"]
    measured: tuple[float, float] | None = None
    """Value and error of the auxiliary measurement."""
    pull: float | None = None
    """(value - measured) / error of the measurement."""


class ProcessRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How many events of a process there are."""

    nominal: float
    """Expected at the nominal parameters."""
    fitted: float
    """Expected at the fit."""


class ChannelRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A region of the fit."""

    name: str
    kind: Literal["events", "counts"]
    data: str
    """File of the events or of the workspace, `card` for counts that stand there, or `Asimov`."""
    observed: list[float]
    """(n_bins,) counts; of events their number."""
    nominal: dict[str, list[float]]
    """Process -> (n_bins,) expected at the nominal parameters; of events their number."""
    fitted: dict[str, list[float]]
    """The same at the fit."""
    pool: dict[str, float] = {}
    """Of events, as `RatiosRecord.pool`."""
    statistic: float | None = None
    """-2 log of the likelihood of counts at the fit over that of a perfect description."""
    p_value: float | None = None
    """Of the statistic, as if it were a chi2 of as many degrees of freedom as there are bins: not too small."""


class RatiosRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A fit of events and its provenance."""

    format: int
    title: str
    status: str
    verdict: str
    checks: list[Check]
    warnings: list[str]
    data: str
    """File of the events, or `Asimov`: what is expected at the nominal parameters."""
    events: float
    """Number of events in the data of the card itself."""
    minimum: float
    parameters: dict[str, FittedRecord]
    covariance: list[list[float]]
    correlation: list[list[float]]
    ratio_covariance: list[list[float]]
    """Of the errors from the ratios."""
    processes: dict[str, ProcessRecord]
    pool: dict[str, float]
    """Of simulated events at the fit, of which toys are made: `events`, `effective` number, `closure` (sum of weights
    over the expected number, less 1)."""
    columns: list[ColumnClosure]
    """Data and fit, column by column."""
    coverage: dict[str, Any] = {}
    """Of toys at the fit, see `sbitune.fitting.checks.coverage`."""
    notes: list[str]
    channels: list[ChannelRecord] = []
    """All regions, the events of the card itself first."""
    other_minima: list[MinimumRecord] = []
    provenance: dict[str, str | int | float | dict[str, str]]


FORM = Format(VERSION, "sbitune infer", _HEAD)


def describe_parameters(
    fit: Fit, nominal: Mapping[str, float], measured: Mapping[str, tuple[float, float]], ratio_covariance: np.ndarray
) -> dict[str, FittedRecord]:
    """The parameters of a fit; `measured` are values and errors of auxiliary measurements."""
    found = {}
    of_ratios = np.sqrt(np.diag(ratio_covariance))
    for p, value, error, other in zip(fit.parameters, fit.values, fit.quoted_errors, of_ratios, strict=True):
        known = measured.get(p.name)
        found[p.name] = FittedRecord(
            float(value),
            float(error),
            float(other),
            fit.minos.get(p.name),
            float(nominal[p.name]),
            p.low,
            p.high,
            fit.status_of(p.name),
            known,
            None if known is None else float((value - known[0]) / known[1]),
        )
    return found


def fit_of(record: RatiosRecord, parameters: tuple[Parameter, ...]) -> Fit:
    """The fit that was written down. Raises `InputError` if the parameters are others than those of the record."""
    return Fit(
        **fit_fields(parameters, record.parameters, record.covariance, record.other_minima, "card"),
        minimum=record.minimum,
        starts=(),
        hesse_difference=np.nan,
        status=record.status,
        notes=tuple(record.notes),
    )


def made_of(record: RatiosRecord) -> dict[str, str]:
    """Hashes that tell this fit from others."""
    fitted = hash_bytes(msgspec.json.encode(record.parameters))
    return {name: str(record.provenance[name]) for name in ("card", "ratios", "data")} | {"parameters": fitted}


def write_record(path: Path, record: RatiosRecord) -> None:
    """Write `result.yaml`, whole or not at all."""
    records.write_record(path, record, FORM)


def read_record(path: Path) -> RatiosRecord:
    """Read `result.yaml`. Raises `InputError` as `records.read_record`."""
    return records.read_record(path, RatiosRecord, FORM)


def figures_of(record: RatiosRecord) -> dict[str, Any]:
    """The figures of a result, as commands print them; `minos` is None where there is none."""
    figures: dict[str, Any] = {
        "status": record.status,
        "verdict": record.verdict,
        "warnings": record.warnings,
        "data": record.data,
        "events": record.events,
        "minimum": record.minimum,
        "parameters": {
            name: {key: getattr(p, key) for key in ("value", "error", "ratio_error", "minos", "pull", "status")}
            for name, p in record.parameters.items()
        },
        "processes": {name: {"nominal": p.nominal, "fitted": p.fitted} for name, p in record.processes.items()},
        "channels": {
            row.name: {"observed": row.observed, "fitted": row.fitted, "p_value": row.p_value}
            for row in record.channels
        },
        "notes": record.notes,
    }
    if record.coverage:
        kept = ("fits", "coverage68", "coverage68_error", "coverage95", "coverage95_error", "pull_width", "failed")
        figures["toys"] = {key: record.coverage[key] for key in kept}
    return figures
