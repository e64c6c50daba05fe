"""Training where runs share measurements: every block of bins is learnt by itself, see `joined`."""

from collections.abc import Callable

import jax

from sbitune.data.blocks import Block, split_blocks
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate, Member
from sbitune.tuning.surrogates.protocols import TrainedSurrogate


def train_blocks(key: jax.Array, scan: Scan, train: Callable[[jax.Array, Scan], TrainedSurrogate]) -> JoinedSurrogate:
    """Train a surrogate of every block of a scan with copies.

    Args:
        key: a typed random key.
        scan: the runs.
        train: from a key and a scan without copies, which may have few runs, to a surrogate.

    Raises `InputError` naming the block that has too few measurements.
    """
    blocks = split_blocks(scan)
    members = []
    for one, block in zip(jax.random.split(key, len(blocks)), blocks, strict=True):
        try:
            surrogate = train(one, block.scan)
        except InputError as error:
            raise InputError(f"{_words(scan, block)}: {error}") from error
        members.append(Member(block.bins, block.columns, surrogate, len(block.scan.runs)))
    return JoinedSurrogate(scan.parameters, scan.bins, tuple(members))


def _words(scan: Scan, block: Block) -> str:
    without = [p.name for i, p in enumerate(scan.parameters) if i not in block.columns]
    independent = f", independent of {' and '.join(without)}," if without else ""
    return (
        f"{len(block.bins)} bins from {block.scan.bins.path[0]} on{independent} have {len(block.scan.runs)} "
        f"measurements to learn from in {len(scan.runs)} runs"
    )
