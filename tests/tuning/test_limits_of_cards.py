"""Numbers that no machine can serve, and what is too deep or too long, are refused before anything is run."""

import re
import time

import numpy as np
import pytest
from helpers.calling import call

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.card import load_card

CARD = """title: t
generator: {kind: command, command: "run {a} {SEED}", output: out.yoda}
parameters:
  a: {low: 0.1, high: 0.2}
scan: {runs: 5, events: 10}
surrogate: {kind: polynomial}
"""


def refused(tmp_path, old: str, new: str) -> str:
    """What is said to a card with a change; at once."""
    assert old in CARD
    (tmp_path / "card.yaml").write_text(CARD.replace(old, new))
    start = time.process_time()
    with pytest.raises(InputError) as error:
        load_card(tmp_path)
    assert time.process_time() - start < 20  # what is left unguarded takes minutes
    assert str(error.value).startswith(f"{tmp_path}/card.yaml:") or "MB are too much" in str(error.value)
    assert len(str(error.value)) < 600
    return str(error.value)


HUGE = [
    ("runs: 5", "runs: 1000000000"),
    ("events: 10", "events: 1000000000000"),
    ("events: 10", "events: 10, seed: 10000000000000000000"),
    ("events: 10", "events: 10, workers: 100000"),
    ("events: 10", "events: 10, time_limit: 1e12"),
    ("events: 10", "events: 10, time_limit: .inf"),
    ("events: 10", "events: 10, time_limit: .nan"),
    ("events: 10", "events: 1" + 30 * "0"),
    ("events: 10", "events: " + 5000 * "9"),
    ("{kind: polynomial}", "{kind: polynomial, order: 1000000}"),
    ("{kind: polynomial}", "{kind: polynomial, max_order: 1000000}"),
    ("{kind: polynomial}", "{kind: polynomial, folds: 1000000000}"),
    ("{kind: polynomial}", "{kind: rational, denominator: 1000000}"),
    ("{kind: polynomial}", "{kind: network, hidden: [1000000000]}"),
    ("{kind: polynomial}", f"{{kind: network, hidden: {[8] * 100}}}"),
    ("{kind: polynomial}", "{kind: network, members_per_fold: 1000000000}"),
    ("{kind: polynomial}", "{kind: network, epochs: 10000000000}"),
    ("{kind: polynomial}", "{kind: network, learning_rate: .inf}"),
    ("{kind: polynomial}", "{kind: network, learning_rate: .nan}"),
    ("{kind: polynomial}", "{kind: gaussian, runs_for_lengths: 100000000}"),
    ("{kind: polynomial}", "{kind: auto, good: .nan}"),
    ("title: t", "title: t\nfit: {starts: 1000000000}"),
    ("title: t", "title: t\nfit: {toys: 1000000000000}"),
    ("title: t", "title: t\nfit: {weight_fits: 1000000000000}"),
    ("title: t", "title: t\nfit: {seed: 99999999999999999999}"),
    ("title: t", "title: t\nfit: {student_dof: .nan}"),
    ("title: t", "title: t\nfit: {student_dof: 1e-300}"),
    ("title: t", "title: t\nfit: {theory_error: {/A: 1e300}}"),
    ("title: t", "title: t\nfit: {theory_error: {/A: .nan}}"),
    ("title: t", "title: t\nvalidation: {events: 10000000000000}"),
    ("title: t", "title: t\nvalidation: {split: 1000000000}"),
]


@pytest.mark.parametrize(("old", "new"), HUGE)
def test_numbers_that_no_machine_can_serve(tmp_path, old, new):
    assert re.search(r"Expected|a number of \d+ digits|not a finite|no error", refused(tmp_path, old, new))


@pytest.mark.parametrize(
    ("low", "high"),
    [("0.3", "0.30000000000000004"), ("-1e300", "1e300"), ("0.1", "1e300"), ("1", "1.0000000001"), ("0", "1e-150")],
)
def test_ranges_in_which_nothing_can_be_fitted(tmp_path, low, high):
    message = refused(tmp_path, "low: 0.1, high: 0.2", f"low: {low}, high: {high}")
    assert "card.yaml:4: parameters.a: parameter a: no fit can be made in the range from" in message


def test_contents_that_have_no_square(tmp_path):
    bins = Bins(np.array(["/A/h"]), np.array([0]), np.zeros(1), np.ones(1))
    for value, error in [(1e-201, 1.0), (1.0, 1e-160), (1e200, 1.0), (1.0, 1e151), (np.nan, 1.0)]:
        with pytest.raises(InputError, match=r"scan: bad number in run r1, bin /A/h"):
            Scan(
                (Parameter("a", 0.0, 1.0),), np.array([[0.1], [0.9]]), np.array([[1.0], [value]]),
                np.array([[0.1], [error]]), bins, ("r0", "r1"),
            )  # fmt: skip


TRAPS = [
    ("title: t", "title: " + "[" * 5000, "more than 30"),
    ("title: t", "title: " + "{a: " * 5000, "more than 30"),
    ("title: t", "- " * 100_000 + "a", "more than 30"),
    ("title: t", "&a [1,1,1,1,1,1,1,1,1,1]: 1", "a key must be a word"),
    (
        "title: t",
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "\n".join(f"{y}: &{y} [{','.join([f'*{x}'] * 10)}]" for x, y in zip("abcdefgh", "bcdefghi", strict=True)),
        "more than 50000 entries, with what its aliases",
    ),
    (
        "title: t",
        "x0: &x0 {a: 1}\n" + "\n".join(f"x{i + 1}: &x{i + 1} {{<<: [{','.join([f'*x{i}'] * 10)}]}}" for i in range(8)),
        "more than 50000 entries",
    ),
    ("title: t", "title: t # " + "x" * 10_000_000, "10 MB are too much for a card"),
    pytest.param(
        "title: t",
        "observables: {" + ", ".join(f"/a{i}: 1" for i in range(30_000)) + "}",
        "more than 50000 entries",
        marks=pytest.mark.slow,
    ),
    ("title: t", 'title: "\\ud83d"', r"the character '\\ud83d' in a text"),
    ("title: t", 'title: "\\x1b[2J"', r"the character '\\x1b' in a text"),
    ("title: t", "title: !!python/name:os.system ''", "the tag tag:yaml.org,2002:python/name:os.system"),
    ("title: t", "title: t\ntitle: u", "'title' is given twice, first in line 1"),
    ("title: t", "t" * 300 + ": 1", r"unknown key 't{60}'\.\.\."),
]


@pytest.mark.parametrize(("old", "new", "message"), TRAPS)
def test_what_is_too_deep_or_too_long_ends_with_a_message(tmp_path, old, new, message):
    assert re.search(message, refused(tmp_path, old, new))


NUMBERS = ["010", "1:30", "1_0", "0x10", "0b11", "0_1", "00", "07", "-010", "1:30:00", "190:20:30.15", "1_0.", "0.1_0"]


@pytest.mark.parametrize("word", NUMBERS)
def test_numbers_that_readers_of_yaml_do_not_agree_on(tmp_path, word):
    for old in ("events: 10", "low: 0.1"):
        message = refused(tmp_path, old, f"{old.split()[0]} {word}")
        assert f"{word} is not the same number to every reader; write it in plain decimal digits" in message


@pytest.mark.parametrize("word", ["'10'", "1e1", "10.0", "!!int 10", "yes", "on", "~", "", "١٠", "1O", "1,0", "_1."])
def test_what_is_no_whole_number_is_none(tmp_path, word):
    refused(tmp_path, "events: 10", f"events: {word}")


@pytest.mark.parametrize(
    ("word", "value"), [("1e-1", 0.1), ("+.15", 0.15), ("0.15", 0.15), ("1.5e-1", 0.15), ("0", 0.0), ("-0.1", -0.1)]
)
def test_what_everybody_writes_is_read(tmp_path, word, value):
    (tmp_path / "card.yaml").write_text(CARD.replace("low: 0.1", f"low: {word}"))
    assert load_card(tmp_path).card.parameters["a"].low == value


def test_options_have_the_same_limits(tmp_path):
    (tmp_path / "limits.dat").write_text("a 0 1\n")
    for words in (
        ("sample", tmp_path / "limits.dat", "-o", "x", "-n", 10**9),
        ("sample", tmp_path / "limits.dat", "-o", "x", "-n", 10, "--seed", 10**19),
        ("fit", "x.npz", "--toys", 10**12),
        ("posterior", "x", "--chains", 10**7),
    ):
        assert "is not in the range" in call(*words, code=2).stderr
