"""Pieces of a page: what stands in records is text, and what a template misses is an error."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import jinja2
import numpy as np
import pytest

import sbitune.report.pieces
from sbitune.data.checks.examination import Finding
from sbitune.plots.frames import Box, Frame
from sbitune.report.pieces.coverage import coverage_in_words, coverage_table
from sbitune.report.pieces.findings import findings_section
from sbitune.report.pieces.live import Button, Key, LiveFigure, LiveView, Mark, Row, Slider, Step, digits, encode
from sbitune.report.pieces.page import is_made_of, page, write_page
from sbitune.report.pieces.parts import (
    Cell,
    Figure,
    Figures,
    Items,
    Navigation,
    Paragraph,
    Preformatted,
    Section,
    Table,
    table,
)
from sbitune.report.pieces.templates import Part, render
from sbitune.report.pieces.verdicts import verdict_paragraphs
from sbitune.workflow.results.checks import Verdict

#: ends attributes, elements, scripts, comments and styles, and begins what templates hold
EVIL = "'\"--></script></style></title></svg><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}&amp;"


class Reader(HTMLParser):
    """Elements, texts and values of attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [value for _, value in attrs if value]

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.comments.append(data)


def every_part() -> list[Part]:
    """One of each, of hostile text alone."""
    frame = Frame("<svg></svg>", 300.0, 200.0, (Box(0, 0, 1, 1, (0, 1), (0, 1), False, False),))
    view = LiveView(
        data={"words": EVIL},
        bins=3,
        weighted=EVIL,
        change=EVIL,
        keys=[Key(EVIL, EVIL)],
        colours={"moved": EVIL},
        buttons=[Button(EVIL, "best"), Button(EVIL, "default", EVIL)],
        sliders=[Slider(EVIL, EVIL, 0.5, 1e-3, [Step(-1, EVIL), Step(1, EVIL, True)], [Mark("error", 1 / 3, 2.0)])],
        rows=[Row(EVIL, EVIL, EVIL)],
        single=frame,
        figures=[LiveFigure(0, EVIL, 2, frame)],
    )
    sections = [
        Section(EVIL, EVIL, [table([EVIL, EVIL], [[EVIL, (EVIL, EVIL)]], [1]), Items([EVIL]), Preformatted(EVIL)]),
        Section("figures", "Figures", [Figures([Figure("<svg></svg>", EVIL, EVIL)]), view]),
    ]
    return [*verdict_paragraphs(Verdict(False, EVIL), [EVIL]), Navigation(sections), *sections]


def test_whatever_stands_in_a_part_is_text():
    read = Reader(page(EVIL, every_part(), EVIL))
    assert "img" not in read.tags
    assert read.tags.count("script") == 2
    assert read.tags.count("svg") == 5
    said = [text for text in read.texts if EVIL in text]
    # title and heading, verdict and warning, a section with table, list and text, a figure, the live view
    assert len(said) == 2 + 2 + 1 + 4 + 2 + 1 + 6
    assert EVIL.replace("-", " ") in read.texts  # the link to the section
    # links and anchors 3, classes 2, colours 2, titles 9
    assert sum(EVIL in value for value in read.values) == 16
    assert not [words for words in read.comments if "<" in words or ">" in words]


def test_a_column_that_says_nothing_is_left_out():
    rows = [("a", 1, "", ("", "bad")), ("b", 2, "", ("x", "good"))]
    text = page("", [table(["name", "n", "nothing", "last"], iter(rows), [1, 2])])
    assert re.findall(r"<th[^>]*>(\w+)", text) == ["name", "n", "last"]
    assert text.count("<td") == 6
    assert '<td class="number">2</td><td class="good">x</td>' in text
    # of a table without rows the head is all there is
    assert table(["name", "n"], []).head == [Cell("name"), Cell("n")]
    assert table(["n"], [[(1, "path")]], [0]).rows == [[Cell(1, "number path")]]


def test_a_verdict_is_a_sentence_that_is_good_or_bad():
    assert verdict_paragraphs(Verdict(True, "no check speaks against it")) == [
        Paragraph("No check speaks against it.", "verdict")
    ]
    bad = verdict_paragraphs(Verdict(False, "read with care"), ["off by 3"])
    assert bad == [Paragraph("Read with care.", "verdict bad"), Paragraph("Off by 3.", "warning")]
    assert verdict_paragraphs(Verdict(True, ""), []) == []


def test_findings_are_rows_with_some_of_their_places():
    many = Finding("kind", "runs of a kind", tuple(f"run{i}" for i in range(15)), "left out")
    [section] = findings_section([many])
    [shown] = section.parts
    assert isinstance(shown, Table)
    what, where, done = (cell.words for cell in shown.rows[0])
    assert (what, done) == ("Runs of a kind", "left out")
    assert str(where).endswith("run11 and 3 more")
    assert findings_section([]) == []


def test_coverage_says_what_limits_change():
    one = {"bias": 0.04, "bias_error": 0.1, "pull_width": 1.1, "pull_width_error": 0.07, "coverage68": 0.63}
    figures = {"coverage68": 0.63, "coverage68_error": 0.05, "coverage95": 0.94, "coverage95_error": 0.02}
    figures |= {"pull_width": 1.1, "failed": 2, "parameters": {"a": one | {"coverage95": 0.94}}}
    words = (
        "68 % intervals hold the truth in 63.0 +- 5.0 %, 95 % intervals in 94.0 +- 2.0 % of cases; "
        "(fitted - true) / error has a width of 1.10. 2 fits failed."
    )
    assert coverage_in_words(figures) == words
    assert coverage_in_words(figures | {"quoted68": 0.63, "quoted95": 0.94}) == words
    limited = coverage_in_words(figures | {"quoted68": 0.58, "quoted95": 0.94})
    assert limited.endswith("those that are quoted hold the truth in 58.0 and 94.0 %.")
    row = [cell.words for cell in coverage_table(figures).rows[0]]
    assert row == ["a", "+0.04 ± 0.10", "1.10 ± 0.07", "63 %", "94 %"]


@dataclass(frozen=True)
class Faulty:
    template: ClassVar[str] = "pieces/paragraph.html"


def test_what_a_template_misses_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="has no attribute 'kind'"):
        page("", [Faulty()])
    with pytest.raises(jinja2.UndefinedError, match="'title' is undefined"):
        render("pieces/page.html")


def test_pages_of_other_results_are_told_apart(tmp_path):
    write_page(tmp_path / "page.html", "Title", [Paragraph("words")], "abc <def>")
    assert is_made_of(tmp_path / "page.html", "abc <def>")
    assert not is_made_of(tmp_path / "page.html", "abc")
    assert "<h1>Title</h1>\n<p>words</p>" in (tmp_path / "page.html").read_text()
    assert "<!--" not in page("Title", [])


def test_numbers_of_the_live_view():
    assert encode(np.array([1.0, -2.0]), "<f4") == "AACAPwAAAMA="
    assert [digits(span) for span in (0.5, 20.0, 1e9)] == [4, 2, 0]


def test_the_pieces_name_no_family():
    words = re.compile(r"tun(?:e|ed|ing)\b(?<!sbitune)|surrogate|generator|\bcards?\b", re.IGNORECASE)
    for path in Path(sbitune.report.pieces.__file__).parent.iterdir():
        if path.is_file():
            found = words.findall(path.read_text(encoding="utf-8"))
            assert not found, f"{path.name}: {found}"
