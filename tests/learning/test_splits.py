"""One split for all members that divides no group, and scaling of inputs."""

import jax
import numpy as np
import pytest
from helpers.faults import refused
from hypothesis import assume, given
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.events import Events, assign_folds
from sbitune.learning.scaling import find_scaling
from sbitune.learning.splits import bootstrap_groups, split_events

KEY = jax.random.key(2)


@given(
    groups=st.lists(st.integers(-3, 12), min_size=1, max_size=60),
    validation=st.floats(0.05, 0.6),
    calibration=st.sampled_from([0.0, 0.2, 0.35]),
    seed=st.integers(0, 9),
)
def test_no_group_straddles_and_every_event_has_one_part(groups, validation, calibration, seed) -> None:
    ids = np.array(groups)
    try:
        split = split_events(jax.random.key(seed), len(ids), ids, validation=validation, calibration=calibration)
    except InputError:  # there are too few groups for all parts
        assume(len(set(groups)) > 15)
        raise
    np.testing.assert_array_equal(np.sort(np.concatenate(split)), np.arange(len(ids)))
    parts = [set(ids[rows]) for rows in split]
    assert sum(map(len, parts)) == len(set(groups))
    assert all(len(rows) for rows in split[:2])
    assert bool(len(split.calibration)) == (calibration > 0)
    largest = np.bincount(ids + 3).max()
    assert abs(len(split.calibration) - calibration * len(ids)) <= largest
    assert abs(len(split.validation) - validation * len(ids)) <= largest
    # in another order groups go where they went
    turned = split_events(jax.random.key(seed), len(ids), ids[::-1], validation=validation, calibration=calibration)
    assert [set(ids[::-1][rows]) for rows in turned] == parts


def test_all_members_validate_on_the_same_events_and_events_without_groups_are_dealt_alike() -> None:
    split = split_events(KEY, 1000, validation=0.25, calibration=0.1)
    assert [len(rows) for rows in split] == [650, 250, 100]
    rows = split.rows(3)
    assert (rows.validation == split.validation).all()
    assert rows.train.shape == (3, 650)
    assert not np.array_equal(split.train, split_events(jax.random.key(3), 1000, validation=0.25).train)
    own = split_events(KEY, 1000, np.arange(1000), validation=0.25, calibration=0.1)
    for mine, theirs in zip(split, own, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_members_draw_whole_groups() -> None:
    ids = np.repeat(np.arange(40), np.arange(40) % 4 + 1)
    split = split_events(KEY, len(ids), ids)
    rows = bootstrap_groups(jax.random.split(KEY, 5), split, ids)
    assert (rows.validation == split.validation).all()
    known = set(ids[split.train])
    seen = [np.bincount(ids[mine], minlength=40) / (np.arange(40) % 4 + 1) for mine in rows.train]
    for counts in seen:
        assert set(np.flatnonzero(counts)) <= known
        assert np.sum(counts != np.round(counts)) <= 1  # the one in which a shorter list ends
    # a group is drawn with probability 1 - (1 - 1/n)^n
    assert np.mean([np.sum(counts > 0) for counts in seen]) / len(known) == pytest.approx(1 - np.exp(-1), abs=0.12)
    assert not np.array_equal(rows.train[0], rows.train[1])


def test_what_cannot_be_split_is_refused() -> None:
    with refused("split-empty-part", "none of 10 events in 2 groups, the largest with 9 would validate"):
        split_events(KEY, 10, np.array([1] * 9 + [2]), validation=0.04)
    with refused("split-empty-part", "none of 0 events would train"):
        split_events(KEY, 0)
    with refused("split-bad-parts", "(3,)", "(4,)"):
        split_events(KEY, 4, np.arange(3))
    for parts in ((0.0, 0.1), (0.5, 0.5), (0.2, -0.1), (np.nan, 0.0)):
        with refused("split-bad-parts", f"{parts[0]:g}"):
            split_events(KEY, 100, validation=parts[0], calibration=parts[1])


def test_folds_are_those_of_before() -> None:
    ids = np.array([5, 5, 2, 9, 9, 9, 1, 7, 7, 3])
    events = Events.of({"x": np.arange(10.0)}, groups=ids)
    assert assign_folds(events, 3, 4).tolist() == [2, 2, 0, 1, 1, 1, 0, 2, 2, 0]


def test_inputs_are_scaled_in_double_precision() -> None:
    x = np.random.default_rng(1).normal([5000.0, -1e-3], [1.0, 1e-6], size=(4000, 2))
    scaled = find_scaling("events", ("mass", "phi"), x).apply(x).astype(np.float32)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)
    x[:, 1] = 2.0
    with refused("column-constant", "events: 'phi' is 2 in all rows"):
        find_scaling("events", ("mass", "phi"), x)
    x[7, 0] = np.nan
    with pytest.raises(InputError, match="events: 'mass' is nan at row 7"):
        find_scaling("events", ("mass", "phi"), x)
    with pytest.raises(InputError, match=r"shape \(4000, 2\), expected \(n, 1\)"):
        find_scaling("events", ("mass",), x)
