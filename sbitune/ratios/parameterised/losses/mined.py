r"""Losses for what a simulator knows of an event and its history z: the joint ratio and the joint score.

    r(x, z | theta) = p(x, z | theta) / p(x, z | reference),   t(x, z | theta) = d log p(x, z | theta) / d theta

are averages away from those of x alone: E_ref[r(x, z)| x] = r(x), E_p(z | x, theta)[t(x, z)| x] = t(x) = d log r(x) /
d theta (J. Brehmer, K. Cranmer, G. Louppe, J. Pavez, arXiv:1805.00013, 1805.00020). A squared distance from them has
these averages as its minimum, with much less scatter than labels have:

- ROLR: (r - rhat)^2 of events of the reference and (1/r - 1/rhat)^2 of those of theta. Few large r dominate it.
- ALICE (M. Stoye and others, arXiv:1808.00973): the cross entropy with the probabilities s = r / (1 + r) of z in place
  of labels. Over the mixture of both, E[s | x] / E[1 - s | x] = p(x | theta) / p(x | reference).
- The score term, `weight` times the mean over the parameters of (t - d log rhat / d theta)^2 of events of theta, each
  parameter per half of its range; 0 for a parameter of which the simulator tells none. Added to ALICE it is ALICES, to
  ROLR RASCAL, to the binary cross entropy CASCAL; alone and at the reference SALLY, which makes a network of the kind
  `local` the optimal observables t(x | reference).

Expectations are linear in weights of either sign, as in `binary`.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from sbitune.ratios.parameterised.kinds.kind import log_ratio


@dataclass(frozen=True)
class Alice:
    """ALICE, see the module. Each event of the reference keeps the theta of which the simulator told the ratio."""

    needs = ("log_ratio", "log_ratio_ref")

    def __call__(self, network: Any, batch: dict[str, Any], key: jax.Array) -> Any:
        """(n,)"""
        found = 0.0
        for end in ("", "_ref"):
            log_r, truth = log_ratio(network, batch[f"x{end}"], batch[f"theta{end}"]), batch[f"log_ratio{end}"]
            entropy = jax.nn.sigmoid(truth) * jax.nn.softplus(-log_r) + jax.nn.sigmoid(-truth) * jax.nn.softplus(log_r)
            found += batch[f"weight{end}"] * entropy
        return found


@dataclass(frozen=True)
class Rolr:
    """ROLR, see the module."""

    needs = ("log_ratio", "log_ratio_ref")

    def __call__(self, network: Any, batch: dict[str, Any], key: jax.Array) -> Any:
        """(n,)"""
        of_theta = log_ratio(network, batch["x"], batch["theta"])
        of_reference = log_ratio(network, batch["x_ref"], batch["theta_ref"])
        return (
            batch["weight"] * (jnp.exp(-batch["log_ratio"]) - jnp.exp(-of_theta)) ** 2
            + batch["weight_ref"] * (jnp.exp(batch["log_ratio_ref"]) - jnp.exp(of_reference)) ** 2
        )


@dataclass(frozen=True)
class Score:
    """The score term, see the module, added to a loss or alone."""

    added_to: Any = None  #: a loss
    weight: float = 1.0

    @property
    def needs(self) -> tuple[str, ...]:
        """The score, and what the other needs."""
        return ("score", *(() if self.added_to is None else self.added_to.needs))

    def __call__(self, network: Any, batch: dict[str, Any], key: jax.Array) -> Any:
        """(n,)"""
        prepared, width = network.prepare(batch["x"]), network.inputs.value.theta.width
        slope = jax.grad(lambda theta: jnp.sum(network.combine(network.embed(theta), prepared)))(batch["theta"])
        told = jnp.isfinite(batch["score"])  # for all events of a parameter, or for none
        away = jnp.mean(jnp.where(told, width * (jnp.where(told, batch["score"], 0) - slope), 0) ** 2, axis=-1)
        found = self.weight * batch["weight"] * away
        return found if self.added_to is None else found + self.added_to(network, batch, key)
