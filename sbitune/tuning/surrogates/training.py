"""From a scan and a config to a trained surrogate."""

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan, describe_bad
from sbitune.learning.keys import check_key
from sbitune.learning.training import Progress
from sbitune.tuning.surrogates.components.blockwise import train_blocks
from sbitune.tuning.surrogates.kindconfig import SurrogateSection
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.registry import kind_of

#: no content of a bin is as great as this
_GREATEST = 1e100


def train(key: jax.Array, scan: Scan, config: SurrogateSection, progress: Progress | None = None) -> TrainedSurrogate:
    """Train the surrogate that `config` describes.

    Args:
        key: a typed random key; a polynomial of given order does not use it.
        scan: the runs to learn from. Bins that several runs have from one measurement are learnt by themselves.
        config: what to train, of a kind in the `registry`; what `choice.choose` returns for the automatic choice.
        progress: called after every epoch of a network.

    Raises:
        InputError: too few runs for the config, or a config of no kind, with its name.
        ComputationError: the training failed.
    """
    check_key(key)
    _check_size(scan)
    kind = kind_of(config)
    if not scan.copies:
        return kind.train(key, scan, config, progress)
    assert isinstance(config, kind.config)
    return train_blocks(key, scan, lambda one, block: train(one, block, config.reduced(*block.theta.shape), progress))


def _check_size(scan: Scan) -> None:
    """Raise `InputError` naming a run and a bin whose content is none: sums of squares would overflow; or if no bin
    changes.
    """
    if len(scan.runs) > 1 and not np.ptp(scan.values, axis=0).any() and not scan.errors.any():
        raise InputError(f"scan: its {len(scan.bins)} bins are the same in all {len(scan.runs)} runs: nothing to learn")
    great = (np.abs(scan.values) > _GREATEST) | (scan.errors > _GREATEST)
    if great.any():
        described = describe_bad(great, scan.values, scan.errors, scan.bins, scan.runs)
        raise InputError(f"scan: {described}: too great for a content; leave out these bins or these runs")
