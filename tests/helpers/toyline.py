"""A tuning line whose truth is known: a toy generator run by a command, three observables, two parameters."""

import sys
from pathlib import Path

import numpy as np

from sbitune.data import yoda
from sbitune.tuning.card import LoadedCard, load_card

X = np.linspace(0.0, 1.0, 9)


def truth(a: float, b: float) -> dict[str, np.ndarray]:
    """Contents of the observables: not polynomials, so that a surrogate has something to learn."""
    middle = 0.5 * (X[1:] + X[:-1])
    return {"/TOY/d01": np.exp(-a * middle), "/TOY/d02": 1 + b * middle + 0.3 * a * b, "/TOY/d03": np.array([a + b])}


#: in plain Python, so that a run takes milliseconds; the same formulas as `truth`
GENERATOR = """
import math, random, sys
a, b, seed = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
middle = [(i + 0.5) / 8 for i in range(8)]
contents = {
    "/TOY/d01": ([math.exp(-a * x) for x in middle], 0.0625),
    "/TOY/d02": ([1 + b * x + 0.3 * a * b for x in middle], 0.0625),
    "/TOY/d03": ([a + b], 0.5),
}
with open("out.yoda", "w") as out:
    for path, (values, half) in contents.items():
        out.write("BEGIN YODA_SCATTER2D_V2 %s\\nPath: %s\\nType: Scatter2D\\n---\\n" % (path, path))
        for i, y in enumerate(values):
            x = middle[i] if len(values) > 1 else 0.5
            out.write("%r %r %r %r 0.01 0.01\\n" % (x, half, half, y + rng.gauss(0, 0.01)))
        out.write("END YODA_SCATTER2D_V2\\n\\n")
"""

CARD = """
title: toy
generator:
  kind: command
  command: {python} {{CARD}}/generator.py {{a}} {{b}} {{SEED}}
  output: out.yoda
parameters:
  a: {{low: 0.5, high: 2.0, default: 1.0}}
  b: {{low: -1.0, high: 1.0, default: 0.0}}
scan: {{runs: {runs}, events: 100, seed: 4, workers: 2}}
reference: [data.yoda]
observables:
  /TOY: 1
surrogate: {{kind: polynomial, order: 3}}
validation: {{events: 100, split: 1}}
"""


def make(directory: Path, a: float = 1.3, b: float = 0.4, runs: int = 24, error: float = 0.02) -> LoadedCard:
    """Write card, generator and pseudo-data without noise at (a, b)."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "generator.py").write_text(GENERATOR)
    (directory / "card.yaml").write_text(CARD.format(python=sys.executable, runs=runs))
    objects = []
    for path, values in truth(a, b).items():
        n = len(values)
        low, high = (X[:-1], X[1:]) if n > 1 else (np.zeros(1), np.ones(1))
        e = np.stack([0.5 * (high - low), np.full(n, error)], axis=1)
        points = np.stack([0.5 * (low + high), values], axis=1)
        objects.append(yoda.Scatter("/REF" + path, points, e, e, annotations={"IsRef": "1", "Citation": "nobody"}))
    yoda.write(directory / "data.yoda", objects)
    return load_card(directory)


def edit(directory: Path, old: str, new: str) -> None:
    """Change the card."""
    text = (directory / "card.yaml").read_text()
    assert old in text
    (directory / "card.yaml").write_text(text.replace(old, new))
