r"""Members are combined by the loss itself, on events that none of them was trained on.

All losses are linear in the weights of events of theta, and in those of the reference: w d/dw of the slope of the loss
in phi is what an event contributes to it, as a member of a pair with others, too (the infinitesimal jackknife: L. A.
Jaeckel, Bell Laboratories Memorandum MM 72-1215-11 (1972)). Both samples are normalised to their sums of weights, so
that contributions count from their mean. Their squares, summed over events or over groups of such, make the sandwich
covariance of phi (see `learning.sandwich`), the w_i f_i ensemble of arXiv:2506.00113 for parameters.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.precision import double_precision
from sbitune.learning.keys import check_key
from sbitune.learning.networks import Fixed
from sbitune.learning.sandwich import fit_with_sandwich
from sbitune.ratios.parameterised.combination.network import CombinedNetwork, mean_of_members, member, stack_of
from sbitune.ratios.parameterised.losses.binary import Binary
from sbitune.ratios.parameterised.losses.registry import RatioLoss, loss_of
from sbitune.ratios.parameterised.ratio import LearnedRatio, check_columns
from sbitune.ratios.parameterised.samples import Paired, RatioEvents, check_alike, pair_all
from sbitune.ratios.parameterised.training import check_loss

#: rows of which second derivatives are found at once, at most and at least
_ROWS = (1024, 64)


def combine_members(
    key: jax.Array,
    ratio: LearnedRatio,
    events: RatioEvents,
    reference: RatioEvents | None,
    loss: RatioLoss | None = None,
) -> LearnedRatio:
    """Return the ratio with its members combined, and the covariance of what combines them.

    Args:
        key: draws the order of events, in which they are paired.
        ratio: as trained; a correction that it has is left out, and a combination replaced.
        events: each with its theta, none of which trained or chose an epoch.
        reference: such of the reference; None: the marginal of `events`.
        loss: by default that of the ratio's config; losses that compare events of equal weights only give way to the
            binary one, which has the same minimum.

    Raises:
        InputError: as `train_ratio`.
        ComputationError: the loss has no minimum.
    """
    sample = events if reference is None else reference
    check_alike(events, sample)
    check_columns("the members", ratio, events.columns, events.parameters, events.set_columns)
    loss = loss_of(ratio.config.loss) if loss is None else loss
    loss = Binary() if getattr(loss, "equal_weights", False) else loss
    rows = pair_all(check_key(key), events, sample, *_ROWS)
    check_loss(loss, rows.data, events, sample)
    members = ratio.networks if ratio.combination is None else member(ratio.networks).members
    start = mean_of_members(members, Fixed(member(members.inputs.value)))
    own = replace(ratio, networks=stack_of(start))
    prepared = {name: own.prepare(rows.data[name])[:, 0] for name in ("x", "x_ref")}  # networks of x run once
    batches = jax.tree.map(lambda leaf: leaf.reshape(-1, rows.size, *leaf.shape[1:]), rows.data | prepared)

    def derivatives(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        slope, bread = (np.asarray(part) for part in _slopes(start, phi, batches, loss=loss))
        return -slope, bread, _scatter(rows, *_contributions(start, phi, batches, loss=loss))

    with double_precision():
        phi, covariance = fit_with_sandwich(start.phi, derivatives, np.ones(len(rows.data["weight"])))
    return replace(ratio, networks=stack_of(replace(start, phi=phi)), combination=covariance, correction=None)


@dataclass(frozen=True)
class _OfPrepared:
    """A network of what it has prepared."""

    network: CombinedNetwork

    @property
    def inputs(self) -> Fixed:
        return self.network.inputs

    def prepare(self, prepared: Any) -> Any:
        return prepared

    def embed(self, theta: Any) -> Any:
        return self.network.embed(theta)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        return self.network.combine(embedded, prepared)

    def matrix(self, embedded: Any, prepared: Any) -> Any:
        return self.network.matrix(embedded, prepared)


def _scatter(rows: Paired, *of_samples: Any) -> np.ndarray:
    """S (n_phi, n_phi) of what rows contribute, (n_rows, n_phi) of each sample."""
    units = np.zeros((rows.n_units, of_samples[0].shape[-1]))
    for unit, weight, each in zip(rows.units, rows.weights, of_samples, strict=True):
        each = np.asarray(each).reshape(len(unit), -1)
        np.add.at(units, unit, each - weight[:, None] * (each.sum(axis=0) / weight.sum()))
    return units.T @ units


@partial(jax.jit, static_argnames="loss")
def _slopes(start: CombinedNetwork, phi: Any, batches: Any, *, loss: Any) -> Any:
    """First and second derivatives of the sum over all rows."""

    def add(so_far: Any, batch: Any) -> tuple[Any, None]:
        def total(phi: Any) -> Any:
            return jnp.sum(loss(_OfPrepared(replace(start, phi=phi)), batch, _KEY))

        return jax.tree.map(jnp.add, so_far, (jax.grad(total)(phi), jax.hessian(total)(phi))), None

    nothing = jnp.zeros(len(phi)), jnp.zeros((len(phi),) * 2)
    return jax.lax.scan(add, nothing, batches)[0]


@partial(jax.jit, static_argnames="loss")
def _contributions(start: CombinedNetwork, phi: Any, batches: Any, *, loss: Any) -> Any:
    """What rows add to the slope, w d/dw of it (n_batches, n_rows, n_phi), for weights of both samples."""

    def of_batch(batch: Any) -> Any:
        names = ("weight", "weight_ref")
        weights = tuple(jnp.asarray(batch[name], float) for name in names)

        def by_weights(phi: Any) -> Any:
            def total(*weights: Any) -> Any:
                return jnp.sum(
                    loss(_OfPrepared(replace(start, phi=phi)), batch | dict(zip(names, weights, strict=True)), _KEY)
                )

            return jax.grad(total, (0, 1))(*weights)

        return tuple(w[:, None] * each for w, each in zip(weights, jax.jacfwd(by_weights)(phi), strict=True))

    return jax.lax.map(of_batch, batches)


#: no loss draws anything
_KEY: Any = None
