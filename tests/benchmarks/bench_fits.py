"""Training and fit of a large tune: 500 runs x 1000 bins x 8 parameters, made here.

    python tests/benchmarks/bench_fits.py [--runs 500] [--bins 1000] [--parameters 8] [--whole KIND ...]

Prints seconds of the wall clock and of the CPU, imports not counted, and how far the fit is from the truth. With
`--whole` the command `sbitune tune` is timed on a card of such a scan, with surrogates of these kinds (auto, say):
training, held-out runs, fit, tension, toys for goodness and coverage, and the report.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.scatters import scatters_of
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train

TRUTH = 1.07


def make(runs: int, bins: int, parameters: int) -> tuple[Scan, Measured]:
    """Bins that respond to twelve bent combinations of the parameters and to straight lines; 2 % noise, 1 % data."""
    random = np.random.default_rng(3)
    box = tuple(Parameter(f"Toy:p{i}", 0.5, 1.5) for i in range(parameters))
    base = random.uniform(10, 1000, bins)
    mix = random.normal(size=(parameters, 12)) / np.sqrt(parameters)
    bent, straight = random.normal(0, 0.08, (12, bins)), random.normal(0, 0.05, (parameters, bins))

    def truth(theta: np.ndarray) -> np.ndarray:
        u = 2 * (theta - 1)
        return base * np.exp(u @ straight + np.tanh(u @ mix) @ bent)

    theta = random.uniform(0.5, 1.5, (runs, parameters))
    exact = truth(theta)
    errors = np.tile(0.02 * base, (runs, 1))
    index = np.arange(bins) % 20
    paths = np.array([f"/TOY/d{i // 20 + 1:03d}-x01-y01" for i in range(bins)])
    places = Bins(paths, index, index.astype(float), index + 1.0)
    names = tuple(f"{i:04d}" for i in range(runs))
    scan = Scan(box, theta, exact + errors * random.normal(size=exact.shape), errors, places, names)
    values = truth(np.full(parameters, TRUTH)) + 0.01 * base * random.normal(size=bins)
    none, one = np.zeros((0, bins)), np.ones(bins)
    return scan, Measured(np.arange(bins), places, values, 0.01 * base, none, one)


def whole(directory: Path, scan: Scan, measured: Measured, kind: str) -> None:
    """Run `sbitune tune` on a card of the scan."""
    directory.mkdir()
    scan.save(directory / "scan.npz")
    data = scatters_of(measured.bins, measured.values, measured.errors)
    yoda.write(directory / "data.yoda", data)
    (directory / "card.yaml").write_text(
        f"title: {kind}\nscan: {{directory: scan.npz}}\nreference: [data.yoda]\nobservables: {{/TOY: 1}}\n"
        f"surrogate: {{kind: {kind}}}\n"
    )
    command = [str(Path(sys.executable).with_name("sbitune")), "tune", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do it and print how long it took."""
    wall, cpu = time.perf_counter(), _cpu()
    found = work()
    print(f"{what:44} {time.perf_counter() - wall:7.1f} s {_cpu() - cpu:7.1f} CPU s", flush=True)
    return found


def _cpu() -> float:
    """Seconds of the CPU, of commands that were started, too."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--bins", type=int, default=1000)
    parser.add_argument("--parameters", type=int, default=8)
    parser.add_argument("--whole", nargs="+", default=[], metavar="KIND", help="kinds of surrogates of whole tunes")
    options = parser.parse_args()
    scan, measured = make(options.runs, options.bins, options.parameters)
    print(f"{options.runs} runs, {options.bins} bins, {options.parameters} parameters")
    for name, config in (
        ("Gaussian processes", GaussianConfig()),
        ("polynomials of order 2", PolynomialConfig(order=2)),
    ):
        surrogate = timed(f"{name}: training", lambda config=config: train(jax.random.key(1), scan, config))
        tune = timed(f"{name}: fit, 8 starts, MINOS", lambda s=surrogate: fit(BinnedProblem(s, measured), FitConfig()))
        pulls = (tune.values - TRUTH) / tune.errors
        print(f"{'':4}rms of (fitted - true)/error {np.sqrt(np.mean(pulls**2)):.2f}, {tune.status}")
    with tempfile.TemporaryDirectory() as place:
        for kind in options.whole:
            timed(f"sbitune tune, {kind}", lambda kind=kind: whole(Path(place) / kind, scan, measured, kind))
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
