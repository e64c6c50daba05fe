"""Training of the inverse model, from pairs to checks."""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.blocks import linked_runs, spread_over
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.checks.calibration import calibrate_posterior
from sbitune.fitting.likelihood.measured import Measured
from sbitune.learning.density.mixture import EDGE
from sbitune.learning.density.training import KnownNoise, train_mixture
from sbitune.learning.keys import check_key
from sbitune.learning.rows import Rows, fold_groups, fold_rows
from sbitune.learning.training import Progress
from sbitune.tuning.inverse.compression import make_compression
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.inside import look_inside, make_cloud
from sbitune.tuning.inverse.model import InverseModel
from sbitune.tuning.inverse.pairs import (
    Pairs,
    average_covariance,
    from_runs,
    from_surrogate,
    make_noise,
    surrogate_correlation,
)
from sbitune.tuning.surrogates.heldout.evaluation import check_comparable
from sbitune.tuning.surrogates.protocols import Surrogate

#: points of which the compression is made, at most
_POINTS_OF_COMPRESSION = 4096
#: pairs that choose the best epoch, if they come from a surrogate
_VALIDATION_PAIRS = 2000
#: times that the bins of a run are jittered for the pairs that choose the best epoch
_COPIES = 8
#: runs per parameter below which a model cannot be trained on the runs
_RUNS_PER_PARAMETER = 10
#: a bin's Monte Carlo error is noted if it exceeds this part of the measured error
_COMPARABLE = 0.5


class _Split(NamedTuple):
    """Who trains, validates and checks."""

    train: Pairs
    validation: Pairs
    rows: Rows  #: of the training pairs and, counted on from there, the validation pairs
    checks: Pairs  #: not used in training; the first of them calibrate
    n_calibration: int
    edge: float  #: how close to the edge of the box parameters are taken to be, at most


def train_inverse(
    key: jax.Array,
    scan: Scan,
    measured: Measured,
    config: InverseConfig,
    surrogate: Surrogate | None = None,
    correlation: np.ndarray | None = None,
    progress: Progress | None = None,
) -> InverseModel:
    """Train an inverse model for a measurement.

    Args:
        key: draws points, noise, initial weights and batches.
        scan: the runs. With a surrogate they only say which contents are reached.
        measured: values with their errors. Its weights do not enter: a posterior has none.
        config: see `InverseConfig`.
        surrogate: of this scan; without one the runs themselves are what is learnt from, and the prior is their design.
        correlation: (n_bins, n_bins) of Monte Carlo errors in the measured bins, of the runs and of pseudo-data; None:
            the unit matrix. How a surrogate's errors move together it says itself.
        progress: called after every epoch, see `sbitune.learning.training.Progress`.

    Raises:
        InputError: too few runs, a surrogate of another scan, a correlation of another shape.
        ComputationError: a loss is not finite, a bin without an error, a surrogate that is not finite.
    """
    pair_key, noise_key, member_key, calibration_key = jax.random.split(check_key(key), 4)
    noise = make_noise(measured, correlation)
    notes = _notes_on_data(scan, measured, surrogate)
    if surrogate is None:
        split, said = _split_runs(pair_key, scan, measured, config)
        notes, of_model = notes + said, correlation
    else:
        check_comparable(surrogate, scan)
        of_model = surrogate_correlation(surrogate, measured)
        split = _split_points(pair_key, surrogate, measured, of_model, config)
    few = split.train.take(np.arange(len(split.train.unit))[:_POINTS_OF_COMPRESSION])
    most = config.directions_per_parameter * len(scan.parameters)
    compression = make_compression(
        few.unit, few.mean, noise.covariance, average_covariance(few.error, of_model), most, measured.bins
    )
    keys = jax.random.split(noise_key, 3)
    known = [
        compression.apply(pairs.values + noise.draw(k, len(pairs.unit)))
        for k, pairs in zip(keys, (split.train, split.validation), strict=False)
    ]
    checks = split.checks.values + noise.draw(keys[2], len(split.checks.unit))
    mixture = train_mixture(
        member_key,
        np.concatenate([split.train.unit, split.validation.unit]),
        np.concatenate([compression.apply(split.train.values), known[1]]),
        config,
        split.rows,
        noise=KnownNoise(compression.jitter, known[0]),
        edge=split.edge,
        progress=progress,
    ).mixture
    calibration = calibrate_posterior(
        calibration_key,
        tuple(p.name for p in scan.parameters),
        mixture,
        split.checks.unit[: split.n_calibration],
        compression.apply(checks[: split.n_calibration]),
        config.calibration_draws,
    )
    cloud = make_cloud(compression, known[0], checks)
    reached = np.stack([scan.values.min(axis=0), scan.values.max(axis=0)])[:, measured.indices]
    inside = look_inside(cloud, compression, measured.values, reached, measured.total_errors, measured.bins)
    return InverseModel(
        parameters=scan.parameters if surrogate is None else surrogate.parameters,
        bins=measured.bins,
        values=measured.values,
        errors=measured.total_errors,
        reached=reached,
        config=config,
        compression=compression,
        mixture=mixture,
        cloud=cloud,
        calibration=calibration,
        inside=inside,
        notes=(*inside.notes(), *calibration.notes(), *compression.notes(), *notes),
    )


def _split_points(
    key: jax.Array, surrogate: Surrogate, measured: Measured, correlation: np.ndarray, config: InverseConfig
) -> _Split:
    """Draw points afresh for every purpose; all members train on the same."""
    sizes = (config.points, _VALIDATION_PAIRS, max(config.checks, config.calibration_pairs))
    keys = jax.random.split(key, 3)
    parts = [from_surrogate(k, surrogate, measured, correlation, n) for k, n in zip(keys, sizes, strict=True)]
    rows = Rows(
        np.tile(np.arange(sizes[0]), (config.members, 1)),
        np.tile(np.arange(sizes[0], sizes[0] + sizes[1]), (config.members, 1)),
    )
    return _Split(parts[0], parts[1], rows, parts[2], config.calibration_pairs, EDGE)


def _split_runs(
    key: jax.Array, scan: Scan, measured: Measured, config: InverseConfig
) -> tuple[_Split, tuple[str, ...]]:
    """Hold out runs for the checks and deal the others to the members, each of which validates on its part."""
    pairs = from_runs(scan, measured)
    within = (np.abs(pairs.unit) <= 1).all(axis=1)
    notes = ()
    if not within.all():
        named = ", ".join(scan.runs[i] for i in np.flatnonzero(~within)[:5])
        notes = (f"{np.sum(~within)} runs outside the box are left out of the inverse model's training: {named}",)
    chosen = np.flatnonzero(within)
    needed = _RUNS_PER_PARAMETER * len(scan.parameters)
    if len(chosen) < needed:
        raise InputError(
            f"an inverse model of {len(scan.parameters)} parameters needs at least {needed} runs inside the box, "
            f"the scan has {len(chosen)}: train a surrogate and give it, or add runs"
        )
    order_key, fold_key = jax.random.split(key)
    linked = linked_runs(scan)  # runs that share measurements stay together
    groups = np.unique(linked[chosen])
    shuffled = groups[np.asarray(jax.random.permutation(order_key, len(groups)))]
    n_held = min(max(1, round(config.held_out * len(groups))), len(groups) - 2 * config.members)
    if n_held < 1:
        raise InputError(
            f"the {len(chosen)} runs share measurements in {len(groups)} groups, too few to hold some out and to deal "
            f"the others to {config.members} members: train a surrogate and give it"
        )
    held, used = (np.concatenate([chosen[linked[chosen] == g] for g in part])
                  for part in (shuffled[:n_held], shuffled[n_held:]))  # fmt: skip
    alone = spread_over(linked[held], n_held)  # one of each calibrates
    held = np.concatenate([held[alone], np.delete(held, alone)])
    if scan.copies:
        folds = fold_groups(fold_key, linked[used], config.members)
    else:
        folds = fold_rows(fold_key, len(used), config.members)
    copies = folds.validation[:, :, None] * _COPIES + np.arange(_COPIES) + len(used)
    rows = Rows(folds.train, copies.reshape(config.members, -1))
    repeated = np.tile(held, -(-config.checks // len(held)))
    split = _Split(
        train=pairs.take(used),
        validation=pairs.take(np.repeat(used, _COPIES)),
        rows=rows,
        checks=pairs.take(repeated),
        n_calibration=min(config.calibration_pairs, n_held),
        # a box drawn around n uniform points is too small by about this at either end
        edge=1 / (len(chosen) + 1),
    )
    return split, notes


def _notes_on_data(scan: Scan, measured: Measured, surrogate: Surrogate | None) -> tuple[str, ...]:
    notes = []
    if np.ptp(measured.weights) > 0:
        notes.append("the inverse model does not know the weights of the fit: all bins count with their errors")
    errors = np.median(scan.errors[:, measured.indices], axis=0)
    loud = np.flatnonzero(errors > _COMPARABLE * measured.total_errors)
    if surrogate is None and len(loud):
        named = ", ".join(measured.bins.take(loud[:5]).labels())
        notes.append(
            f"in {len(loud)} bins the Monte Carlo error of the runs is more than {_COMPARABLE:.0%} of the measured "
            f"error ({named}{', ...' if len(loud) > 5 else ''}): a model trained on the runs counts it as noise of the "
            "data, and its posterior is too wide; train with a surrogate, or run more events"
        )
    return tuple(notes)
