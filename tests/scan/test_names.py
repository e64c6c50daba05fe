"""Names that nobody sees whole, or that are read as numbers, are refused alike in every format."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.faults import refused as refused_with

from sbitune.cli.main import main
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.formats.parameters import (
    read_limits,
    read_points,
    read_values,
    write_limits,
    write_points,
    write_values,
)
from sbitune.data.formats.selection import read_weights
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.card import load_card

IPOL = """DataFormat: binned 2
ParamNames: NAME b
Dimension: 2
---
/A/d01#0 0 1
  val: 2 1 1 2 3
"""
CARD = """title: t
generator: {kind: command, command: "echo {b} {SEED}", output: o.yoda}
parameters:
  "NAME": {low: 0, high: 1}
scan: {runs: 4, events: 10}
"""
#: character that is not seen, by its name
UNSEEN = {
    "control": "\x01",
    "next line": "\x85",
    "soft hyphen": "\u00ad",
    "no-break space": "\u00a0",
    "thin space": "\u2009",
    "ideographic space": "\u3000",
    "zero width space": "\u200b",
    "zero width joiner": "\u200d",
    "right to left": "\u202e",
    "left to right mark": "\u200e",
    "line separator": "\u2028",
    "byte order mark": "\ufeff",
    "filler": "\u3164",
    "variant": "\ufe0f",
}


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _npz(path: Path, name: str) -> Path:
    """A scan whose header names a parameter so: the name is put there behind the back of `Scan`."""
    bins = Bins(np.array(["/A/d01"]), np.array([0]), np.array([0.0]), np.array([1.0]))
    runs = ("0", "1")
    Scan((Parameter("P", 0, 1),), np.array([[0.0], [1.0]]), np.ones((2, 1)), np.ones((2, 1)), bins, runs).save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["meta"]))
    meta["parameters"][0][0] = name
    np.savez(path, allow_pickle=False, **(arrays | {"meta": np.array(json.dumps(meta))}))
    return path


READERS: dict[str, Callable[[Path, str], Any]] = {
    "params.dat": lambda path, name: read_values(_written(path, f"b 1\n{name} 0.5\n")),
    "limits": lambda path, name: read_limits(_written(path, f"b 1\n{name} 0.5 1\n")),
    "points": lambda path, name: read_points(_written(path, f"{name} b\n0.5 1\n")),
    "ipol.dat": lambda path, name: read_ipol(_written(path, IPOL.replace("NAME", name))),
    "scan.npz": lambda path, name: Scan.load(_npz(path, name)),
    "card.yaml": lambda path, name: load_card(
        _written(path, CARD.replace("NAME", name if name.isascii() and name.isprintable() else json.dumps(name)[1:-1]))
    ),
}


@pytest.mark.parametrize("name", ["nan", "NaN", "-nan", "inf", "+Inf", "-INFINITY"])
@pytest.mark.parametrize("file", READERS)
def test_a_number_that_is_none_is_no_name(tmp_path, file, name):
    with pytest.raises(InputError) as refused:
        READERS[file](tmp_path / file, name)
    said = str(refused.value)
    assert re.match(rf"{re.escape(str(tmp_path / file))}\b", said)
    assert f"expected the name of a parameter, found the number '{name}'; rename it" in said


@pytest.mark.parametrize("letter", UNSEEN.values(), ids=UNSEEN.keys())
@pytest.mark.parametrize("file", READERS)
def test_a_character_that_is_not_seen_is_named(tmp_path, file, letter):
    with pytest.raises(InputError) as refused:
        READERS[file](tmp_path / file, f"a{letter}b")
    said = str(refused.value)
    assert re.match(rf"{re.escape(str(tmp_path / file))}\b", said)
    if file in ("scan.npz", "card.yaml") or letter not in "\x01\x85\u2028\ufeff":
        assert f"a line break, or another character that is not seen, in a name: {letter!a}; rename it" in said
    else:  # no line of a text of numbers and names has these, wherever they stand
        assert f"the character {letter!r} does not belong into a" in said


@pytest.mark.parametrize("file", READERS)
def test_names_that_are_seen_are_read(tmp_path, file):
    for name in ("info", "nano", "Infinity:x", "ΛQCD", "Längenmaß", "日本"):
        if file == "card.yaml":
            assert list(READERS[file](tmp_path / file, name).card.parameters) == [json.loads(f'"{name}"')]
        else:
            READERS[file](tmp_path / file, name)


@pytest.mark.parametrize("letter", ["\u200b", "\u00a0", "\u202e"])
def test_a_selector_with_a_character_that_is_not_seen(tmp_path, letter):
    with pytest.raises(InputError, match=r"w:2: word '/A/d.*': a line break, or another character that is not seen"):
        read_weights(_written(tmp_path / "w", f"/A/d01 1\n/A/d{letter}02 1\n"))
    with pytest.raises(InputError, match=r"w:1: word .*not seen"):  # is it a blank, or of the name?
        read_weights(_written(tmp_path / "w", f"/A/d01{letter}2\n"))
    card = CARD.replace("NAME", "b") + f'observables:\n  "/A{json.dumps(letter)[1:-1]}": 1\n'
    with pytest.raises(InputError, match=r"card.yaml:7: key '/A.*': a line break, or another character"):
        load_card(_written(tmp_path / "card.yaml", card))
    assert read_weights(_written(tmp_path / "w", "/A/d01\t1 # Gl\u00fcck\u00a0auf\u200b\n"))[0].weight == 1.0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("my par", "name-blank"),
        ("a#b", "name-blank"),
        ("5", "name-number"),
        ("010", "name-number"),
        ("1_0", "name-number"),
        ("nan", "name-number"),
        ("a\u200bb", "name-odd-character"),
        ("", "name-empty"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, name, code):
    for write in (
        lambda path: write_values(path, {name: 1.0}),
        lambda path: write_limits(path, {name: (0.0, 1.0)}),
        lambda path: write_points(path, [name], np.ones((1, 1))),
    ):
        with refused_with(code):
            write(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_the_command_line_says_it_in_one_line(tmp_path):
    limits = _written(tmp_path / "limits.dat", "a\u200bb 0.5 1\n")
    for arguments in (
        ["ls", str(limits)],
        ["sample", str(limits), "-o", str(tmp_path / "o")],
    ):
        ran = CliRunner().invoke(main, arguments)
        assert ran.exit_code == 2, ran.output
        assert "limits.dat:1: word 'a\\u200bb': a line break, or another character" in ran.output
        assert ran.output.count("\n") == 1
