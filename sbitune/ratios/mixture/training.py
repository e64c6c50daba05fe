"""All that a mixture learns: ratios of its samples and their responses, normalised on events that were held back."""

from typing import NamedTuple

import jax
import numpy as np
from scipy import optimize

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.mixture.classes import ClassRatios, train_classes
from sbitune.ratios.mixture.learning import Learned
from sbitune.ratios.mixture.model import Held, Mixture, Process
from sbitune.ratios.mixture.responses import Response, train_response
from sbitune.ratios.samples import Samples, Simulated

#: events that are kept of what was held back, at most
_KEPT = 1_000_000
#: outputs are shifted if a mean ratio differs from 1 by more of its errors than this: else that adds noise
_SIGNIFICANT = 1.0


class MeanRatio(NamedTuple):
    """E_ref[r] of a sample over events that were held back, before that was made 1: 1 for the true ratio."""

    mean: float
    error: float  #: from the number of events
    shifted: bool  #: whether outputs of the classifier were shifted for it


def train_mixture(
    key: jax.Array, loaded: RatiosCardFile, samples: Samples, reporter: Reporter = QUIET
) -> tuple[Mixture, list[Learned], dict[str, MeanRatio]]:
    """Learn a card's model from its samples.

    Returns:
        The model, how each training went, and the mean ratio of every sample.

    Raises as `train_classes` and `normalise`.
    """
    card = loaded.card
    fractions = np.array(list(loaded.fractions.values()))
    keys = iter(jax.random.split(key, 1 + len(samples.varied)))
    nominal = list(samples.nominal.values())
    ratios, noted = train_classes(next(keys), nominal, card.columns, fractions, card.network, reporter)
    ratios = ratios._replace(names=tuple(samples.nominal))
    notes = [noted] if noted is not None else []
    responses: list[Response] = []
    for (name, nuisance), varied in samples.varied.items():
        response, said = train_response(
            next(keys),
            name,
            nuisance,
            samples.nominal[name],
            varied,
            card.samples[name].responses[nuisance],
            card.columns,
            card.network,
            reporter,
        )
        responses.append(response)
        notes.append(said)
    held = _held(nominal)
    ratios, means = _normalised(ratios, held)
    processes = tuple(Process(name, sample.expected, sample.scale) for name, sample in card.samples.items())
    return Mixture(card.columns, processes, ratios, tuple(responses), loaded.parameters(), held), notes, means


def _held(nominal: list[Simulated]) -> Held:
    parts = [sample.of("held") for sample in nominal]
    share = min(1.0, _KEPT / sum(len(part.x) for part in parts))
    parts = [part._replace(x=part.x[: (n := int(share * len(part.x)))], weights=part.weights[:n]) for part in parts]
    for part in parts:
        if not part.weights.sum() > 0:
            raise InputError(f"{part.name}: weights of {len(part.x)} events that are held back add up to nothing")
    return Held(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([np.full(len(part.x), i, np.int32) for i, part in enumerate(parts)]),
    )


def _normalised(ratios: ClassRatios, held: Held) -> tuple[ClassRatios, dict[str, MeanRatio]]:
    """Shift the classifier's outputs so that mean ratios are 1, if they are off by more than their errors.

    Ratios that are divided by their means instead would no longer add up to 1 for every event.
    """
    weights = held.of_reference(ratios.fractions)
    before = _means(ratios, held, weights)
    if ratios.members is None or all(abs(mean - 1) <= _SIGNIFICANT * error for mean, error in before):
        return ratios, {n: MeanRatio(*m, False) for n, m in zip(ratios.names, before, strict=True)}
    used = np.flatnonzero(ratios.fractions > 0)[1:]  # one may stay: only differences count
    logits = ratios.logits(held.x)

    def off(shifts: np.ndarray) -> np.ndarray:
        moved = np.zeros(len(ratios.names))
        moved[used] = shifts
        return weights @ ratios.of_logits(logits, moved)[:, used] - 1

    found = optimize.root(off, np.zeros(len(used)))
    if not found.success or not np.isfinite(found.x).all():
        raise ComputationError(
            f"mean ratios cannot be made 1: they are {', '.join(f'{m:.3g} +- {e:.2g}' for m, e in before)}; the "
            "classifier did not learn: give more events, or look at their weights"
        )
    shifts = np.zeros(len(ratios.names))
    shifts[used] = found.x
    return ratios._replace(shifts=shifts), {n: MeanRatio(*m, True) for n, m in zip(ratios.names, before, strict=True)}


def _means(ratios: ClassRatios, held: Held, weights: np.ndarray) -> list[tuple[float, float]]:
    """Mean ratios, and their errors from the number of events: those of each sample scatter for themselves."""
    r = np.exp(ratios.log_ratios(held.x).astype(np.float64))
    means, variances = weights @ r, np.zeros(r.shape[1])
    for i in range(len(ratios.names)):
        rows = held.sample == i
        w = weights[rows]
        if w.sum() > 0:
            middle = w @ r[rows] / w.sum()
            variances += np.sum((w[:, None] * (r[rows] - middle)) ** 2, axis=0)
    return [(float(m), float(np.sqrt(v))) for m, v in zip(means, variances, strict=True)]
