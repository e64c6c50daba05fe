"""Limits, belts and impacts as files beside a card: `limit.NAME.yaml` say, which tell of which fit they are."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from sbitune.fitting.hypotheses.discovery import Discovery
from sbitune.fitting.hypotheses.exclusion import Exclusion
from sbitune.fitting.hypotheses.impacts import Impacts
from sbitune.fitting.hypotheses.limits import UpperLimit
from sbitune.fitting.hypotheses.neyman import Belt
from sbitune.workflow.cards.cardfile import CardFile
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.results.records import Format, read_record, write_record

VERSION = 1


class TestedValue(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A value that was tested against no signal."""

    value: float
    cls: float
    p_signal: float
    expected: list[float]
    """(5,) CLs, or p_sb where the limit is of that, if the background fluctuates by -2 .. 2 standard errors."""
    error: float | None = None
    """Of CLs, of the number of toys."""


class HypothesisRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all of them have."""

    verb: ClassVar[str]
    """The command that makes it, and the beginning of the file's name."""
    format: int = VERSION
    parameter: str
    best: float
    """Where the data have the parameter."""
    notes: list[str] = []
    made_of: dict[str, str] = {}
    """Hashes of the fit."""
    provenance: dict[str, Any] = {}


class LimitRecord(HypothesisRecord, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An upper limit, and the significance of a signal."""

    verb: ClassVar[str] = "limit"
    level: float
    method: str
    """`CLs`, or `p_sb`."""
    toys: int
    """At every value with a signal, and as many without; 0: asymptotic formulae."""
    observed: float
    observed_error: float | None
    """Of the number of toys."""
    expected: list[float]
    """(5,) if the background fluctuates by -2 .. 2 standard errors."""
    q0: float
    p0: float
    p0_error: float | None
    """Of the number of toys."""
    significance: float
    asymptotic_significance: float
    """The same by the formula, where `significance` is of toys."""
    expected_significance: float | None
    """Of a signal of the nominal strength."""
    tests: list[TestedValue]


class BeltRecord(HypothesisRecord, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A confidence belt, and the interval of the data."""

    verb: ClassVar[str] = "neyman"
    level: float
    intervals: list[tuple[float, float]]
    points: list[float]
    """(n,) values of the parameter."""
    critical: list[float]
    """(n,) the largest rise of -2 log L that is accepted there."""
    critical_error: list[float]
    accepted: list[tuple[float, float]]
    """(n, 2) smallest and largest best value of the toys that are accepted."""
    observed: list[float]
    """(n,) rise of -2 log L of the data."""
    toys: int
    failed: int


class ImpactRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One auxiliary measurement."""

    parameter: str
    pull: float
    constraint: float
    """Error of the fit over that of the measurement."""
    shift: float
    """Of the result, if the measurement moves up by its error; to first order."""
    held: float
    """Of the result, if the parameter is held one fitted error above its value; to first order."""
    refitted: tuple[float, float] | None
    """`shift` by fits, with the measurement down and up."""
    reheld: tuple[float, float] | None
    """`held` by fits, down and up."""


class ImpactsRecord(HypothesisRecord, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all auxiliary measurements do to a parameter."""

    verb: ClassVar[str] = "impacts"
    error: float
    statistical: float
    """Error that the data alone leave."""
    rows: list[ImpactRecord]


R = TypeVar("R", bound=HypothesisRecord)


def limit_record(
    limit: UpperLimit,
    found: Discovery,
    by_toys: Discovery | None,
    scan: Sequence[Exclusion],
    toys: int,
    made_of: Mapping[str, str],
    seed: int,
) -> LimitRecord:
    """A limit with the significance, by the formula and perhaps by toys, and tests of values for a picture."""
    use_cls = limit.method == "CLs"
    tests = [
        TestedValue(
            t.value, t.cls, t.p_signal, list(t.expected if use_cls else t.expected_signal), t.cls_error
        )
        for t in scan
    ]  # fmt: skip
    quoted, few = by_toys or found, list[str]()
    if by_toys is not None and by_toys.p_value <= 1.5 / by_toys.toys:
        few.append(
            f"none of {by_toys.toys} toys without signal is as much like one as the data: p0 is an upper limit, and "
            "the significance a lower one; throw more"
        )
    return LimitRecord(
        parameter=limit.parameter,
        best=limit.best,
        notes=list(dict.fromkeys((*limit.notes, *found.notes, *few))),
        level=limit.level,
        method=limit.method,
        toys=toys,
        observed=limit.observed,
        observed_error=limit.observed_error,
        expected=list(limit.expected),
        q0=found.statistic,
        p0=quoted.p_value,
        p0_error=quoted.p_error,
        significance=quoted.significance,
        asymptotic_significance=found.significance,
        expected_significance=found.expected,
        tests=tests,
        **_about(made_of, seed),
    )


def belt_record(belt: Belt, made_of: Mapping[str, str], seed: int) -> BeltRecord:
    """A belt and the interval of its data."""
    data = belt.data
    return BeltRecord(
        parameter=belt.parameter,
        best=data.best,
        notes=list(data.notes),
        level=belt.level,
        intervals=list(data.intervals),
        points=belt.points.tolist(),
        critical=belt.critical.tolist(),
        critical_error=belt.critical_error.tolist(),
        accepted=[(float(low), float(high)) for low, high in belt.accepted],
        observed=data.observed.tolist(),
        toys=belt.toys,
        failed=belt.failed,
        **_about(made_of, seed),
    )


def impacts_record(found: Impacts, made_of: Mapping[str, str]) -> ImpactsRecord:
    """Impacts, the largest first."""
    rows = [
        ImpactRecord(r.parameter, r.pull, r.constraint, r.shift, r.held, r.refitted, r.reheld) for r in found.rows
    ]  # fmt: skip
    return ImpactsRecord(
        parameter=found.parameter,
        best=found.value,
        error=found.error,
        statistical=found.statistical,
        rows=rows,
        **_about(made_of),
    )


def _about(made_of: Mapping[str, str], seed: int | None = None) -> dict[str, Any]:
    return {"made_of": dict(made_of), "provenance": provenance({}, {} if seed is None else {"toys": seed})}


def place_of(loaded: CardFile[Any], verb: str, name: str) -> Path:
    """Where what a command says of a parameter goes; letters that a file's name should not have become `_`."""
    return loaded.output(f"{verb}.{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.yaml")


def _format(verb: str) -> Format:
    head = f"# Written by `sbitune {verb}`; made_of: hashes of the fit that it is of.\n"
    return Format(VERSION, f"sbitune {verb}", head, what=verb)


def write_hypothesis(loaded: CardFile[Any], record: HypothesisRecord) -> Path:
    """Write it beside the card, whole or not at all. Gives the path."""
    path = place_of(loaded, record.verb, record.parameter)
    write_record(path, record, _format(record.verb))
    return path


def read_hypothesis(loaded: CardFile[Any], kind: type[R], name: str) -> R | None:
    """What was written of a parameter; None if there is nothing. Raises `InputError` for what was not written so."""
    path = place_of(loaded, kind.verb, name)
    return read_record(path, kind, _format(kind.verb)) if path.is_file() else None
