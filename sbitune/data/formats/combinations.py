"""Run combinations: the names of the runs of one combination on a line, as `prof2-runcombs` writes them.

Professor parametrises every combination on its own; the spread of the results tells how much they owe to single runs.
Source: Professor 2, github.com/iamholger/professor, `pyext/professor2/sampling.py` (xrandomUniqueCombinations) and
`bin/prof2-runcombs`.
"""

from collections.abc import Collection, Sequence
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.files import read_lines, write_text
from sbitune.data.text.names import repeated, shorten
from sbitune.data.text.numbers import quoted

#: a combination is drawn again if it was drawn before, unless that many of all combinations are wanted
FEW = 4


def sample(
    runs: Sequence[str], n_combinations: int, leave_out: int = 0, seed: int | None = None
) -> tuple[tuple[str, ...], ...]:
    """Draw distinct combinations of all runs but `leave_out`, every one with equal probability.

    Args:
        runs: the names of all runs.
        n_combinations: how many combinations.
        leave_out: how many runs are missing in each; 0 gives the one combination of all runs.
        seed: of the draw; may be left out only where there is nothing to draw.

    Returns:
        Combinations; the runs of each are sorted by name.

    Raises:
        InputError: fewer combinations exist, a run is named twice, or no seed is given.
    """
    names = sorted(runs)
    if len(set(names)) < len(names):
        raise InputError(f"run combinations: {len(names) - len(set(names))} runs are named twice")
    if not 0 <= leave_out < len(names):
        raise InputError(f"run combinations: cannot leave {leave_out} of {len(names)} runs out")
    possible = comb(len(names), leave_out)
    if not 1 <= n_combinations <= possible:
        raise InputError(
            f"run combinations: {n_combinations} are wanted, {possible} exist that leave {leave_out} of "
            f"{len(names)} runs out"
        )
    size = len(names) - leave_out
    if possible == 1:
        return (tuple(names),)
    if seed is None:
        raise InputError("run combinations: drawing some of many needs a seed")
    rng = np.random.default_rng(seed)
    if possible <= FEW * n_combinations:
        every = list(combinations(names, size))
        return tuple(every[i] for i in rng.permutation(possible)[:n_combinations])
    drawn: dict[tuple[str, ...], None] = {}
    while len(drawn) < n_combinations:
        chosen = np.sort(rng.permutation(len(names))[:size])
        drawn[tuple(names[i] for i in chosen)] = None
    return tuple(drawn)


def read_combinations(path: str | Path, runs: Collection[str] | None = None) -> tuple[tuple[str, ...], ...]:
    """Read run combinations; blank lines and `#` comments are passed over.

    Raises `InputError` naming file and line for a run that is named twice in a line or, with `runs` given, is not one
    of them.
    """
    found = []
    for number, line in read_lines(path, "run combinations"):
        names = tuple(line.split("#")[0].split())
        twice = repeated(names)
        if twice:
            raise InputError(f"{path}:{number}: run {shorten(twice[0])} is named twice")
        unknown = [name for name in names if runs is not None and name not in runs]
        if unknown:
            raise InputError(f"{path}:{number}: no run {shorten(unknown[0])} among the {len(runs or ())} runs at hand")
        if names:
            found.append(names)
    if not found:
        raise InputError(f"{path}: no run combination in this file; write the names of runs, one combination a line")
    return tuple(found)


def write_combinations(path: str | Path, combinations: Sequence[Sequence[str]]) -> None:
    """Write run combinations, one a line; `prof2-ipol --rc FILE:LINE` counts lines from 0."""
    for names in combinations:
        bad = [name for name in names if not name or "#" in name or any(c.isspace() for c in name)]
        if bad or not len(names):
            raise InputError(f"run combinations: {quoted(bad[0])} cannot be written" if bad else "an empty combination")
    write_text(path, "".join(" ".join(names) + "\n" for names in combinations))
