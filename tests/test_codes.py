"""Codes of faults: each is listed once in the package that has it, raised somewhere, and asked for by a test."""

import ast
import functools
import importlib
import pickle
import re
from pathlib import Path

import pytest

from sbitune.data import codes as of_data
from sbitune.data.checks.examination import Finding
from sbitune.data.errors import ArgumentError, ComputationError, InputError, from_section, naming, naming_file
from sbitune.data.yoda.text.blocks import FaultyObjectError

ROOT = Path(__file__).resolve().parents[1]
REGISTRIES = sorted((ROOT / "sbitune").glob("*/codes.py"))


def registered() -> list[str]:
    return [code for path in REGISTRIES for code in importlib.import_module(f"sbitune.{path.parent.name}.codes").CODES]


@functools.cache
def nodes() -> list[ast.AST]:
    """Everything that stands in the package, but for the registries."""
    paths = [path for path in (ROOT / "sbitune").rglob("*.py") if path.name != "codes.py"]
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]


def words_of_the_package() -> set[str]:
    return {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_code_is_listed_once():
    assert len(registered()) > 100
    assert len(set(registered())) == len(registered())
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", code) for code in registered())


def test_every_code_that_is_used_is_listed_and_every_listed_one_is_used():
    named = [node.value for node in nodes() if isinstance(node, ast.keyword) and node.arg == "code"]
    used = {value.value for value in named if isinstance(value, ast.Constant)}
    assert used - set(registered()) == set()
    assert set(registered()) - words_of_the_package() == set()


def test_kinds_of_findings_are_listed_and_used():
    assert set(of_data.FINDINGS) - words_of_the_package() == set()
    calls = [node for node in nodes() if isinstance(node, ast.Call) and node.args]
    first = [call.args[0] for call in calls if getattr(call.func, "id", "") in (Finding.__name__, "add")]
    given = {word.value for word in first if isinstance(word, ast.Constant)}
    assert len(given) > 10
    assert given <= set(of_data.FINDINGS)


def test_every_code_is_asked_for_by_a_test():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    assert [code for code in registered() if f'"{code}"' not in tests and f"[{code}]" not in tests] == []


@pytest.mark.parametrize("kind", [InputError, ComputationError, FaultyObjectError])
def test_a_code_survives_the_way_from_a_worker(kind):
    try:
        raise kind("words", code="yoda-cut-short")
    except kind as first:
        try:
            raise kind(f"more {first}") from first
        except kind as second:
            back = pickle.loads(pickle.dumps(second))
    assert (type(back), str(back), back.code) == (kind, "more words", "yoda-cut-short")
    assert getattr(back, "paths", ()) == ()


def test_a_code_is_kept_where_a_place_is_put_before_the_message():
    for helper in (naming_file("f"), naming("card.yaml:1: x"), from_section("fit")):
        with pytest.raises(InputError) as caught, helper:
            raise ArgumentError("words", code="fit-theory-error")
        assert caught.value.code == "fit-theory-error"
        assert str(caught.value).endswith("words")
    assert InputError("words").code is None
