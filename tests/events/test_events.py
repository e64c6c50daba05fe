"""`Events`: shapes, rows, expressions, folds."""

import numpy as np
import pytest
from helpers.eventtables import assert_equal, assert_same_column, small_table, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.events import Events, Origin, Ragged, assign_folds, concatenate, from_counts, split_folds


def refused(code, *args, **kwargs) -> str:
    with pytest.raises(InputError) as error:
        code(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": {"a": np.zeros(8)}}, "a.root: column 'a' has the shape (8,), expected 9 events"),
        ({"columns": {"a": from_counts(np.zeros(3), np.ones(3, int))}}, "column 'a' has 3 rows, expected 9 events"),
        ({"columns": {"a": np.array(["x"] * 9)}}, "column 'a' holds <U1, expected numbers or truths"),
        ({"columns": {"veto": np.zeros(9)}}, "two of columns, flags, weights and groups are called 'veto'"),
        ({"columns": {"weight": np.zeros(9)}}, "are called 'weight'"),
        ({"columns": {"group": np.zeros(9)}}, "are called 'group'"),
        ({"columns": {"": np.zeros(9)}}, "a column needs a name"),
        ({"weights": np.zeros((9, 2))}, "the weights have the shape (9, 2), expected (n_events, 1)"),
        ({"variations": ("up",)}, "the first weight must be the nominal one"),
        ({"weights": np.array([1.0] * 4 + [np.nan] * 5)}, "a.root: 'weight' is nan at row 4, not a finite number"),
        ({"groups": np.zeros(9)}, "the groups are float64 of the shape (9,), expected whole numbers (9,)"),
        ({"flags": {"veto": np.zeros(9)}}, "flag 'veto' is float64 of the shape (9,), expected truths (9,)"),
    ],
)
def test_wrong_arrays_are_one_message(changes, words):
    whole = {"columns": {"a": np.zeros(9)}, "weights": np.ones(9), "groups": np.zeros(9, int), "variations": ("",)}
    whole |= {"flags": {"veto": np.zeros(9, bool)}, "origins": (Origin("a.root"),)}
    assert Events.of(**whole)
    assert words in refused(Events.of, **{**whole, **changes})


def test_ragged_columns_check_their_offsets():
    assert "go from 0 to 4, expected 0 to the number of its entries, 3" in refused(
        Ragged, np.zeros(3), np.array([0, 4])
    )
    assert "fall at row 1" in refused(Ragged, np.zeros(3), np.array([0, 2, 1, 3]))


def test_nothing_can_be_written_to():
    events = small_table()
    with pytest.raises(ValueError, match="read-only"):
        events["mass"][0] = 1  # pyright: ignore
    with pytest.raises(TypeError):
        events.columns["new"] = np.zeros(9)  # pyright: ignore
    with pytest.raises(AttributeError):
        events.weights = np.zeros(9)  # pyright: ignore


def test_a_slice_copies_nothing():
    events = small_table()
    part = events.take(slice(2, 5))
    for name in ("mass", "axis", "veto", "weight", "weight[MUR2]", "group"):
        assert np.shares_memory(part[name], events[name])  # pyright: ignore
    assert np.shares_memory(part["pt"].content, events["pt"].content)  # pyright: ignore
    assert part["pt"].offsets is part["charge"].offsets  # pyright: ignore


def test_weights_of_one_take_no_memory():
    events = Events.of({"a": np.zeros(1000)})
    assert events.nbytes == 8000
    assert concatenate([events, events]).nbytes == 16000


@settings(max_examples=30)
@given(tables(), st.data())
def test_rows_are_those_of_every_column(events, data):
    n = len(events)
    rows = data.draw(
        st.one_of(
            st.slices(n),
            st.lists(st.integers(0, n - 1)).map(lambda numbers: np.array(numbers, int)),
            st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
        )
    )
    taken = events.take(rows)
    numbers = np.arange(n)[rows]
    assert len(taken) == len(numbers)
    for name, column in events.columns.items():
        part = taken.columns[name]
        for i, row in enumerate(numbers):
            np.testing.assert_array_equal(part[i], column[int(row)], strict=True)
    np.testing.assert_array_equal(taken.weights, events.weights[numbers])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.ones(8, bool), "a mask of 8 rows, expected one for each of 9 events"),
        (np.array([3, 9]), "there is no row 9; there are 9 events"),
        (np.array([-1]), "there is no row -1"),
        (np.array([0.5]), "rows are chosen by float64"),
    ],
)
def test_rows_that_there_are_not(rows, words):
    assert words in refused(small_table().take, rows)


@settings(max_examples=30)
@given(tables(), st.integers(1, 200))
def test_slices_are_the_whole(events, most_bytes):
    parts = list(events.slices(most_bytes))
    assert_equal(concatenate(parts), events)
    assert all(len(part) == 1 or part.nbytes <= 4 * most_bytes + 100 for part in parts)


def test_tables_that_differ_are_not_put_together():
    events = small_table()
    assert "differ in the columns, first in 'axis'" in refused(concatenate, [events, events.only(["pt"])])
    other = Events.of(events.columns, events.weights, ("", "MUR0.5"), events.groups, events.flags)
    assert "differ in the weights, first in 'MUR2': MUR0.5" in refused(concatenate, [events, other]).replace(
        ", MUR0.5", "MUR0.5"
    )
    assert "one of them has groups" in refused(
        concatenate, [events, Events.of(events.columns, events.weights, ("", "MUR2"), None, events.flags)]
    )


def test_selection_of_an_expression():
    events = small_table()
    mass, jets, veto = events["mass"], events["n_jets"], events["veto"]
    chosen = events.select("mass > 3.3e3 & n_jets <= 4 & ~veto")
    np.testing.assert_array_equal(chosen["mass"], mass[(mass > 3.3e3) & (jets <= 4) & ~veto])  # pyright: ignore
    other = events.select("2.5e3 < mass < 3e3 | `weight[MUR2]` / weight > 1.2 | group == 9")
    ratio = events.weights[:, 1] / events.weight
    expected = ((mass > 2.5e3) & (mass < 3e3)) | (ratio > 1.2) | (events.groups == 9)  # pyright: ignore
    np.testing.assert_array_equal(other["mass"], mass[expected])  # pyright: ignore
    np.testing.assert_array_equal(events.select("veto || !veto && 1 != 1 * n_jets / n_jets")["mass"], mass[veto])  # pyright: ignore


def test_derived_columns_are_double_precision_and_ragged_ones_stay_so():
    events = small_table().derive({"log_mass": "log(mass)", "squared": "log_mass**2", "signed": "pt * charge"})
    np.testing.assert_allclose(events["squared"], np.log(events["mass"]) ** 2)  # pyright: ignore
    assert_same_column(events["signed"], Ragged(events["pt"].content * events["charge"].content, events["pt"].offsets))  # pyright: ignore
    whole = events.derive({"inverse": "n_jets**-1", "long": "axis + axis"})
    np.testing.assert_allclose(whole["inverse"], 1 / events["n_jets"])  # pyright: ignore
    assert whole["long"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mas > 3", "a.root (tree): 'mas' in the expression 'mas > 3' is not known; the nearest are mass"),
        ("mass", "'mass' selects no events; expected a condition"),
        (
            "mass > 1 & n_jets",
            "'n_jets' in the expression 'mass > 1 & n_jets' is not understood here; expected a condition",
        ),
        ("veto > 0", "'veto' in the expression 'veto > 0' is not understood here; expected a number"),
        ("mass > 1 + veto", "expected a number, not a condition"),
        ("mass > 1_000", "'1_000' is not a number"),
        ("mass > n_jets[0]", "cannot read the expression 'mass > n_jets[0]': the character '['"),
        ("__import__(mass) > 1", "is not understood"),
        ("mass.real > 1", "is not understood"),
        ("(lambda: mass) > 1", "the character ':'"),
        ("mass > ", "cannot read the expression"),
        ("1 < 2", "uses no column"),
        ("pt > 3", "'pt' in 'pt > 3' has another number of entries in every event"),
        ("axis > 0", "selects no events"),
        ("mass > axis", "uses columns of different shapes: mass (9,), axis (9, 3)"),
        ("log(n_jets - 9) > 1", "is neither true nor false at row 0, where a number is not defined (nan)"),
        ("+".join(["mass"] * 121) + " > 1", "it has more than 600 letters"),
    ],
)
def test_selections_that_are_none(text, words):
    assert words in refused(small_table().select, text)


def test_a_condition_decides_where_another_is_undefined():
    x = np.array([-1.0, 0.0, 4.0])
    events = Events.of({"x": x})
    assert list(events.evaluate("x > 0 & sqrt(x) > 1")) == [False, False, True]
    assert list(events.evaluate("x < 0 | sqrt(x) > 1")) == [True, False, True]
    assert list(events.evaluate("~(x >= 0 & sqrt(x) <= 1)")) == [True, False, True]
    assert list(events.evaluate("isfinite(1 / x) & 1 / x > 0")) == [False, False, True]
    assert "neither true nor false at row 0" in refused(events.evaluate, "x < 1 & sqrt(x) > 1")
    assert "neither true nor false at row 0" in refused(events.evaluate, "sqrt(x) != 1")


def test_derived_numbers_that_are_not_finite_name_row_and_numbers():
    assert "'1/(n - 2)' is not finite at row 1, where n = 2" in refused(
        Events.of({"n": np.array([1, 2, 3])}).derive, {"y": "1/(n - 2)"}
    )
    kept = Events.of({"x": np.array([1.0, np.nan])}).derive({"y": "2 * x"})
    np.testing.assert_array_equal(kept["y"], [2.0, np.nan])


def test_whole_numbers_are_compared_to_the_last_digit():
    events = Events.of({"run": np.array([2**53, 2**53 + 1])})
    assert list(events.evaluate("run == 9007199254740993")) == [False, True]


@settings(max_examples=40)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.integers(1, 4), st.integers(0, 3), st.randoms())
def test_folds_never_part_a_group(groups, n_folds, seed, random):
    events = Events.of({"row": np.arange(len(groups))}, groups=np.array(groups))
    said = ""
    try:
        parts = split_folds(events, n_folds, seed)
    except InputError as error:
        said = str(error)
    if said:
        sizes = np.unique(groups, return_counts=True)[1]
        assert len(sizes) < n_folds or sizes.max() > len(groups) / n_folds
        return
    assert sorted(np.concatenate([part["row"] for part in parts])) == list(range(len(groups)))
    seen = [set(part.groups.tolist()) for part in parts]  # pyright: ignore
    assert sum(map(len, seen)) == len(set(groups))
    assert all(seen)
    order = np.array(random.sample(range(len(groups)), len(groups)))
    np.testing.assert_array_equal(
        assign_folds(events.take(order), n_folds, seed), assign_folds(events, n_folds, seed)[order]
    )


def test_folds_are_of_nearly_equal_size():
    random = np.random.default_rng(0)
    events = Events.of({}, np.ones(10_000), groups=random.integers(0, 800, 10_000))
    sizes = np.bincount(assign_folds(events, 5, 1))
    assert np.abs(sizes - 2000).max() <= np.unique(events.groups, return_counts=True)[1].max()  # pyright: ignore
    assert list(np.bincount(assign_folds(Events.of({"x": np.zeros(10)}), 5, 1))) == [2] * 5
    assert "fold" in refused(assign_folds, Events.of({"x": np.zeros(3)}), 5, 1)
    lopsided = Events.of({"x": np.zeros(12)}, groups=np.array([0] * 10 + [1, 2]))
    assert "would be empty, as the largest group has 10 of 12 events" in refused(assign_folds, lopsided, 3, 1)
