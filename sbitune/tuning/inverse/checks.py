"""Calibration of a finished model on runs of the generator itself."""

from dataclasses import replace

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import parameter_box
from sbitune.data.scan import Scan
from sbitune.fitting.checks.calibration import Calibration, calibrate_posterior
from sbitune.fitting.likelihood.measured import Measured
from sbitune.learning.keys import check_key
from sbitune.tuning.inverse.model import InverseModel
from sbitune.tuning.inverse.pairs import from_runs, make_noise


def calibrate_on_runs(
    key: jax.Array, model: InverseModel, runs: Scan, measured: Measured, correlation: np.ndarray | None = None
) -> Calibration:
    """Calibrate on runs that neither the model nor its surrogate has seen, each moved by the data's errors once.

    The calibration that a model carries is on pairs of the kind that trained it, and cannot see what the surrogate does
    wrong. This one can. A run has Monte Carlo errors of its own that data do not have: unless these are small, the
    model must have been trained for measurements with them, `as_noisy` as these.

    Args:
        key: draws the data's errors and the posteriors.
        model: a trained model.
        runs: of the same parameters and bins as the scan; runs outside the model's box are not used.
        measured: the errors that move the runs, without Monte Carlo errors.
        correlation: likewise.

    Raises:
        InputError: other parameters, or no run inside the box.
    """
    noise_key, rank_key = jax.random.split(check_key(key))
    names = tuple(p.name for p in model.parameters)
    if tuple(p.name for p in runs.parameters) != names:
        theirs = ", ".join(p.name for p in runs.parameters)
        raise InputError(f"the runs have the parameters {theirs}, the model {', '.join(names)}")
    centre, half = parameter_box(model.parameters)
    unit = (runs.theta - centre) / half
    within = (np.abs(unit) <= 1).all(axis=1)
    if not within.any():
        raise InputError("none of the runs lies inside the box of the inverse model")
    pairs = from_runs(runs.take_runs(within), measured)
    values = pairs.values + make_noise(measured, correlation).draw(noise_key, len(pairs.values))
    compressed = model.compression.apply(values)
    return calibrate_posterior(rank_key, names, model.mixture, unit[within], compressed, model.config.calibration_draws)


def as_noisy(measured: Measured, runs: Scan) -> Measured:
    """The measurement with the Monte Carlo errors of runs (root mean square) besides its own."""
    own = np.sqrt(np.mean(runs.errors[:, measured.indices] ** 2, axis=0))
    return replace(measured, noise=np.hypot(measured.noise, own))
