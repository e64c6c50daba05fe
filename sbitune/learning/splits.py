"""One split of events into those that train, validate and calibrate, which divides no group.

Members of an ensemble that are compared, or averaged as ratios, must be judged by the same events, which none has
trained on: so the split is made once, and `Split.rows` gives it to all of them.
"""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.groups import middles, number_groups
from sbitune.learning.keys import Keys, check_key
from sbitune.learning.loop.shuffles import permute
from sbitune.learning.rows import Rows


class Split(NamedTuple):
    """Rows of events, rising; no event is in two parts, and no group either."""

    train: np.ndarray  #: (n_train,) take steps
    validation: np.ndarray  #: (n_validation,) choose the best epoch, and compare members
    calibration: np.ndarray  #: (n_calibration,) neither: for calibration and checks

    def rows(self, n_members: int) -> Rows:
        """The same training and validation events for every member, for `train` (1 member) and `train_ensemble`."""
        return Rows(np.tile(self.train, (n_members, 1)), np.tile(self.validation, (n_members, 1)))


def split_events(
    key: jax.Array,
    n_events: int,
    groups: np.ndarray | None = None,
    *,
    validation: float = 0.2,
    calibration: float = 0.0,
) -> Split:
    """Split events at random; all of one group go to one part.

    A group's part depends on the ids of all groups, their sizes and the key, not on the order of events.

    Args:
        key: draws the order of groups.
        n_events: number of events.
        groups: (n_events,) ids, as `Events.groups` has them; None: every event is a group of its own.
        validation: part of the events that validates, more than 0.
        calibration: part of the events that neither trains nor validates; may be 0.

    Raises:
        InputError: groups of another number, parts that leave nothing to train on, or groups too few or too large for
            a part to have any.
    """
    if groups is not None and np.shape(groups) != (n_events,):
        raise InputError(
            f"groups have the shape {np.shape(groups)}, expected ({n_events},): one for every event",
            code="split-bad-parts",
        )
    if not (validation > 0 and calibration >= 0 and validation + calibration < 1):
        raise InputError(
            f"a part {validation:g} of the events to validate and {calibration:g} to calibrate: the first must be more "
            "than 0, the second not less, and both together less than 1",
            code="split-bad-parts",
        )
    number, sizes = number_groups(groups, n_events)
    order = permute(Keys.of(check_key(key)), len(sizes)) if len(sizes) else np.zeros(0, int)
    place = middles(sizes, order) / max(n_events, 1)
    part = np.searchsorted([calibration, calibration + validation], place, side="right")[number]
    wanted = {2: "train", 1: "validate"} | ({0: "calibrate"} if calibration > 0 else {})
    for which, word in wanted.items():
        if not (part == which).any():
            largest = f", the largest with {sizes.max()}" if len(sizes) and groups is not None else ""
            of = "" if groups is None else f" in {len(sizes)} groups{largest}"
            raise InputError(
                f"none of {n_events} events{of} would {word}; give more events or smaller groups, or ask for other "
                "parts",
                code="split-empty-part",
            )
    train, validate, calibrate = (np.flatnonzero(part == which) for which in (2, 1, 0))
    return Split(train, validate, calibrate)


def bootstrap_groups(keys: jax.Array, split: Split, groups: np.ndarray) -> Rows:
    """Draw every member's training events with replacement, whole groups at a time; all validate on the same events.

    `bootstrap_rows` draws single events, which would take those of one group for independent: the spread of members
    would then be too small.

    Args:
        keys: (n_members,) one for every member.
        split: of the events.
        groups: (n_events,) ids of all events.

    Returns:
        Rows; members with fewer events than the others begin again until all have as many.
    """
    number, sizes = number_groups(np.asarray(groups)[split.train], len(split.train))
    by_group = split.train[np.argsort(number, kind="stable")]
    first = np.cumsum(sizes) - sizes
    drawn = []
    for words in Keys.of(check_key(keys, ndim=1)).bits(2):
        random = np.random.default_rng(words.tolist())
        chosen = random.integers(len(sizes), size=len(sizes))
        lengths = sizes[chosen]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        drawn.append(by_group[np.repeat(first[chosen], lengths) + within])
    most = max(map(len, drawn))
    return Rows(np.stack([np.resize(rows, most) for rows in drawn]), np.tile(split.validation, (len(drawn), 1)))
