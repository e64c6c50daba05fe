"""Are posteriors of simulations that no network has seen what they claim to be?

For each of them the posterior is sampled. Ranks of the true parameters among the draws (SBC), expected coverage of
regions of highest density and TARP see all observations together; L-C2ST looks at the observation of the card.
"""

import warnings
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.fitting.checks.calibration import calibrate
from sbitune.fitting.checks.regions import RegionCoverage, expected_coverage, tarp
from sbitune.learning.twosamples.local import local_c2st
from sbitune.learning.twosamples.samples import LEAST
from sbitune.ratios.posteriors.judgement import LearningWarning
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.posterior import Posterior
from sbitune.ratios.posteriors.sampling.likelihood import Likelihood
from sbitune.ratios.posteriors.simulations import Simulations


class CurveRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How often regions of all parameters together hold the truth."""

    levels: list[float]
    """(n_levels,) credibility."""
    coverage: list[float]
    """(n_levels,) part of the truths inside."""
    error: list[float]
    narrow: float
    """Standard deviations by which regions are too small; < 0: too large."""
    p_value: float
    verdict: str
    """consistent, too narrow, too wide or wrong."""


class RanksRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Ranks of true parameters among draws from their posteriors, for one parameter."""

    ranks: list[float]
    """(n_pairs,) uniform from 0 to 1 if all is exact."""
    coverage68: float
    """Part of the truths in central intervals of 68 %."""
    coverage95: float
    verdict: str
    """consistent, or too low, high, narrow or wide."""


class CalibrationRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What posteriors of held simulations say."""

    pairs: int
    draws: int
    parameters: dict[str, RanksRecord]
    p_value: float
    """That ranks of any parameter are uniform."""
    expected: CurveRecord
    """Of regions of highest density."""
    tarp: CurveRecord
    """Of random regions."""
    first: list[list[float]]
    """(n_pairs, n_parameters) one draw from each posterior, for the test at the observation."""


class LocalRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The posterior of the observation, by classifiers (L-C2ST)."""

    statistic: float
    """Mean of (d - 1/2)^2, 0 if exact, at most 1/4."""
    chance: float
    """What it is by chance in one of twenty."""
    p_value: float


class Sampled(NamedTuple):
    """Posteriors of held simulations."""

    truth: np.ndarray  #: (n_pairs, n_parameters)
    draws: np.ndarray  #: (n_pairs, n_draws, n_parameters)
    density_truth: np.ndarray  #: (n_pairs,) up to a constant for each
    density_draws: np.ndarray  #: (n_pairs, n_draws)


def sample_held(
    key: jax.Array, model: Model, held: Simulations, n_pairs: int, n_draws: int, reporter: Reporter
) -> Sampled:
    """Sample the posteriors of the first held simulations. Raises `ComputationError` as `Posterior.sample`."""
    posterior, truth, x = Posterior(model), held.theta[:n_pairs], held.x[:n_pairs]
    draws, densities = [], []
    for i, (one, given) in enumerate(zip(truth, x, strict=True)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LearningWarning)  # some are the outermost in a column, as any may be
            draws.append(posterior.sample((n_draws,), x=given, key=jax.random.fold_in(key, i)))
        densities.append(log_density(model, np.concatenate([one[None], draws[-1]]), given))
        reporter.progress("sampling posteriors of held simulations", i + 1, len(truth))
    density = np.stack(densities)
    return Sampled(truth, np.stack(draws), density[:, 0], density[:, 1:])


def log_density(model: Model, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Log density (n,) of the posterior at theta (n, n_parameters) given x (n_columns,), up to a constant."""
    if model.method.posterior:
        return model.log_value(theta, x)
    return Likelihood.of(model, x).at(theta) + model.prior.log_prob(theta)


def calibration_of(key: jax.Array, model: Model, sampled: Sampled) -> CalibrationRecord:
    """Ranks and coverage."""
    rank_key, region_key, tarp_key = jax.random.split(key, 3)
    names = model.prior.names
    found = calibrate(rank_key, names, sampled.truth, sampled.draws, sampled.density_truth, sampled.density_draws)
    verdicts = found.verdicts()
    rows = {
        name: RanksRecord(
            found.ranks[:, i].tolist(), float(found.coverage[0, i]), float(found.coverage[1, i]), verdicts[name]
        )
        for i, name in enumerate(names)
    }
    expected = expected_coverage(region_key, sampled.density_truth, sampled.density_draws)
    unit = model.prior.to_unit
    random = tarp(tarp_key, unit(sampled.truth), unit(sampled.draws))
    n_pairs, n_draws = sampled.draws.shape[:2]
    return CalibrationRecord(
        n_pairs, n_draws, rows, found.p_value, _curve(expected), _curve(random), sampled.draws[:, 0].tolist()
    )


def local_test(
    key: jax.Array,
    model: Model,
    held: Simulations,
    first: np.ndarray,
    observation: np.ndarray,
    draws: np.ndarray,
    n_permutations: int,
) -> LocalRecord | None:
    """Judge a posterior at an observation.

    Args:
        key: permutes labels, draws weights and batches.
        model: of which the posterior is.
        held: simulations that it has not seen.
        first: (n_pairs, n_parameters) a draw from the posterior of each of the first of these.
        observation: (n_columns,).
        draws: (n_draws, n_parameters) from its posterior.
        n_permutations: classifiers that have nothing to learn.

    Returns:
        The test; None of too few pairs.
    """
    n = len(first)
    if n < LEAST:
        return None
    unit = model.prior.to_unit
    found = local_c2st(
        key,
        unit(held.theta[:n]),
        model.scaling.apply(held.x[:n]),
        unit(first),
        model.scaling.apply(observation)[None],
        unit(draws)[None],
        n_permutations=n_permutations,
    )
    chance = float(np.quantile(found.null[:, 0], 0.95))
    return LocalRecord(float(found.statistic[0]), chance, float(found.p_value[0]))


def _curve(found: RegionCoverage) -> CurveRecord:
    levels = found.levels
    return CurveRecord(
        levels.levels.tolist(),
        levels.coverage.tolist(),
        levels.error.tolist(),
        found.narrow,
        found.p_value,
        found.verdict,
    )
