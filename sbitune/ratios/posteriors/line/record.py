"""`result.yaml` of a posterior: what the parameters are, how far to trust that, and what it was made of."""

from pathlib import Path
from typing import Any

import msgspec

from sbitune.data.storage.files import hash_bytes
from sbitune.ratios.posteriors.line.checks import LocalRecord
from sbitune.workflow.results import records
from sbitune.workflow.results.checks import Check
from sbitune.workflow.results.records import Format

VERSION = 1
_HEAD = """# Written by sbitune; the card beside it says how to make it again. Draws are in posterior.npz and
# posterior.json, ranks and curves in work/model.json.
"""


class ParameterRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The posterior of one parameter."""

    mean: float
    sd: float
    median: float
    interval68: tuple[float, float]
    """Central."""
    interval95: tuple[float, float]
    prior: dict[str, float]
    """`low` and `high`, or `mean` and `deviation`."""
    shrinkage: float
    """1 - variance / that of the prior."""


class PosteriorRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A posterior and its provenance."""

    format: int
    title: str
    status: str
    verdict: str
    checks: list[Check]
    warnings: list[str]
    method: str
    observation: str
    """File."""
    rows: int
    """Of the observation."""
    simulations: int
    draws: int
    parameters: dict[str, ParameterRecord]
    correlation: list[list[float]]
    local: LocalRecord | None
    notes: list[str]
    provenance: dict[str, str | int | float | dict[str, str]]


FORM = Format(VERSION, "sbitune infer", _HEAD)


def made_of(record: PosteriorRecord) -> dict[str, str]:
    """Hashes that tell this posterior from others."""
    hashes = {name: str(record.provenance[name]) for name in ("card", "model", "observation")}
    return hashes | {"parameters": hash_bytes(msgspec.json.encode(record.parameters))}


def write_record(path: Path, record: PosteriorRecord) -> None:
    """Write `result.yaml`, whole or not at all."""
    records.write_record(path, record, FORM)


def read_record(path: Path) -> PosteriorRecord:
    """Read `result.yaml`. Raises `InputError` as `records.read_record`."""
    return records.read_record(path, PosteriorRecord, FORM)


def figures_of(record: PosteriorRecord) -> dict[str, Any]:
    """The figures of a result, as commands print them."""
    return {
        "verdict": record.verdict,
        "warnings": record.warnings,
        "method": record.method,
        "observation": record.observation,
        "simulations": record.simulations,
        "draws": record.draws,
        "parameters": {
            name: {"mean": p.mean, "sd": p.sd, "median": p.median, "interval68": list(p.interval68),
                   "shrinkage": p.shrinkage}
            for name, p in record.parameters.items()
        },
        "checks": {c.name: c.outcome for c in record.checks},
        "notes": record.notes,
    }  # fmt: skip
