"""A line without a generator whose truth is known: a scan of parabolas with Gaussian noise, data, and a card."""

from pathlib import Path

import numpy as np

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter, Scan
from sbitune.tuning.card import LoadedCard, load_card

PARAMETERS = (Parameter("a", 0.0, 2.0, 1.0), Parameter("b", -1.0, 1.0, 0.0))
TRUTH = np.array([1.3, -0.2])
N_BINS, PER_OBSERVABLE = 24, 8
#: of the contents of a run, and of the data
NOISE, ERROR = 0.1, 0.05
CARD = """title: parabolas
scan: {directory: scan.npz}
reference: [data.yoda]
observables: {/PARABOLAS: 1}
surrogate: {kind: polynomial, order: 2}
fit: {toys: 0, minos: false, starts: 2}
"""


def contents(theta: np.ndarray) -> np.ndarray:
    """(n, n_bins) expected at theta (n, 2)."""
    random, u = np.random.default_rng(11), theta - [1.0, 0.0]
    slopes, bends = random.normal(size=(2, N_BINS)), 0.3 * random.normal(size=(2, N_BINS))
    return 10 + u @ slopes + u**2 @ bends


def make_bins(per_observable: int = PER_OBSERVABLE) -> Bins:
    k = np.arange(N_BINS)
    low = (k % per_observable).astype(float)
    return Bins([f"/PARABOLAS/d{i // per_observable + 1:02d}" for i in k], k % per_observable, low, low + 1)


def make_scan(runs: int = 120, stated: float = 1.0, seed: int = 1) -> Scan:
    """Runs at random points, whose errors are `stated` times what they are."""
    random = np.random.default_rng(seed)
    theta = random.uniform([p.low for p in PARAMETERS], [p.high for p in PARAMETERS], (runs, 2))
    values = contents(theta) + NOISE * random.normal(size=(runs, N_BINS))
    errors = np.full(values.shape, stated * NOISE)
    return Scan(PARAMETERS, theta, values, errors, make_bins(), tuple(f"{i:04d}" for i in range(runs)))


def measure(seed: int = 2) -> np.ndarray:
    """(n_bins,) data at `TRUTH`."""
    return contents(TRUTH[None])[0] + ERROR * np.random.default_rng(seed).normal(size=N_BINS)


def write(directory: Path, scan: Scan, values: np.ndarray, errors: np.ndarray) -> LoadedCard:
    """Write scan, data with errors (n_bins,) and card."""
    directory.mkdir(parents=True, exist_ok=True)
    scan.save(directory / "scan.npz")
    objects = []
    for path in scan.bins.paths():
        mine = scan.bins.of(path)
        low, high = scan.bins.low[mine], scan.bins.high[mine]
        e = np.stack([0.5 * (high - low), errors[mine]], axis=1)
        objects.append(yoda.Scatter(f"/REF{path}", np.stack([0.5 * (low + high), values[mine]], axis=1), e, e))
    yoda.write(directory / "data.yoda", objects)
    (directory / "card.yaml").write_text(CARD)
    return load_card(directory)
