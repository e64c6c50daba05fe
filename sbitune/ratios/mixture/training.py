"""All that a mixture learns: ratios of its samples and their responses, normalised on events that were held back."""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.mixture.classes import ClassRatios, calibrated_ratios, train_classes
from sbitune.ratios.mixture.learning import Learned
from sbitune.ratios.mixture.model import Held, Mixture, Process
from sbitune.ratios.mixture.responses import Response, train_response
from sbitune.ratios.samples import Samples, Simulated

#: events that are kept of what was held back, at most
_KEPT = 1_000_000


class MeanRatio(NamedTuple):
    """E_ref[r] of a sample over validation events: 1 for the true ratio."""

    mean: float
    error: float  #: from the number of events


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
    if card.calibration != "none":
        ratios = calibrated_ratios(ratios, nominal, card.calibration)
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
    means = _means(ratios, nominal)
    processes = tuple(Process(name, sample.expected, sample.scale) for name, sample in card.samples.items())
    return Mixture(card.columns, processes, ratios, tuple(responses), loaded.own_parameters(), held), notes, means


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


def _means(ratios: ClassRatios, samples: list[Simulated]) -> dict[str, MeanRatio]:
    """Mean ratios over events that neither networks nor their combination learned from, but for the best epoch."""
    parts = [sample.of("validation") for sample in samples]
    total, variance = np.zeros(len(parts)), np.zeros(len(parts))
    for fraction, part in zip(ratios.fractions, parts, strict=True):
        r = np.exp(ratios.log_ratios(part.x).astype(np.float64))
        w = part.weights / part.weights.sum()
        middle = w @ r
        total += fraction * middle
        variance += fraction**2 * np.sum((w[:, None] * (r - middle)) ** 2, axis=0)
    rows = zip(ratios.names, total.tolist(), np.sqrt(variance).tolist(), strict=True)
    return {name: MeanRatio(mean, error) for name, mean, error in rows}
