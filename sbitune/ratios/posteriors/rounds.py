"""Rounds: simulate where the posterior of one observation is, and learn anew from all simulations.

What theta of a further round are drawn from, and why nothing has to be corrected afterwards:

- NLE and NRE draw from the posterior of the round before (and a tenth from the prior, which keeps modes from being
  lost). A likelihood does not depend on what theta are drawn from; a ratio has the mean over all simulations as its
  denominator, a function of x alone.
- NPE would learn the posterior for another prior. Theta are drawn from the prior cut off where the posterior of the
  round before has density: from the region of highest density that holds all but 1e-3 of it. There the simulations of
  all rounds together have the prior's shape, as the regions lie in each other; outside is a part of 1e-3 of the
  posterior of a round (M. Deistler, P. Goncalves, J. Macke, "Truncated proposals for scalable and hassle-free
  simulation-based inference", arXiv:2210.04815).

A posterior made so holds for its observation and is refused for others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.learning.keys import check_key
from sbitune.ratios.posteriors.posterior import Posterior

#: part of a round that is of the prior; of the posterior that a truncation leaves out
_OF_PRIOR, _LEFT_OUT = 0.1, 1e-3
#: draws that find the region, points that are tried at a time, and how often
_DRAWS, _POINTS, _TRIES = 8192, 16384, 200
#: the box around the draws in which points are tried is wider on each side by this part
_WIDER = 0.1

#: simulates x (n, n_columns) with a key and theta (n, n_parameters)
Simulate = Callable[[jax.Array, np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class Proposal:
    """Where theta of a further round are drawn for one observation. Made by `propose`."""

    posterior: Posterior
    x: np.ndarray  #: (n_columns,) the observation
    least: float | None  #: log density above which a truncated prior is; None: the posterior itself
    box: np.ndarray | None  #: (2, n_parameters) in the coordinates of the prior's probability, around the region

    def sample(self, shape: tuple[int, ...], *, key: jax.Array) -> np.ndarray:
        """Draw theta (*shape, n_parameters). Raises `ComputationError` if the region is not found again."""
        n = int(np.prod(shape))
        theta = self._of_posterior(check_key(key), n) if self.least is None else self._truncated(check_key(key), n)
        return theta.reshape(*shape, -1)

    def contains(self, theta: np.ndarray) -> np.ndarray:
        """Whether theta (n, n_parameters) can be of it (n,)."""
        inside = self.posterior.model.prior.contains(theta)
        if self.least is None:
            return inside
        return inside & (self.posterior.log_prob(theta, self.x) >= self.least)

    def _of_posterior(self, key: jax.Array, n: int) -> np.ndarray:
        of_prior, of_posterior, order = jax.random.split(key, 3)
        few = round(_OF_PRIOR * n)
        drawn = self.posterior.sample((n - few,), x=self.x, key=of_posterior)
        theta = np.concatenate([self.posterior.model.prior.draw(of_prior, few), drawn])
        return theta[np.asarray(jax.random.permutation(order, n))]

    def _truncated(self, key: jax.Array, n: int) -> np.ndarray:
        assert self.box is not None
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
        kept, found, (low, high) = [], 0, self.box
        for _ in range(_TRIES):
            v = random.uniform(low, high, size=(_POINTS, len(low)))
            theta = self.posterior.model.prior.from_cumulative(v)
            kept.append(theta[self.contains(theta)])
            found += len(kept[-1])
            if found >= n:
                return np.concatenate(kept)[:n]
        raise ComputationError(
            f"{found} of {n} theta of the truncated prior were found among {_TRIES * _POINTS:,}: the posterior is a "
            "small part of the prior; take NLE or NRE, which draw from it, or a narrower prior"
        )


def propose(key: jax.Array, posterior: Posterior, x: Any) -> Proposal:
    """Where to simulate next for the observation x (n_columns,). Raises as `Posterior.sample`."""
    x = np.asarray(x, np.float64)
    if x.ndim != 1:
        raise InputError(f"rounds are for one observation (n_columns,), found shape {x.shape}", code="posterior-shape")
    model = posterior.model
    if not model.method.posterior:
        return Proposal(posterior, x, None, None)
    draws = posterior.sample((_DRAWS,), x=x, key=key)
    least = float(np.quantile(posterior.log_prob(draws, x), _LEFT_OUT))
    v = model.prior.to_cumulative(draws)
    wider = _WIDER * np.ptp(v, axis=0)
    return Proposal(posterior, x, least, np.clip([v.min(axis=0) - wider, v.max(axis=0) + wider], 0, 1))


def run_rounds(
    key: jax.Array,
    inference: Any,
    simulate: Simulate,
    x: Any,
    *,
    rounds: int,
    simulations: int,
) -> Posterior:
    """Simulate and train in rounds, the first of the prior.

    Args:
        key: draws and trains.
        inference: `NPE`, `NLE` or `NRE`; simulations of the prior that it has already are the first round.
        simulate: see `Simulate`.
        x: (n_columns,) the observation.
        rounds: how often is trained.
        simulations: of each round.
    """
    proposal = None
    for number, keys in enumerate(jax.random.split(check_key(key), rounds)):
        draw_key, simulate_key, train_key, propose_key = jax.random.split(keys, 4)
        if number or not inference.rounds:
            if proposal is None:
                theta = inference.prior.draw(draw_key, simulations)
            else:
                theta = proposal.sample((simulations,), key=draw_key)
            inference.append_simulations(theta, simulate(simulate_key, theta), proposal=proposal)
        inference.train(train_key)
        if number + 1 < rounds:
            proposal = propose(propose_key, inference.build_posterior(), x)
    return inference.build_posterior()
