"""Do intervals hold the truth when a parameterised ratio was learned from few events? With and without its error.

x ~ N(theta, 1) in two dimensions. Networks were trained once, on 2,000 other events of each class; every experiment
combines them on simulated events of its own and fits 1,000 events of data of its own, as they are and, `normalised`,
divided by the mean ratio over 20,000 events of the reference. Beside it the exact fit, which is the mean of the data.

    python tests/benchmarks/bench_parameterised_errors.py [EXPERIMENTS [LOSS]]
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.ratiotoys import Shifted

from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.learning.training import TrainingConfig
from sbitune.ratios.parameterised.combination.errors import ratio_covariance
from sbitune.ratios.parameterised.combination.fitting import combine_members
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.kinds.kind import NetworkConfig
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.parameterised.normalisation import normalise
from sbitune.ratios.parameterised.training import train_ratio

TOY, TRUTH, DATA = Shifted(2), np.array([0.4, -0.3]), 1000
NAMES = ("exact fit", "learned, taken for exact", "with its error")


def config(loss: str = "binary") -> RatioConfig:
    """Small networks."""
    training = TrainingConfig(epochs=15, batch_size=128, learning_rate=1e-2, patience=15)
    network = NetworkConfig(hidden=(16,), hidden_theta=(16,), features=4)
    return RatioConfig(loss=loss, members=3, network=network, training=training)


def learn(n: int, loss: str = "binary"):
    """Members that all experiments share."""
    truth = {"truth": True} if loss != "binary" else {}
    samples = TOY.sample(1, n, **truth), TOY.sample(2, n, reference=True, **truth)
    return train_ratio(jax.random.key(1), *samples, config(loss), TOY.point())


def experiment(number: int, members, n: int, normalising: int = 0) -> np.ndarray:
    """Pulls (3, 2) of both parameters: of the exact fit, and of the learned ratio without and with its error."""
    truth = {"truth": True} if members.config.loss != "binary" else {}
    events, reference = (TOY.sample(10 * number + i, n, reference=i == 1, **truth) for i in range(2))
    ratio = combine_members(jax.random.key(number), members, events, reference)
    if normalising:
        ratio = normalise(ratio, TOY.sample(10 * number + 2, normalising, reference=True), order=2)
    rng = np.random.default_rng(10 * number + 3)
    x = np.stack(list(TOY.draw(rng, DATA, TRUTH).columns.values()), axis=1)
    model = RatioModel(ratio)
    problem = Product([UnbinnedEvents("events", model, x)], TOY.parameters)
    best = fit(problem)
    of_ratio = np.diag(ratio_covariance(model, problem, best))
    away = best.values - TRUTH
    return np.array(
        [(x.mean(axis=0) - TRUTH) * np.sqrt(DATA), away / best.errors, away / np.sqrt(best.errors**2 + of_ratio)]
    )


def measure(n: int, experiments: int, loss: str = "binary", normalising: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Share of intervals of 68 % that hold the truth, and width of pulls (3,)."""
    members = learn(2000, loss)
    pulls = np.array([experiment(100 + i, members, n, normalising) for i in range(experiments)])
    return np.mean(np.abs(pulls) < 1, axis=(0, 2)), np.sqrt(np.mean(pulls**2, axis=(0, 2)))


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    for events, normalising in ((2000, 0), (500, 0), (500, 20_000)):
        clock = time.process_time()
        inside, widths = measure(events, number, *(sys.argv[2:] or ["binary"]), normalising=normalising)
        error = np.sqrt(0.683 * 0.317 / (2 * number))
        print(f"{events} events a class{', normalised' if normalising else ''}, {number} experiments, "
              f"{time.process_time() - clock:.0f} CPU s")  # fmt: skip
        for name, part, width in zip(NAMES, inside, widths, strict=True):
            print(f"  {name:<26} {100 * part:.1f} +- {100 * error:.1f} %, pull width {width:.2f}", flush=True)
