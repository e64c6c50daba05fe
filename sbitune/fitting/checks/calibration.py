"""Simulation-based calibration: do posteriors hold the truth as often as they claim?

For pairs (theta, x) drawn as in training, and L draws from the posterior given x, the rank of theta_i among its draws
is uniform in 0..L if the posterior is exact, for every parameter i and for every function of theta and x (S. Talts,
M. Betancourt, D. Simpson, A. Vehtari, A. Gelman, arXiv:1804.06788). With the tie broken at random, u = (rank + U)/(L+1)
is uniform in [0, 1]. Two of its moments say what is wrong:

    mean of u - 1/2,            expected 0 +- sqrt(1/12 N):    the posterior is shifted;
    mean of (u - 1/2)^2,  expected 1/12 +- sqrt(1/180 N):      too large, it is too narrow; too small, too wide.

Ranks of single parameters do not see wrong correlations. The rank of the density at the truth, log q(theta | x), does:
it says how often the smallest region of given probability holds the truth.
"""

from typing import NamedTuple, Protocol

import jax
import numpy as np

from sbitune.fitting.checks.ranks import SIGNIFICANT, p_of_uniform, uniform_ranks, uniformity

LEVELS = (0.68, 0.95)


class Calibration(NamedTuple):
    """Ranks of true parameters among draws from their posteriors."""

    names: tuple[str, ...]  #: (n_parameters,)
    ranks: np.ndarray  #: (n_pairs, n_parameters) u in [0, 1], uniform if the posterior is exact
    joint: np.ndarray  #: (n_pairs,) part of the posterior with higher density than the truth, likewise
    coverage: np.ndarray  #: (2, n_parameters) part of the truths inside central intervals of 68 and 95 %
    coverage_error: np.ndarray  #: (2,) binomial standard deviation of these, if the posterior is exact
    joint_coverage: np.ndarray  #: (2,) the same for the smallest regions in all parameters together
    shift: np.ndarray  #: (n_parameters,) standard deviations by which mean ranks differ from 1/2; > 0: draws too low
    width: np.ndarray  #: (n_parameters,) likewise of squared ranks; > 0: too narrow, < 0: too wide
    p_value: float  #: that any parameter's ranks, or the joint ones, differ so from uniform (Kolmogorov, times number)

    def verdicts(self) -> dict[str, str]:
        """Say for every parameter: `consistent`, or what is significantly wrong."""
        return {name: _verdict(s, w) for name, s, w in zip(self.names, self.shift, self.width, strict=True)}

    def notes(self) -> tuple[str, ...]:
        """Say what a reader must know."""
        wrong = {name: verdict for name, verdict in self.verdicts().items() if verdict != "consistent"}
        said = [f"calibration: the posterior of {name} is {verdict}" for name, verdict in wrong.items()]
        off = np.abs(self.joint_coverage - LEVELS) > SIGNIFICANT * self.coverage_error
        if off.any() and not wrong:
            held = ", ".join(f"{c:.0%} (of {level:.0%})" for c, level in zip(self.joint_coverage, LEVELS, strict=True))
            said.append(f"calibration: regions in all parameters together hold the truth in {held} of the cases")
        return tuple(said)


class ConditionalPosterior(Protocol):
    """A posterior for every data, as an ensemble of flows is. The unit of parameters is its own."""

    @property
    def n_members(self) -> int:
        """Number of densities whose equal mixture it is."""
        ...

    def draw(self, key: jax.Array, c: np.ndarray, n: int, /) -> np.ndarray:
        """Draw (m, n_members, n, n_parameters) given m times data c (m, k), n from every member."""
        ...

    def log_prob(self, theta: np.ndarray, c: np.ndarray, /) -> np.ndarray:
        """Log density (m,) at parameters (m, n_parameters) given data c (m, k)."""
        ...


def calibrate_posterior(
    key: jax.Array,
    names: tuple[str, ...],
    posterior: ConditionalPosterior,
    truth: np.ndarray,
    c: np.ndarray,
    n_draws: int,
) -> Calibration:
    """Rank truths (n_pairs, n_parameters) among `n_draws` draws of the posteriors given their data c (n_pairs, k)."""
    draw_key, rank_key = jax.random.split(key)
    n, n_parameters = truth.shape
    draws = posterior.draw(draw_key, c, -(-n_draws // posterior.n_members)).reshape(n, -1, n_parameters)
    every = np.concatenate([truth[:, None], draws], axis=1)
    density = posterior.log_prob(every.reshape(-1, n_parameters), np.repeat(c, every.shape[1], axis=0)).reshape(n, -1)
    return calibrate(rank_key, names, truth, draws, density[:, 0], density[:, 1:])


def calibrate(
    key: jax.Array,
    names: tuple[str, ...],
    truth: np.ndarray,
    draws: np.ndarray,
    density_truth: np.ndarray,
    density_draws: np.ndarray,
) -> Calibration:
    """Rank truths among draws from their posteriors.

    Args:
        key: breaks ties.
        names: (n_parameters,) for messages.
        truth: (n_pairs, n_parameters).
        draws: (n_pairs, n_draws, n_parameters) from the posterior that belongs to each.
        density_truth: (n_pairs,) log density of the posterior at the truth.
        density_draws: (n_pairs, n_draws) and at the draws.
    """
    single, joint = jax.random.split(key)
    ranks = uniform_ranks(single, (draws < truth[:, None]).sum(axis=1), draws.shape[1])
    order = uniform_ranks(joint, (density_draws > density_truth[:, None]).sum(axis=1), draws.shape[1])
    n = len(truth)
    levels = np.array(LEVELS)
    columns = [*ranks.T, order]
    p, moments = min(p_of_uniform(column) for column in columns), uniformity(ranks)
    return Calibration(
        names=names,
        ranks=ranks,
        joint=order,
        coverage=np.mean(2 * np.abs(ranks - 0.5) < levels[:, None, None], axis=1),
        coverage_error=np.sqrt(levels * (1 - levels) / n),
        joint_coverage=np.mean(order < levels[:, None], axis=1),
        shift=np.asarray(moments.shift),
        width=np.asarray(moments.width),
        p_value=float(min(1.0, len(columns) * p)),
    )


def _verdict(shift: float, width: float) -> str:
    said = []
    if abs(shift) > SIGNIFICANT:
        said.append("too low" if shift > 0 else "too high")
    if abs(width) > SIGNIFICANT:
        said.append("too narrow" if width > 0 else "too wide")
    return " and ".join(said) or "consistent"
