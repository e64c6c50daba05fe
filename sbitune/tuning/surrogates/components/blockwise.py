"""Training where runs share measurements: every block of bins is learnt by itself, see `joined`."""

from collections.abc import Callable
from typing import TypeVar

import jax
import msgspec

from sbitune.data.blocks import Block, split_blocks
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate, Member
from sbitune.tuning.surrogates.config import NetworkConfig, PolynomialConfig
from sbitune.tuning.surrogates.regression.basis import count_terms

Config = TypeVar("Config")


def train_blocks(
    key: jax.Array, scan: Scan, config: Config, train: Callable[[jax.Array, Scan, Config], object]
) -> JoinedSurrogate:
    """Train a surrogate of every block of a scan with copies.

    Args:
        key: a typed random key.
        scan: the runs.
        config: what to train. A block of fewer measurements may not determine an order that is given, or may have too
            few for the folds of networks: there these are lower.
        train: from a key, a scan without copies and a config to a surrogate.

    Raises `InputError` naming the block that has too few measurements.
    """
    blocks = split_blocks(scan)
    members = []
    for one, block in zip(jax.random.split(key, len(blocks)), blocks, strict=True):
        try:
            surrogate = train(one, block.scan, _possible(config, block.scan))
        except InputError as error:
            raise InputError(f"{_words(scan, block)}: {error}") from error
        members.append(Member(block.bins, block.columns, surrogate, len(block.scan.runs)))
    return JoinedSurrogate(scan.parameters, scan.bins, tuple(members))


def _possible(config: Config, scan: Scan) -> Config:
    n_runs, n_parameters = scan.theta.shape
    if isinstance(config, PolynomialConfig) and config.order != "auto":
        order = config.order
        while order and count_terms(n_parameters, order) >= n_runs:
            order -= 1
        return msgspec.structs.replace(config, order=order)
    if isinstance(config, NetworkConfig):
        return msgspec.structs.replace(config, folds=max(2, min(config.folds, n_runs // 2)))
    return config


def _words(scan: Scan, block: Block) -> str:
    without = [p.name for i, p in enumerate(scan.parameters) if i not in block.columns]
    independent = f", independent of {' and '.join(without)}," if without else ""
    return (
        f"{len(block.bins)} bins from {block.scan.bins.path[0]} on{independent} have {len(block.scan.runs)} "
        f"measurements to learn from in {len(scan.runs)} runs"
    )
