"""Damaged HepMC: every line and byte lost, doubled, swapped, another, words lost and others.

A file is refused with one message that begins with its path, or read as it stands there: the particles of every event
are those of its P lines.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.hepmctexts import hepmc2, hepmc3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.generators.eventfiles import EventFile
from sbitune.generators.hepmc.lines import EventText, fault_in

pytest.importorskip("pyhepmc")
TEXTS = {
    "2": hepmc2().encode(),
    "3": hepmc3(("MUR2", "Default"), (0.5, 2.0), ((100, 1), (200, 3))).encode(),
}
WORDS = [
    b"nan",
    b"inf",
    b"1_2",
    b"",
    b"x",
    b"-1",
    b"0",
    b"2",
    b"1.5",
    b"1d1",
    b"0x10",
    b"9" * 20,
    b"1e400",
    b"\xff",
    b"[1]",
]


def damaged(draw: Any, text: bytes) -> bytes:
    way = draw(st.sampled_from(["lost", "doubled", "swapped", "word", "word lost", "word twice", "bytes", "cut"]))
    if way in ("bytes", "cut"):
        at = draw(st.integers(0, len(text) - 1))
        byte = text[at : at + 1]
        middle = draw(st.sampled_from([b"", byte * 2, bytes([byte[0] ^ (1 << draw(st.integers(0, 7)))])]))
        return text[:at] + (middle + text[at + 1 :] if way == "bytes" else b"")
    lines = text.split(b"\n")
    at = draw(st.integers(0, len(lines) - 3))
    if way == "lost":
        del lines[at]
    elif way == "doubled":
        lines.insert(at, lines[at])
    elif way == "swapped":
        other = draw(st.integers(0, len(lines) - 3))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        words = lines[at].split(b" ")
        place = draw(st.integers(0, len(words) - 1))
        new = {"word": [draw(st.sampled_from(WORDS))], "word lost": [], "word twice": words[place : place + 1] * 2}[way]
        lines[at] = b" ".join(words[:place] + new + words[place + 1 :])
    return b"\n".join(lines)


def particles(text: bytes, momentum: int) -> list[list[tuple[float, ...]]]:
    """(code, px, py, pz, E) of the P lines of every event, sorted; `momentum` is the place of px."""
    events: list[list[tuple[float, ...]]] = []
    for line in text.split(b"\n"):
        words = line.split()
        if line.startswith(b"E "):
            events.append([])
        elif line.startswith(b"P "):
            numbers = (float(word) for word in words[momentum : momentum + 4])
            events[-1].append((int(words[momentum - 1]), *numbers))
    return [sorted(event) for event in events]


def check(kind: str, text: bytes, path: Path) -> None:
    path.write_bytes(text)
    try:
        batches = list(EventFile(path).batches())
    except InputError as error:
        said = str(error)
    else:
        found = []
        for batch in batches:
            for first, last in zip(batch.offsets, batch.offsets[1:], strict=False):
                mine = slice(first + 1, last)
                columns = (batch.id[mine], batch.px[mine], batch.py[mine], batch.pz[mine], batch.e[mine])
                found.append(sorted(zip(*(column.tolist() for column in columns), strict=True)))
        expected = particles(text, 3 if kind == "2" else 4)
        scale = 1e-3 if b"U MEV" in text else 1.0
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, [(row[0], *(scale * x for x in row[1:])) for row in theirs], rtol=1e-12)
        return
    assert said.startswith(str(path)), said
    assert len(said) < len(str(path)) + 700


def try_files(kind: str, place: Path, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attempt(data: Any) -> None:
        check(kind, damaged(data.draw, TEXTS[kind]), place / "events.hepmc")

    attempt()


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_damaged_is_refused_or_read_as_it_is(kind, tmp_path):
    try_files(kind, tmp_path, 4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXTS)
def test_much_that_is_damaged_is_refused_or_read_as_it_is(kind, tmp_path):
    try_files(kind, tmp_path, 40)


def handed_on(text: bytes, size: int, hepmc2: bool) -> tuple[bytes, EventText, list[bytes]]:
    """What reaches pyhepmc of a text that comes in parts."""
    seen: list[bytes] = []
    events = EventText(hepmc2, seen.append)
    given = b"".join(events.add(text[at : at + size]) for at in range(0, len(text), size)) + events.end()
    return given, events, seen


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("size", [1, 7, 64, 5000])
def test_a_sound_text_is_handed_on_whole(kind, size):
    given, events, seen = handed_on(TEXTS[kind], size, kind == "2")
    assert given == TEXTS[kind]
    assert events.fault is None
    assert (len(seen), events.events) == (3, 3)
    windows = TEXTS[kind].replace(b"\n", b"\r\n")
    assert handed_on(windows, size, kind == "2")[0] == windows


@pytest.mark.parametrize(
    ("kind", "old", "new", "line", "said"),
    [
        ("2", b"P 10004 -211 -10.0", b"P 10004 -211 -10..0", 11, "is no line of HepMC 2 events: 'P 10004"),
        ("2", b"P 10004 -211 -10.0", b"P 10004 -211 -1_0.0", 11, "is no line"),
        ("2", b"V -1 0 0 0 0 0 2 4 0", b"V -1 0 0 0 0 0 2 3 0", 3, "vertex 1 has 6 particles, announced are 5"),
        ("2", b"E 0 0 0 0 0 0 0 1 ", b"E 0 0 0 0 0 0 0 2 ", 3, "of 2 vertices that has 1"),
        ("3", b"E 0 1 6", b"E 0 1 7", 4, "of 7 particles that has 6"),
        ("3", b"V -1 0 [1,2]", b"V -1 0 [1,9]", 4, "in which 9 is no particle"),
        ("3", b"P 5 -1 211", b"P 5 -3 211", 4, "in which -3 is no particle and no vertex"),
        ("3", b"P 5 -1 211", b"P 4 -1 211", 4, "not numbered one by one"),
        ("3", b"GenCrossSection 100 1", b"GenCrossSection 100 1x", 7, "is no line of HepMC 3 events"),
    ],
)
def test_a_fault_is_named_with_its_line(kind, old, new, line, said, tmp_path):
    text = TEXTS[kind].replace(old, new, 1)
    given, events, _ = handed_on(text, 64, kind == "2")
    assert events.fault is not None
    assert events.fault[:2] == (0, line)
    assert said in events.fault[2]
    assert b"\nP" not in given  # nothing of a faulty event reaches the library


def test_particles_that_no_vertex_makes_are_sound():
    """Of HepMC 3, a vertex of one particle without a position has no line of its own."""
    text = b"E 0 2 3 @ 0 0 0 1e-3\nU GEV MM\nW\nP 1 0 11 0 0 1 1 0 4\nP 2 1 11 0 0 1 1 0 2\nP 3 2 11 0 0 1 1 0 1\n"
    assert fault_in(text, hepmc2=False) is None
    assert fault_in(text.replace(b"P 3 2", b"P 3 4"), hepmc2=False) is not None
