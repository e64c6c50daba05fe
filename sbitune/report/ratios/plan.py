"""`plan.html`: what a fit of events can expect before there are data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.plots.ratios import plot_column_worths
from sbitune.plots.style import to_svg
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.planning.plan import PlanRecord, PointRecord, make_plan, plan_path
from sbitune.report.pieces.numbers import rounded
from sbitune.report.pieces.origins import provenance_table
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parts import Figure, Figures, Navigation, Paragraph, Section, table


def plan_card(loaded: RatiosCardFile, points: Sequence[str], columns: bool, reporter: Reporter) -> dict[str, Any]:
    """What is expected of a card, for `sbitune plan`; writes `plan.yaml` and `plan.html`."""
    record = make_plan(loaded, points, columns, reporter)
    page = write_plan(record, loaded.output("plan.html"))
    figures = {
        "points": [{"at": p.at, "errors": p.errors, "ratio_errors": p.ratio_errors} for p in record.points],
        "all_columns": record.all_columns,
        "columns": {row.column: {"without": row.without, "alone": row.alone} for row in record.columns},
    }
    return figures | {"result": str(plan_path(loaded)), "report": str(page)}


def write_plan(record: PlanRecord, path: Path) -> Path:
    """Write the page of a plan. Gives the path."""
    sections = [_point(i, point) for i, point in enumerate(record.points)]
    sections += _columns(record)
    sections.append(Section("origin", "Origin", [provenance_table(record.provenance)]))
    words = (
        "Errors that are expected before there are data: those of an Asimov data set, in which every simulated event "
        "counts as often as it is expected, and every auxiliary measurement is where its parameter is."
    )
    notes = [Paragraph(note, "warning") for note in dict.fromkeys(n for point in record.points for n in point.notes)]
    write_page(path, f"{record.title}: plan", [Paragraph(words), *notes, Navigation(sections), *sections])
    return path


def _point(i: int, point: PointRecord) -> Section:
    rows = []
    for name, error in point.errors.items():
        of_ratios = point.ratio_errors[name]
        sizes = (error, of_ratios, float(np.hypot(error, of_ratios)))
        rows.append((name, f"{point.at[name]:g}", *(f"± {rounded(size, error)}" for size in sizes)))
    head = ["parameter", "value", "from the data", "from the ratios", "both"]
    places = ", ".join(f"{name} = {point.at[name]:g}" for name in list(point.errors)[:3])
    return Section(f"expected-{i}", f"Expected errors: {places}", [table(head, rows, range(1, 5))])


def _columns(record: PlanRecord) -> list[Section]:
    if not record.columns:
        return []
    words = (
        "Errors expected from the data without a column, and of a column alone, by small networks that were trained "
        "anew for each; beside them that of all columns by the same networks; all at the first parameters above."
    )
    parts: list[Any] = [Paragraph(words)]
    figures = []
    for name, every in record.all_columns.items():
        rows = [("all", f"± {rounded(every, every)}", "", "")]
        for row in record.columns:
            without = "" if row.without is None else f"± {rounded(row.without[name], every)}"
            more = "" if row.without is None else f"{100 * (row.without[name] / every - 1):+.0f} %"
            rows.append((row.column, without, more, f"± {rounded(row.alone[name], every)}"))
        parts.append(table([f"column, for {name}", "error without it", "more", "error of it alone"], rows, (1, 2, 3)))
        drawn = [(r.column, None if r.without is None else r.without[name], r.alone[name]) for r in record.columns]
        figures.append(Figure(to_svg(plot_column_worths(drawn, every, name))))
    return [Section("columns", "Columns", [*parts, Figures(figures)])]
