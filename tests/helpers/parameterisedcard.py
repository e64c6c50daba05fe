"""Cards of a ratio that depends on parameters, of Gaussians whose means are the parameters."""

from pathlib import Path

import numpy as np

from helpers.ratiotoys import Shifted
from sbitune.data.events import write_events

CARD = """family: parameterised
title: Gaussians whose means are unknown
columns: [x0, x1]
parameters:
  mean0: {low: -1, high: 1}
  mean1: {low: -1, high: 1}
events: events.npz
reference: reference.npz
point: {mean0: 0, mean1: 0}
data: data.npz
ratio: {members: 2, training: {epochs: 10, batch_size: 512, learning_rate: 0.004, patience: 10}}
fit: {toys: 20, starts: 2}
"""
TOY = Shifted(2)
#: of the data
TRUTH, N_DATA = np.array([0.3, -0.4]), 400


def write_shifted(place: Path, n: int = 20_000, seed: int = 1) -> Path:
    """A directory with a card, its simulated events and data."""
    rng = np.random.default_rng(seed)
    place.mkdir(exist_ok=True)
    (place / "card.yaml").write_text(CARD)
    write_events(place / "events.npz", TOY.draw(rng, n, truth=True))
    write_events(place / "reference.npz", TOY.draw(rng, n, np.zeros(2)))
    write_events(place / "data.npz", TOY.draw(rng, N_DATA, TRUTH))
    return place
