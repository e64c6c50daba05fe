"""Damaged cards: every line and byte lost, doubled, swapped or another, values of other types and sizes.

Each is refused with a message that names the file, or read as a strict reader reads it: what is written, digit by
digit, and defaults for what is not there. The strict reader here knows nothing of sbitune's: PyYAML's `BaseLoader`,
which takes every scalar for text, and the notation of numbers of YAML 1.2.
"""

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.tuning.card import LoadedCard, load_card
from sbitune.tuning.tools.sampling import design_of_card

CARD = """\
title: "a toy: at the Z"
generator:
  kind: command
  command: ./run {a:x} {b} {SEED} && cp out.yoda {CARD}
  templates: [run.in]
  output: out.yoda
parameters:
  a:x: {low: 0.5, high: 2.0e+0, default: 1, unit: GeV}
  b: {low: -1.25, high: 1e1, bias: x + 2*x}
scan: {runs: 12, events: 100, seed: 4, time_limit: 60.5, bad_runs: drop}
observables:
  /TOY/d0[12]-x01: 1   # a comment
  /TOY/d03@0.5:1: 2.5
surrogate: {kind: polynomial, order: auto, components: no}
fit: {starts: 3, limits: {b: [0, 1]}, fixed: {a:x: 0.75}, minos: false, theory_error: {/TOY: fitted}}
validation:
  events: 500
"""
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
WORDS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
#: what may stand in place of a value
OTHERS = [
    "", "~", "null", "true", "off", "0", "-0", "-1", "1", "1.5", "010", "0o10", "0x10", "0b1", "1_0", "1:30", "1:30.5",
    ".5", "5.", "1e2", "1e999", "-1e999", ".inf", ".nan", "9" * 18, "9" * 40, "9" * 5000, "1" + 30 * "0", "'1'",
    '"\\ud83d"', '"\\0"', '"a\\nb"', "[]", "[1]", "[[1]]", "{}", "{a: 1}", "{a: {b: {c: 1}}}", "text", "x" * 100_000,
    "!!int 1", "!!python/none", "&x 1", "*x", "2026-01-01", "٣", "1,5", "1 5", "?", "-", "|", "> a", "%", "@a", "`a`",
    "[" * 1000,
]  # fmt: skip


def strictly(node: yaml.Node) -> Any:
    """A tree of nodes as dictionaries, lists and (text, whether it is quoted); nothing twice."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        assert max(Counter(keys).values(), default=1) == 1, f"{keys}: twice"
        return {key.value: strictly(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [strictly(item) for item in node.value]
    return node.value, node.style is not None


def agrees(value: Any, written: Any) -> bool:
    """Whether a value of a card is what is written."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value) | {"kind": value.__struct_config__.tag}
        return isinstance(written, dict) and agrees(fields, written)
    if isinstance(written, dict):
        return isinstance(value, dict) and all(key in value and agrees(value[key], written[key]) for key in written)
    if isinstance(written, list):
        return isinstance(value, list | tuple) and list(map(agrees, value, written)) == [True] * len(written)
    text, quoted = written
    if isinstance(value, str):
        return value == text
    if quoted:
        return False
    if value is None:
        return text in ("", "~", "null", "Null", "NULL")
    if isinstance(value, bool):
        return WORDS.get(text.lower()) is value
    if isinstance(value, int):
        return WHOLE.fullmatch(text) is not None and int(text) == value
    return isinstance(value, float) and NUMBER.fullmatch(text) is not None and float(text) == value


def defaults_hold(section: Any, written: Any) -> bool:
    """Whether everything that is not written has its default."""
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if field.name not in written:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            if value != default:
                return False
        elif isinstance(value, msgspec.Struct) and not defaults_hold(value, written[field.name]):
            return False
    return all(defaults_hold(p, written["parameters"][name]) for name, p in getattr(section, "parameters", {}).items())


def read(content: bytes, directory: Path) -> LoadedCard | None:
    """Read a card as `sbitune sample` does; None if it is refused, which takes no time and names the file."""
    path = directory / "card.yaml"
    path.write_bytes(content)
    start, refused = time.process_time(), ""
    try:
        loaded = load_card(path)
        design_of_card(loaded)
    except InputError as error:
        refused = str(error)
    assert time.process_time() - start < 20, content[:2000]  # what is left unguarded takes minutes
    if not refused:
        return loaded
    assert str(path) in refused
    assert len(refused) < 1000 + 3 * len(str(path))
    return None


def judge(content: bytes, directory: Path) -> bool:
    """Read a card and compare it with what is written; whether it was read."""
    loaded = read(content, directory)
    if loaded is None:
        return False
    root = yaml.compose(content.decode(), Loader=yaml.BaseLoader)
    assert root is not None
    written = strictly(root)
    assert agrees(loaded.card, written), content
    assert defaults_hold(loaded.card, written), content
    return True


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("damaged")
    (directory / "run.in").write_text("{b}\n")
    return directory


def test_the_sound_card_is_read(place):
    assert judge(CARD.encode(), place)
    with pytest.raises(AssertionError):  # the judge is one
        assert agrees({"a": 8}, {"a": ("010", False)})


LINES = CARD.splitlines(keepends=True)
BYTES = CARD.encode()


def lines_damaged() -> list[bytes]:
    """Every line lost, doubled, swapped with the next, cut, indented, joined with the next."""
    found = []
    for i, line in enumerate(LINES):
        before, after = LINES[:i], LINES[i + 1 :]
        swapped = [*after[:1], line, *after[1:]]
        changed = ([], [line, line], [line[: len(line) // 2] + "\n"], [" " + line], [line.rstrip("\n")])
        found += ["".join([*before, *some, *after]) for some in changed] + ["".join([*before, *swapped])]
        found.append("".join(before))
    return [text.encode() for text in found]


def values_damaged() -> list[bytes]:
    """Every value that another may stand for."""
    places = [m.span(1) for m in re.finditer(r": +([^\s{}\[\],#]+|\"[^\"]*\"|\[[^\]]*\])(?=[\s,}])", CARD)]
    assert len(places) > 25
    return [f"{CARD[:a]}{other}{CARD[b:]}".encode() for a, b in places for other in OTHERS]


def one_byte(place: int, how: str, other: int) -> bytes:
    head, byte, tail = BYTES[:place], BYTES[place : place + 1], BYTES[place + 1 :]
    new = {"lost": b"", "doubled": byte * 2, "other": bytes([other]), "more": byte + bytes([other])}
    if how == "swapped":
        return head + tail[:1] + byte + tail[1:]
    return head + new[how] + tail


bytes_damaged = st.builds(
    one_byte,
    st.integers(0, len(BYTES) - 1),
    st.sampled_from(["lost", "doubled", "swapped", "other", "more"]),
    st.sampled_from(sorted(b"0123456789_:.-+eExo \t\n\r#[]{},&*!|>'\"%@`?~\x00\x1b\x85\xc2\xff")) | st.integers(0, 255),
)


def test_lines(place):
    read = [judge(content, place) for content in lines_damaged()]
    assert any(read)
    assert not all(read)


@settings(max_examples=250, deadline=None)
@given(content=bytes_damaged)
def test_bytes(place, content):
    judge(content, place)


@settings(max_examples=150, deadline=None)
@given(content=st.sampled_from(values_damaged()))
def test_values(place, content):
    judge(content, place)


@settings(max_examples=100, deadline=None)
@given(first=bytes_damaged, cut=st.integers(0, len(BYTES)), again=st.integers(0, len(BYTES)))
def test_pieces_of_cards(place, first, cut, again):
    """The beginning of one and the end of another."""
    judge(first[:cut] + BYTES[again:], place)


@pytest.mark.slow
def test_every_value(place):
    for content in values_damaged()[::2]:
        judge(content, place)


@pytest.mark.slow
def test_every_byte(place):
    for i in range(len(BYTES)):
        for how in ("lost", "doubled", "swapped"):
            judge(one_byte(i, how, 0), place)
        judge(one_byte(i, "other", b"0_:.-e #[}'*\x00\xff"[i % 14]), place)
