"""Log ratios as functions of parameters on toys whose ratio is known: errors, normalisation, and fits with them.

Prints, for networks and losses, the rms error of log r over an equal mixture of both classes, how far E_ref[r] is from
1 at 20 theta spread over the box (the largest), and the CPU seconds of training, compilation included; for the first of
a toy also after normalising on the events that it was learned from, and on a million others of the reference. Toy 1: x
~ N(theta, 1), d = 5; with the simulator's joint ratio and score, which are exact if there is no history, and scatter if
half of the variance is that of a history (`half`). `peaks`: two peaks in three dimensions, whose log ratio is no finite
sum of products. And 200 fits of toy 1: pulls of the five parameters from 1,000 events each of the true density.

One thread, some four minutes: `OMP_NUM_THREADS=1 PYTHONPATH=tests python tests/benchmarks/bench_ratios_toy1.py`, with
numbers of rows to print only some.
"""

import os
import sys
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import numpy as np
from helpers.ratiotoys import Peaks, Shifted, rms_of

from sbitune.fitting.checks.coverage import collect
from sbitune.fitting.checks.known_fits import fit_known
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.ratios.parameterised.config import RatioConfig, RatioTraining
from sbitune.ratios.parameterised.losses.binary import Binary
from sbitune.ratios.parameterised.losses.mined import Alice, Score
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.parameterised.normalisation import normalise
from sbitune.ratios.parameterised.training import train_ratio

TOY, HALF, PEAKS = Shifted(5), Shifted(5, share=0.5), Peaks()
ALONE = RatioConfig(members=1)
JOINT = RatioConfig(
    kind="joint",
    members=1,
    training=RatioTraining(epochs=15, batch_size=512, learning_rate=3e-3, patience=15, validation_fraction=0.1),
)
ALICES, CASCAL, FOUR = Score(Alice(), 0.1), Score(Binary(), 0.1), Binary(pairs=4, odds=1.0)
FEW = RatioConfig(
    training=RatioTraining(epochs=30, batch_size=256, learning_rate=3e-3, patience=30, validation_fraction=0.1)
)
#: what, toy, config, loss (None: that of the config), events per class, whether the simulator tells
ROWS = [
    ("events alone, three networks", TOY, RatioConfig(), None, 100_000, False),
    ("events alone, one network", TOY, ALONE, None, 100_000, False),
    ("joint network, four theta", TOY, JOINT, FOUR, 100_000, False),
    ("binary and score (CASCAL)", TOY, ALONE, CASCAL, 100_000, True),
    ("ALICES", TOY, ALONE, ALICES, 100_000, True),
    ("ALICES, joint network", TOY, JOINT, ALICES, 100_000, True),
    ("ALICES, 20,000", TOY, FEW, ALICES, 20_000, True),
    ("CASCAL, 20,000", TOY, FEW, CASCAL, 20_000, True),
    ("half: ALICES", HALF, ALONE, ALICES, 100_000, True),
    ("peaks: events alone, three networks", PEAKS, RatioConfig(), None, 100_000, False),
    ("peaks: joint network, four theta", PEAKS, JOINT, FOUR, 100_000, False),
]


def deviations(ratio, toy, x: np.ndarray) -> np.ndarray:
    """E_ref[r] - 1 at 20 theta, from the difference to the exact ratio, of which the mean is 1."""
    rng, low, high = np.random.default_rng(5), *np.array([(p.low, p.high) for p in toy.parameters]).T
    found = []
    for theta in rng.uniform(low, high, (20, len(low))):
        found.append(np.mean(np.exp(ratio.log_ratios(x, theta), dtype=float) - np.exp(toy.log_ratio(x, theta))))
    return np.array(found)


def learn(toy, config, loss, n: int, truth: bool, seed: int = 1):
    """A ratio and the CPU seconds of training."""
    more = {"truth": True} if truth else {}
    events, reference = toy.sample(10 * seed, n, **more), toy.sample(10 * seed + 1, n, reference=True, **more)
    begin = time.process_time()
    ratio = train_ratio(jax.random.key(seed), events, reference, config, toy.point(), loss)
    return ratio, time.process_time() - begin


def pulls(ratio, n: int = 200, size: int = 1000) -> None:
    """Fits of toys made from the true density."""
    truth = np.array([0.5, -0.5, 0.3, 0.0, -0.2])
    rng, begin = np.random.default_rng(3), time.process_time()
    draw = [np.stack(list(TOY.draw(rng, size, truth).columns.values()), axis=1) for _ in range(n)]
    term = UnbinnedEvents("events", RatioModel(ratio), draw[0])
    problem = Product([term], TOY.parameters)
    fits = fit_known(problem, truth, [(term.with_events(x),) for x in draw], thorough=False, spread=False)
    spent = time.process_time() - begin
    found = collect(problem, [str(i) for i in range(n)], np.tile(truth, (n, 1)), fits)
    exact = np.array([x.mean(axis=0) for x in draw])
    away = (found.values - exact) * np.sqrt(size)
    print(
        f"  {n} fits of {size} events, {spent:.1f} CPU s: pulls {found.bias.round(2)} +- {found.total_width:.3f}, "
        f"coverage {found.figures()['coverage68']:.3f}; from the exact fit {away.mean(axis=0).round(2)} +- "
        f"{away.std(axis=0).round(2)} errors"
    )


def main() -> None:
    """Print the table."""
    chosen = [int(word) for word in sys.argv[1:]] or range(len(ROWS))
    jax.jit(lambda x: x + 1)(1)
    print(f"{'':38} {'rms':>6} {'E_ref off':>10} {'CPU s':>8}")
    for number in chosen:
        what, toy, config, loss, n, truth = ROWS[number]
        ratio, spent = learn(toy, config, loss, n, truth)
        x = toy.sample(78, 200_000, reference=True).x
        show(what, ratio, toy, x, spent)
        if what.endswith("three networks"):
            for size, seed in ((n, 11), (1_000_000, 501)):
                begin = time.process_time()
                normal = normalise(ratio, toy.sample(seed, size, reference=True))
                kept = f"normalised on {size:,}: {normal.correction.n_kept} of {len(normal.correction.powers)}"
                show(f"  {kept}", normal, toy, x, time.process_time() - begin)
            if toy is TOY:
                pulls(normal)


def show(what: str, ratio, toy, x: np.ndarray, spent: float) -> None:
    """Print a row."""
    off = np.abs(deviations(ratio, toy, x)).max()
    print(f"{what:38} {rms_of(ratio, toy):6.3f} {off:10.4f} {spent:8.1f}", flush=True)


if __name__ == "__main__":
    main()
