"""Limits, belts and impacts: their pictures, and sections of a page for those of its fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sbitune.plots.hypotheses import plot_belt, plot_impacts, plot_scan
from sbitune.plots.style import to_svg
from sbitune.report.beside.links import of_another_fit
from sbitune.report.pieces.parts import Figure, Figures, Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.workflow.cards.cardfile import CardFile
from sbitune.workflow.results.hypotheses import (
    BeltRecord,
    HypothesisRecord,
    ImpactsRecord,
    LimitRecord,
    place_of,
    read_hypothesis,
)

#: fluctuations of the background, in the order of records
BANDS = ("-2", "-1", "0", "+1", "+2")


def limit_picture(record: LimitRecord) -> Any:
    """CLs along the parameter."""
    tests = [t for t in record.tests if t.value > 0]
    return plot_scan(
        [t.value for t in tests],
        [t.cls if record.method == "CLs" else t.p_signal for t in tests],
        [t.expected for t in tests],
        1 - record.level,
        (record.observed, record.expected[2]),
        record.parameter,
        record.method,
        [t.error or 0.0 for t in tests] if record.toys else None,
    )


def belt_picture(record: BeltRecord) -> Any:
    """The belt with the interval of the data."""
    return plot_belt(
        record.parameter, record.points, record.accepted, record.best, record.intervals, record.level
    )  # fmt: skip


def impacts_picture(record: ImpactsRecord) -> Any:
    """Pulls and shifts, the largest on top."""
    rows = record.rows
    down, up = zip(*(r.refitted or (-r.shift, r.shift) for r in rows), strict=True)
    pulls, constraints = [r.pull for r in rows], [r.constraint for r in rows]
    return plot_impacts(record.parameter, [r.parameter for r in rows], pulls, constraints, down, up)


def limit_in_words(record: LimitRecord) -> str:
    """The limit and the significance in two sentences."""
    spread = "" if record.observed_error is None else f" ± {record.observed_error:.2g}"
    by = f"{record.toys:,} toys of each kind at every value" if record.toys else "the asymptotic formulae"
    p_spread = "" if record.p0_error is None else f" ± {record.p0_error:.2g}"
    wanted = f"; {record.asymptotic_significance:.2f} by the asymptotic formula" if record.toys else ""
    if record.expected_significance is not None:
        wanted += f"; {record.expected_significance:.2f} are expected of a signal of nominal strength"
    return (
        f"{record.parameter} < {record.observed:.4g}{spread} at {100 * record.level:g} % ({record.method}), by {by}. A "
        f"signal has the significance {record.significance:.2f} (p0 = {record.p0:.3g}{p_spread}){wanted}."
    )


def belt_in_words(record: BeltRecord) -> str:
    """The interval of the data in a sentence."""
    parts = " and ".join(f"[{low:.4g}, {high:.4g}]" for low, high in record.intervals)
    return (
        f"{record.parameter} is in {parts} at {100 * record.level:.4g} %, with the ordering of Feldman and Cousins by "
        f"{record.toys:,} toys at each of {len(record.points)} values."
    )


def _limit(record: LimitRecord) -> list[Part]:
    rows = [(band, f"{x:.4g}") for band, x in zip(BANDS, record.expected, strict=True)]
    words = f"{record.method} along {record.parameter}, and where the background fluctuates by one and two errors."
    figure = Figure(to_svg(limit_picture(record)), words)
    head = ["fluctuation of the background / errors", "expected limit"]
    return [Paragraph(limit_in_words(record)), table(head, rows, (0, 1)), Figures([figure])]


def _belt(record: BeltRecord) -> list[Part]:
    words = "Fitted values that are accepted at every true one; the interval is read off at the value of the data."
    return [Paragraph(belt_in_words(record)), Figures([Figure(to_svg(belt_picture(record)), words)])]


def _impacts(record: ImpactsRecord) -> list[Part]:
    words = (
        f"{record.parameter} = {record.best:.4g} ± {record.error:.2g}; the data alone leave "
        f"± {record.statistical:.2g}. A shift is what the result does where an auxiliary measurement moves by its "
        "error; squares of shifts and of what the data leave add up to the variance. Held: the parameter itself is one "
        "fitted error off. Constraint: error of the fit over that of the measurement."
    )
    rows = [
        (r.parameter, f"{r.pull:+.2f}", f"{r.constraint:.2f}", *_moved(r.shift, r.refitted), *_moved(r.held, r.reheld))
        for r in record.rows
    ]
    head = ["measurement of", "pull", "constraint", "shift, down", "up", "held, down", "up"]
    figure = Figure(to_svg(impacts_picture(record)), "Pulls, and shifts of the result.", "single")
    return [Paragraph(words), table(head, rows, range(1, 7)), figure]


def _moved(linear: float, fitted: tuple[float, float] | None) -> tuple[str, str]:
    down, up = fitted or (-linear, linear)
    return f"{down:+.3g}", f"{up:+.3g}"


#: kind of record, title of its section, and what stands there
_KINDS: tuple[tuple[type[HypothesisRecord], str, Callable[[Any], list[Part]]], ...] = (
    (LimitRecord, "Limit", _limit),
    (BeltRecord, "Confidence belt", _belt),
    (ImpactsRecord, "Impacts", _impacts),
)


def hypothesis_sections(loaded: CardFile[Any], names: Sequence[str], made_of: Mapping[str, str]) -> list[Section]:
    """A section for every limit, belt and table of impacts that lies beside a card and is of this fit, and a sentence
    in place of those of another.

    Raises `InputError` for files that were not written so.
    """
    found = []
    for kind, title, parts in _KINDS:
        for name in names:
            record = read_hypothesis(loaded, kind, name)
            if record is None or record.parameter != name:
                continue
            if record.made_of == dict(made_of):
                content: list[Part] = [*(Paragraph(note, "warning") for note in record.notes), *parts(record)]
            else:
                content = [of_another_fit(place_of(loaded, kind.verb, name).name, f"{kind.verb} ... {name}")]
            found.append(Section(f"{kind.verb}-{name}", f"{title}: {name}", content))
    return found
