"""How often a sound scan is accused, how often a displaced run is found, and what stated errors do to both.

The examination judges runs by each other: distances from a fit in units of what is usual, whatever errors are stated.
These enter in two places only. Runs at one point are compared by their errors: those that are too small by a factor two
accuse sound runs, those that are too large hide what is wrong. And a run that is off by no more than its errors is not
named: with errors stated five times too large a displaced run passes where the displacement moves bins by no more.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scan.test_outlying import closed_form

from sbitune.data.checks.examination import examine
from sbitune.data.scan import Scan

KINDS = ("linear", "exponential", "steep", "step")
TRUE = 0.02  #: contents fluctuate by so much of themselves
TWINS = 4
OUTLYING, DIFFER = "outlying runs", "runs at one point that differ"


def sound(seed: int, stated: float) -> Scan:
    """A random scan, some points of which have two runs; errors are `stated` times what they are."""
    random = np.random.default_rng(seed)
    n, p = ((40, 2), (60, 3))[seed // len(KINDS) % 2]
    scan = closed_form(KINDS[seed % len(KINDS)], n, p, TRUE, 1000 + seed)
    rows = random.choice(n, TWINS, replace=False)
    exact = np.sign(scan.values[rows]) * scan.errors[rows] / TRUE
    again = exact + scan.errors[rows] * random.normal(size=exact.shape)
    return replace(
        scan,
        theta=np.vstack([scan.theta, scan.theta[rows]]),
        values=np.vstack([scan.values, again]),
        errors=stated * np.vstack([scan.errors, scan.errors[rows]]),
        runs=tuple(f"{i:04d}" for i in range(n + TWINS)),
    )


def displaced(seed: int, stated: float) -> tuple[Scan, str]:
    """The same with a run that has the parameters of a point half a box away, and its name."""
    scan = sound(seed, stated)
    row = int(np.random.default_rng([seed, 1]).integers(len(scan.runs) - TWINS))
    theta = scan.theta.copy()
    theta[row, 0] += -1.0 if theta[row, 0] > 0 else 1.0
    return replace(scan, theta=theta), scan.runs[row]


def named(n: int, stated: float) -> Counter[str]:
    """In how many of n sound scans each kind of finding is made."""
    return Counter(kind for seed in range(n) for kind in {f.kind for f in examine(sound(seed, stated))})


def found(n: int, stated: float) -> dict[str, float]:
    """In which part of n scans, of each kind, the displaced run, and no other, is unlike its neighbours."""
    hits = dict.fromkeys(KINDS, 0.0)
    for seed in range(n):
        scan, run = displaced(seed, stated)
        where = [f.where for f in examine(scan) if f.kind == OUTLYING]
        alone = [name.split()[0] for names in where for name in names] == [run]
        hits[KINDS[seed % len(KINDS)]] += alone * len(KINDS) / n
    return hits


def test_sound_scans_are_not_accused_and_displaced_runs_are_found() -> None:
    assert named(40, 1.0) == {"runs at one point": 40}  # which is so
    assert found(24, 1.0)["exponential"] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("stated", [0.5, 1.0, 2.0])
def test_false_alarms_come_from_stated_errors_that_are_too_small(stated: float) -> None:
    kinds = named(200, stated)
    assert kinds.pop("runs at one point") == 200
    # sound runs are unlike their neighbours in fewer than one of a hundred scans, whatever their errors are said to be
    assert kinds.pop(OUTLYING, 0) <= 2
    differ = kinds.pop(DIFFER, 0)
    assert differ > 160 if stated < 1 else differ == 0
    assert not kinds


@pytest.mark.slow
@pytest.mark.parametrize("stated", [0.5, 1.0, 2.0, 5.0])
def test_displaced_runs_are_found_unless_errors_cover_it(stated: float) -> None:
    """The displacement moves bins of the linear scans by five of their true errors, those of the others by far more."""
    part = found(200, stated)
    assert part["exponential"] > 0.9
    assert part["steep"] > 0.9
    assert part["linear"] > 0.7 if stated < 5 else part["linear"] == 0
    # a step is no polynomial: runs are usually off the fit by as much as a displacement over flat ground
    assert 0.2 < part["step"] < 0.8 if stated < 5 else part["step"] == 0
