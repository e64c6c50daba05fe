"""The posterior of parameters in a box, learnt from pairs of parameters and data (neural posterior estimation).

The density that minimises E[-log q(theta | x)] over pairs (theta, x) is p(theta | x), the posterior for the prior from
which the parameters of the pairs were drawn (G. Papamakarios, I. Murray, arXiv:1605.06376). Pairs from all over the
box with uniform parameters give that of a uniform prior:

    model, held, losses = train_posterior(key, parameters, theta, x, FlowConfig())
    draws = model.sample(key, observed, 10_000)
    ranks = calibrate_posterior(key, model.names, model, theta[held.calibration], x[held.calibration], 100)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import EDGE as OUTSIDE
from sbitune.data.parameter import Parameter, parameter_box
from sbitune.learning.density.config import FlowConfig
from sbitune.learning.density.mixture import Mixture
from sbitune.learning.density.training import train_mixture
from sbitune.learning.keys import check_key
from sbitune.learning.scaling import Scaling, find_scaling
from sbitune.learning.splits import Split, split_events
from sbitune.learning.training import Losses, Progress


@dataclass(frozen=True, eq=False)
class BoxPosterior:
    """The equal mixture of the members of an ensemble; no probability leaves the box."""

    parameters: tuple[Parameter, ...]  #: with the box
    columns: tuple[str, ...]  #: (k,) names of the data's numbers
    config: FlowConfig
    scaling: Scaling  #: of the data
    mixture: Mixture

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(p.name for p in self.parameters)

    @property
    def n_members(self) -> int:
        """Number of flows."""
        return self.mixture.n_members

    def sample(self, key: jax.Array, x: np.ndarray, n: int) -> np.ndarray:
        """Draw theta (n, n_parameters) given data x (k,)."""
        centre, half = parameter_box(self.parameters)
        return centre + half * self.mixture.sample(key, self._scaled(x), n)

    def draw(self, key: jax.Array, x: np.ndarray, n: int) -> np.ndarray:
        """Draw theta (m, n_members, n, n_parameters) given m times data x (m, k), n from every member."""
        centre, half = parameter_box(self.parameters)
        return centre + half * self.mixture.draw(key, self._scaled(x), n)

    def log_prob(self, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the log density (...,) at theta (..., n_parameters) given x (k,) or (..., k); minus infinity outside
        the box.
        """
        centre, half = parameter_box(self.parameters)
        unit = (np.asarray(theta, np.float64) - centre) / half
        return self.mixture.log_prob(unit, self._scaled(x)) - np.log(half).sum()

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, np.float64)
        if x.shape[-1:] != (len(self.columns),):
            raise InputError(f"the posterior reads {len(self.columns)} numbers, got data of the shape {x.shape}")
        bad = ~np.isfinite(x).reshape(-1, x.shape[-1]).all(axis=0)
        if bad.any():
            raise InputError(f"data of the posterior: {self.columns[int(np.argmax(bad))]!r} is not finite")
        return self.scaling.apply(x)


class TrainedPosterior(NamedTuple):
    """A posterior, and how it was trained."""

    posterior: BoxPosterior
    split: Split  #: which pairs trained, validated, and did neither
    losses: Losses  #: (n_epochs, n_members)


def train_posterior(
    key: jax.Array,
    parameters: Sequence[Parameter],
    theta: np.ndarray,
    x: np.ndarray,
    config: FlowConfig,
    *,
    columns: Sequence[str] = (),
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    validation: float = 0.1,
    calibration: float = 0.1,
    progress: Progress | None = None,
) -> TrainedPosterior:
    """Train an ensemble of flows on pairs.

    Args:
        key: splits the pairs, draws initial weights and batches.
        parameters: with the box.
        theta: (n, n_parameters) inside the box.
        x: (n, k) data.
        config: see `FlowConfig`.
        columns: (k,) names of the data's numbers, for messages; by default `x0` and so on.
        weights: (n,) of the pairs, which may be negative; by default 1.
        groups: (n,) ids: pairs of one group stay together.
        validation: part of the pairs that chooses the best epoch, the same for all members.
        calibration: part of the pairs that is not used, for `sbitune.fitting.checks.calibration.calibrate_posterior`.
        progress: called after every epoch, see `sbitune.learning.training.Progress`.

    Raises:
        InputError: arrays that do not fit each other, parameters outside the box, a number that is not finite, a
            constant column, too few pairs or groups.
        ComputationError: a loss is not finite.
    """
    split_key, train_key = jax.random.split(check_key(key))
    parameters, theta, x = tuple(parameters), np.asarray(theta, np.float64), np.asarray(x, np.float64)
    if x.ndim != 2 or theta.shape != (len(x), len(parameters)):
        raise InputError(
            f"pairs: parameters of the shape {theta.shape} and data of the shape {x.shape}, expected "
            f"(n, {len(parameters)}) and (n, k)",
            code="pairs-wrong-shape",
        )
    names = tuple(columns) or tuple(f"x{i}" for i in range(x.shape[-1]))
    unit = _in_box(parameters, theta)
    split = split_events(split_key, len(x), groups, validation=validation, calibration=calibration)
    scaling = find_scaling("pairs", names, x)
    rows = split.rows(config.members)
    trained = train_mixture(train_key, unit, scaling.apply(x), config, rows, weights=weights, progress=progress)
    return TrainedPosterior(BoxPosterior(parameters, names, config, scaling, trained.mixture), split, trained.losses)


def _in_box(parameters: tuple[Parameter, ...], theta: np.ndarray) -> np.ndarray:
    """Map theta (n, n_parameters) to [-1, 1]. Raises `InputError` with the row of what is outside."""
    centre, half = parameter_box(parameters)
    unit = (theta - centre) / half
    outside = ~(np.abs(unit) <= 1 + OUTSIDE)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        p = parameters[column]
        raise InputError(
            f"pairs: {p.name} is {theta[row, column]:g} at row {row}, outside of its range {p.low:g} to {p.high:g}; "
            "give the range from which it was drawn",
            code="pairs-outside-box",
        )
    return np.clip(unit, -1, 1)
