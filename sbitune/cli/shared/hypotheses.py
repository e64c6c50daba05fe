"""Figures, tables and pictures of limits, belts and impacts, as commands give them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbitune.cli.shared.common import Figures
from sbitune.cli.shared.fits import Drawn, write_drawn

if TYPE_CHECKING:
    from sbitune.workflow.results.hypotheses import BeltRecord, ImpactsRecord, LimitRecord


def drawn_limit(record: "LimitRecord") -> Drawn:
    """A limit: its figures; a row for every value that was tested."""
    from sbitune.report.beside.hypotheses import BANDS, limit_picture

    figures = {
        "parameter": record.parameter,
        "limit": record.observed,
        "limit_error": record.observed_error,
        "expected": dict(zip(BANDS, record.expected, strict=True)),
        "level": record.level,
        "method": record.method,
        "best": record.best,
        "q0": record.q0,
        "p0": record.p0,
        "p0_error": record.p0_error,
        "significance": record.significance,
        "asymptotic_significance": record.asymptotic_significance,
        "expected_significance": record.expected_significance,
        "toys": record.toys,
        "notes": record.notes,
    }
    head = [record.parameter, "CLs", "CLs_error", "p_sb", *(f"expected{band}" for band in BANDS)]
    rows = [[t.value, t.cls, "" if t.error is None else t.error, t.p_signal, *t.expected] for t in record.tests]
    return Drawn(figures, head, rows, limit_picture(record))


def drawn_belt(record: "BeltRecord") -> Drawn:
    """A belt: its figures; a row for every point."""
    from sbitune.report.beside.hypotheses import belt_picture

    figures = {
        "parameter": record.parameter,
        "best": record.best,
        "intervals": [list(pair) for pair in record.intervals],
        "level": record.level,
        "points": len(record.points),
        "toys": record.toys,
        "failed": record.failed,
        "notes": record.notes,
    }
    columns = record.points, record.critical, record.critical_error, record.accepted, record.observed
    rows = [[x, c, e, *reach, t] for x, c, e, reach, t in zip(*columns, strict=True)]
    head = [record.parameter, "critical", "critical_error", "accepted_low", "accepted_high", "observed"]
    return Drawn(figures, head, rows, belt_picture(record))


def drawn_impacts(record: "ImpactsRecord") -> Drawn:
    """Impacts: a row for every auxiliary measurement, the largest first."""
    from sbitune.report.beside.hypotheses import impacts_picture

    rows, table = [], {}
    for r in record.rows:
        down, up = r.refitted or (-r.shift, r.shift)
        low, high = r.reheld or (-r.held, r.held)
        rows.append([r.parameter, r.pull, r.constraint, down, up, low, high, r.shift, r.held])
        table[r.parameter] = {"pull": r.pull, "constraint": r.constraint, "down": down, "up": up, "shift": r.shift}
    figures = {
        "parameter": record.parameter,
        "value": record.best,
        "error": record.error,
        "statistical": record.statistical,
        "impacts": table,
        "notes": record.notes,
    }
    head = ["parameter", "pull", "constraint", "down", "up", "held_down", "held_up", "shift", "held"]
    return Drawn(figures, head, rows, impacts_picture(record))


def finished(drawn: Drawn, path: Path, output: Sequence[str]) -> Figures:
    """Write tables and pictures. Gives the figures with all files."""
    for place in output:
        write_drawn(place, drawn)
    return drawn.figures | {"result": str(path), "output": list(output)}
