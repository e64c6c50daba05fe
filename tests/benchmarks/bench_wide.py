"""A wide scan: many parameters, runs and bins, from the scan to a fit, in how much memory and time.

    python tests/benchmarks/bench_wide.py [--runs 1000] [--parameters 10] [--bins 10000] [--kind polynomial] [--json]

The scan is made here from closed forms: every bin is a logarithm of its own mixture of the parameters, bent, with
Monte Carlo errors of 1 % that bins do not share. Data are thrown at a known point with errors of 1 %. Prints wall and
CPU seconds and the highest memory so far after every stage, and how far the fit ends from the truth in its errors.
"""

import argparse
import json
import resource
import time

import jax
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.training import train

#: Monte Carlo and measured errors, relative
ERROR = 0.01
KINDS = {"polynomial": PolynomialConfig(), "gaussian": GaussianConfig(), "rational": RationalConfig()}


def truth(theta: np.ndarray, bins: int) -> np.ndarray:
    """(n, bins) contents at points (n, n_parameters) of the box [-1, 1]."""
    random = np.random.default_rng(7)
    slopes = random.normal(0, 0.15, (theta.shape[1], bins)) * (random.random((theta.shape[1], bins)) < 0.4)
    bends = random.normal(0, 0.05, (theta.shape[1], bins))
    return 100 * np.exp(theta @ slopes + (theta @ bends) ** 2)


def wide_scan(runs: int, parameters: int, bins: int, seed: int) -> Scan:
    """Runs at uniform points."""
    random = np.random.default_rng(seed)
    theta = random.uniform(-1, 1, (runs, parameters))
    exact = truth(theta, bins)
    axes = Bins(np.full(bins, "/WIDE/d01"), np.arange(bins), np.arange(bins) * 1.0, np.arange(bins) + 1.0)
    box = tuple(Parameter(f"P:{i}", -1.0, 1.0) for i in range(parameters))
    values = exact * (1 + ERROR * random.normal(size=exact.shape))
    return Scan(box, theta, values, ERROR * exact, axes, tuple(f"{i:04d}" for i in range(runs)))


def measure(runs: int, parameters: int, bins: int, kind: str) -> dict[str, float]:
    """Go through the stages; figures by name."""
    found: dict[str, float] = {}
    mark = [time.perf_counter(), time.process_time()]

    def note(name: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        found[f"{name}: wall s"], found[f"{name}: CPU s"] = (b - a for a, b in zip(mark, now, strict=True))
        found[f"{name}: GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        mark[:] = now

    scan = wide_scan(runs + runs // 10, parameters, bins, 1)
    held, used = scan.split(scan.runs[runs // 10 :])
    note("scan")
    surrogate = train(jax.random.key(1), used, KINDS[kind])
    note("training")
    judged = evaluate(surrogate, held)
    found |= {"rms pull": judged.rms_pull, "pull width": judged.pull_width}
    note("held-out runs")
    point = np.linspace(-0.5, 0.5, parameters)
    data = truth(point[None], bins)[0]
    data *= 1 + ERROR * np.random.default_rng(3).normal(size=bins)
    every = np.arange(bins)
    measured = Measured(every, scan.bins, data, ERROR * data, np.zeros((0, bins)), np.ones(bins))
    tune = fit(BinnedProblem(surrogate, measured), FitConfig(starts=2, minos=False))
    note("fit")
    pulls = (tune.values - point) / tune.errors
    return found | {"fit: rms pull of the parameters": float(np.sqrt(np.mean(pulls**2)))}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("runs", 1000), ("parameters", 10), ("bins", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--kind", choices=tuple(KINDS), default="polynomial")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps(measure(options.runs, options.parameters, options.bins, options.kind)))
        return
    print(f"{options.parameters} parameters, {options.runs} runs, {options.bins} bins, {options.kind}")
    for name, value in measure(options.runs, options.parameters, options.bins, options.kind).items():
        print(f"{name:40} {value:9.3f}")


if __name__ == "__main__":
    main()
