"""A scan taken apart into blocks of bins, each a scan of its own in which every run is a measurement of its own.

Bins that several runs have from one measurement (see `copies`) enter once, at a point of those parameters alone on
which they may depend. Blocks are filled by different events: what is learnt of one says nothing of the noise of
another.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sbitune.data.checks.copies import Copies
from sbitune.data.scan import Scan

#: measurements of a block of which two can be held out
_ENOUGH = 4


class Block(NamedTuple):
    """Some bins, as a scan of independent runs."""

    bins: np.ndarray  #: (k,) which of the whole scan's
    columns: np.ndarray  #: (p,) which of its parameters they may depend on
    scan: Scan  #: of these bins and parameters, a run for every measurement
    measurement: np.ndarray  #: (n_runs,) the place among these runs of what each run of the whole scan has


def split_blocks(scan: Scan, everything: bool = False) -> tuple[Block, ...]:
    """The blocks of a scan: that in which every run has events of its own first, if there is one.

    Args:
        scan: the runs.
        everything: whether measurements count that are not to be learnt from, as runs that are held out have them, too;
            else these have the place -1.
    """
    every = np.arange(len(scan.parameters))
    own = np.setdiff1d(np.arange(len(scan.bins)), np.concatenate([[], *(block.bins for block in scan.copies)]))
    blocks = list(scan.copies)
    if len(own) and blocks and not np.ptp(scan.values[:, own], axis=0).any():
        # bins that never change teach nothing by themselves, and go with any others
        blocks[0], own = replace(blocks[0], bins=np.union1d(blocks[0].bins, own)), own[:0]
    found = [_reduced(scan, block, everything) for block in blocks]
    if len(own):
        alone = replace(scan.take_bins(own), known_copies=())
        found.insert(0, Block(own, every, alone, np.arange(len(scan.runs))))
    return tuple(found)


def _reduced(scan: Scan, block: Copies, everything: bool) -> Block:
    if everything:
        block = replace(block, left_out=np.zeros_like(block.left_out))
    rows, columns = block.firsts(), np.flatnonzero(block.depends)
    mine = scan.take_bins(block.bins).take_runs([scan.runs[row] for row in rows])
    fewer = replace(
        mine,
        parameters=tuple(scan.parameters[column] for column in columns),
        theta=mine.theta[:, columns],
        known_copies=(),
    )
    numbers = block.measurement[rows]
    order = np.argsort(numbers)
    place = order[np.clip(np.searchsorted(numbers, block.measurement, sorter=order), 0, len(rows) - 1)]
    return Block(block.bins, columns, fewer, np.where(block.left_out, -1, place))


def left_to_learn(scan: Scan) -> list[str]:
    """In words, of how many measurements each block can be learnt where runs that are held out took some with them."""
    said = []
    for block in scan.copies:
        every, left = len(np.unique(block.measurement)), len(block.firsts())
        gone = len(np.unique(block.measurement[block.left_out]))
        if gone:
            first = scan.bins.path[block.bins[0]]
            said.append(
                f"runs that are held out take their copies with them: of {every} measurements that the others have of "
                f"{len(block.bins)} bins from {first} on {left} are learnt from"
            )
    return said


def linked_runs(scan: Scan) -> np.ndarray:
    """(n_runs,) numbers that are equal for runs that share a measurement, directly or by others, in the order of the
    first; all different for a scan without copies.
    """
    number = np.arange(len(scan.runs))
    while True:
        before = number
        for block in scan.copies:
            _, place = np.unique(block.measurement, return_inverse=True)
            least = np.full(place.max() + 1, len(number))
            np.minimum.at(least, place.reshape(-1), number)
            number = least[place.reshape(-1)]
        if np.array_equal(before, number):
            return np.unique(number, return_inverse=True)[1].reshape(-1)


def linked_groups(scan: Scan) -> list[np.ndarray]:
    """The runs of every number of `linked_runs`: what is independent of all others, and drawn or left out together."""
    linked = linked_runs(scan)
    return np.split(np.argsort(linked, kind="stable"), np.flatnonzero(np.diff(np.sort(linked))) + 1)


def repeat_runs(scan: Scan, rows: np.ndarray) -> Scan:
    """The scan of these runs (n,), which may repeat: a run that is there again is a measurement of its own, as in a
    bootstrap, with a name of its own.
    """
    seen: dict[int, int] = {}
    again = np.zeros(len(rows), int)
    for i, row in enumerate(rows.tolist()):
        again[i] = seen.get(row, 0)
        seen[row] = again[i] + 1
    names = (
        scan.runs[row] if not k else f"{scan.runs[row]} (copy {k + 1})" for row, k in zip(rows, again, strict=True)
    )
    copies = (block.take_runs(rows) for block in scan.copies)
    return replace(
        scan,
        theta=scan.theta[rows],
        values=scan.values[rows],
        errors=scan.errors[rows],
        runs=tuple(names),
        known_copies=tuple(
            replace(block, measurement=block.measurement + again * (len(scan.runs) + block.measurement.max()))
            for block in copies
        ),
    )


def spread_over(linked: np.ndarray, n: int) -> np.ndarray:
    """(n,) runs to look at, in their order: as few of them as possible with the same number in `linked` (n_runs,)."""
    seen = [int(np.count_nonzero(linked[:row] == number)) for row, number in enumerate(linked)]
    return np.sort(np.argsort(seen, kind="stable")[:n])


def mean_error(x: np.ndarray, linked: np.ndarray | None = None) -> float:
    """Standard error of the mean of x (n,), from their scatter; those with the same number in `linked` (n,) are not
    independent, None: all are (the sandwich of generalised estimating equations: K.-Y. Liang, S. Zeger, Biometrika 73
    (1986) 13).
    """
    if linked is None:
        return float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float(np.inf)
    sums = np.bincount(linked, x - x.mean())
    n = np.count_nonzero(np.bincount(linked))
    return float(np.sqrt(np.sum(sums**2) * n / (n - 1)) / len(x)) if n > 1 else float(np.inf)


def draw_held_out(scan: Scan, order: np.ndarray, part: float) -> np.ndarray:
    """(n_runs,) True for runs to hold out: with all that they share no more than a part of any block's measurements,
    but two of them where a block has some.

    Args:
        scan: the runs.
        order: (n,) runs that may be held out, shuffled.
        part: of these runs, and of their measurements in every block.
    """
    held = np.zeros(len(scan.runs), bool)
    if not scan.copies:
        held[order[: round(part * len(order))]] = True
        return held
    held[order] = True
    for block in scan.copies:
        numbers = block.measurement[order]
        shuffled = numbers[np.sort(np.unique(numbers, return_index=True)[1])]
        fewest = 2 if len(shuffled) >= _ENOUGH else 1  # one measurement does not tell how far others would scatter
        held &= np.isin(block.measurement, shuffled[: max(fewest, round(part * len(shuffled)))])
    return held
