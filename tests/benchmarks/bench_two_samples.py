"""The fast two-sample test beside the published one, on samples whose best accuracy is known; and calibration.

    python tests/benchmarks/bench_two_samples.py [--points 2000]

Accuracy and standard error of both, CPU seconds with compilation. The published recipe in 10 dimensions takes minutes.
Then calibrations of a distorted log ratio of two Gaussians: rms error on other events (.9 if nothing is mended), and
the mean ratio, from so many events, with and without a fifth of weights -1.

On one core: `taskset -c 0 env OMP_NUM_THREADS=1 python tests/benchmarks/bench_two_samples.py`.
"""

import argparse
import time
from collections.abc import Iterator

import jax
import numpy as np
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.learning.calibration.kinds import KINDS, calibrate
from sbitune.learning.twosamples.fast import c2st
from sbitune.learning.twosamples.published import published_c2st


def cases(n: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Names, two samples, and the accuracy of the best classifier; NaN: not known."""
    random = np.random.default_rng(0)
    for d in (2, 10):
        yield f"one Gaussian, {d} d", *random.normal(size=(2, n, d)), 0.5
    x, y = random.normal(size=(2, n, 5))
    y[:, 0] += 0.5
    yield "shift of .5, 5 d", x, y, float(stats.norm.cdf(0.25))
    x, y = random.normal(size=(2, n, 10))
    cut = 20 * np.log(1.1) / (1 - 1.1**-2)
    yield "width 1.1, 10 d", x, 1.1 * y, 0.5 * float(stats.chi2.cdf(cut, 10) + stats.chi2.sf(cut / 1.21, 10))
    angle, radius = random.uniform(-np.pi / 2, np.pi / 2, (2, n)), random.normal(0.1, [[0.01], [0.02]], (2, n))
    x, y = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    yield "crescents, 2 d", x, y, np.nan


def show_tests(n: int) -> None:
    """Print accuracies of both tests."""
    print(f"{n} points each    {'best':>8} {'fast':>17} {'s':>6} {'published':>17} {'s':>6}")
    for name, x, y, best in cases(n):
        start = time.process_time()
        fast = c2st(jax.random.key(1), x, y)
        between = time.process_time()
        published = published_c2st(x, y)
        done = time.process_time()
        words = [f"{found.accuracy:.4f} +- {found.error:.4f}" for found in (fast, published)]
        print(
            f"{name:18} {best:8.4f} {words[0]:>17} {between - start:6.1f} {words[1]:>17} {done - between:6.1f}",
            flush=True,
        )


def distort(log_ratio: np.ndarray) -> np.ndarray:
    """A rising function of it."""
    return 1.4 * log_ratio + 0.3 + 0.3 * np.sin(log_ratio)


def show_calibrations() -> None:
    """Print how far calibrated log ratios are off."""
    random = np.random.default_rng(1)
    exact = 1.5 * random.normal(size=200000) - 1.125 + np.repeat([0, 2.25], 100000)
    print(f"\n{'':10} {'events':>8} {'weights':>8} {'rms':>7} {'E_0[r]':>7}")
    for n in (400, 4000, 40000, 400000):
        label = np.arange(n) % 2
        log_ratio = 1.5 * random.normal(size=n) - 1.125 + 2.25 * label
        signs = np.where(random.random(n) < 0.2, -1.0, 1.0)
        for kind in KINDS:
            for name, weights in (("1", None), ("-1, 1", signs)):
                try:
                    found = np.asarray(calibrate(kind, distort(log_ratio), label, weights)(distort(exact)), float)
                    words = f"{np.sqrt(np.mean((found - exact) ** 2)):7.3f} {np.exp(found[:100000]).mean():7.3f}"
                except InputError as error:
                    words = f"refused: {error}"
                print(f"{kind:10} {n:8} {name:>8} {words}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=2000)
    options = parser.parse_args()
    show_calibrations()
    print()
    show_tests(options.points)


if __name__ == "__main__":
    main()
