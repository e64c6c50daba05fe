"""Cards of the mixture of `mixture`, with small samples."""

from pathlib import Path

import numpy as np

from helpers.mixture import draw
from sbitune.data.events import Events, write_events

CARD = """family: ratios
title: a signal beside a background that moves
columns: [x, y]
parameters:
  mu: {low: 0, high: 6}
  nu: {low: -2, high: 2, measured: {error: 1}}
samples:
  signal: {events: signal.npz, expected: 50, scale: mu}
  background:
    events: background.npz
    expected: 1000
    responses:
      nu:
        kind: learned
        extrapolate: true
        samples: [{events: down.npz, value: -1}, {events: up.npz, value: 1}]
network: {hidden: [8], members: 2, epochs: 6, batch_size: 256}
fit: {toys: 20, starts: 2}
data: data.npz
"""


def table(x: np.ndarray, **more) -> Events:
    """Events with columns x and y."""
    return Events.of({"x": x[:, 0], "y": x[:, 1]}, **more)


def write_mixture(place: Path, shift: float = 1.0, n: int = 4000, seed: int = 1) -> Path:
    """A directory with a card, its samples and data that are as expected."""
    rng = np.random.default_rng(seed)
    place.mkdir(exist_ok=True)
    (place / "card.yaml").write_text(CARD)
    for name, x in (
        ("signal", draw(rng, n, 0)),
        ("background", draw(rng, 0, n)),
        ("down", draw(rng, 0, n // 2, -shift)),
        ("up", draw(rng, 0, n // 2, shift)),
        ("data", draw(rng, 50, 1000)),
    ):
        write_events(place / f"{name}.npz", table(x))
    return place
