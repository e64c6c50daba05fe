"""Surrogates on scans: how well they predict runs that they have not seen, and what that costs.

    python tests/benchmarks/bench_surrogates.py [--peer] [--quick] [--pythia SCAN]

Scans: `smooth`, 309 + 34 runs of 3 parameters and 235 bins made here from closed forms (tests/helpers/smoothscan.py);
`flavour`, 450 + 50 runs of 8 parameters and 43 bins of a real generator (shared/scans/flavour beside the checkout; left
out where it is absent); and with `--pythia` a scan that is there, of which a tenth is held out, for example what
`sbitune scan tests/benchmarks/three` makes (343 runs of three parameters of Pythia, 235 bins).

rms pull: rms of (prediction - MC)/MC error, 1 at best; width: with the surrogate's error, 1 if that is true. CPU
seconds of training, compilation included, imports not. `--peer` adds Gaussian processes of scikit-learn, one per bin,
if it is installed (a minute or two).
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from threadpoolctl import threadpool_limits

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.config import SurrogateConfig
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.training import train

ROOT = Path(__file__).resolve().parents[2]
FLAVOUR = ROOT.parent / "shared" / "scans" / "flavour"
CONFIGS: dict[str, SurrogateConfig] = {
    "polynomials of order 3, per bin": PolynomialConfig(order=3, components=False),
    "polynomials of order 3": PolynomialConfig(order=3),
    "polynomials, order by cross-validation": PolynomialConfig(),
    "rational functions": RationalConfig(),
    "Gaussian processes": GaussianConfig(),
    "Gaussian processes, per bin": GaussianConfig(components=False),
    "network ensemble": NetworkConfig(),
}
#: measured elsewhere, one thread (see the README): rms pull, width or nothing, CPU seconds
PUBLISHED = {
    "flavour": ("scikit-learn, a Gaussian process per bin, published", 7.0, 1.5, 83.0),
    "pythia": ("scikit-learn, a process per bin, on another such scan", 1.01, float("nan"), 260.0),
}


class Row(NamedTuple):
    """One line of the table."""

    name: str
    rms_pull: float
    pull_width: float
    cpu_seconds: float


def scans(events: int, pythia: str | None) -> Iterator[tuple[str, Scan, Scan]]:
    """Name, training runs and held-out runs of every scan."""
    yield made_here(events)
    yield from made_by_generators(pythia)


def made_here(events: int) -> tuple[str, Scan, Scan]:
    """The same of the one from closed forms."""
    import sys

    sys.path.insert(0, str(ROOT / "tests"))
    from helpers.smoothscan import smooth_scan

    whole = smooth_scan(343, events, seed=1)
    held, used = whole.split(whole.runs[34:])
    return f"smooth, {events:,} events a run", used, held


def made_by_generators(pythia: str | None) -> Iterator[tuple[str, Scan, Scan]]:
    """The same of those that a generator made."""
    if pythia is not None:
        from sbitune.workflow.runs.scanning import load_scan

        whole = load_scan(pythia)
        shuffled = np.random.default_rng(1).permutation(whole.runs)
        held, used = whole.split(shuffled[len(shuffled) // 10 :])
        yield "pythia", used, held
    if FLAVOUR.is_dir():
        from sbitune.data.formats.apprentice import read_scan

        yield "flavour", *(read_scan(FLAVOUR / f"{part}.h5") for part in ("train", "holdout"))
    else:
        print(f"flavour: left out, {FLAVOUR.relative_to(ROOT.parent)} is not there")


def measure(name: str, config: SurrogateConfig, used: Scan, held: Scan) -> Row:
    """Train one kind and judge it."""
    clock = time.process_time()
    surrogate = train(jax.random.key(1), used, config)
    spent = time.process_time() - clock
    found = evaluate(surrogate, held)
    return Row(name, found.rms_pull, found.pull_width, spent)


def peer(used: Scan, held: Scan) -> Row | None:
    """Gaussian processes of scikit-learn: a length for every parameter, white noise, one process per bin."""
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    except ImportError:
        print("scikit-learn is not installed: no peer")
        return None
    n = len(used.parameters)
    pulls, widths = [], []
    clock = time.process_time()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for column in range(len(used.bins)):
            y, known = used.values[:, column], held.errors[:, column] > 0
            mean, spread = y.mean(), max(y.std(), 1e-300)
            kernel = ConstantKernel(10.0, (1e-2, 1e5)) * RBF([2.0] * n, (0.1, 100)) + WhiteKernel(0.01, (1e-7, 1))
            model = GaussianProcessRegressor(kernel).fit(used.unit(), (y - mean) / spread)
            prediction, error = model.predict(held.unit(), return_std=True)
            own = spread**2 * np.maximum(error**2 - model.kernel_.k2.noise_level, 0)
            difference = (mean + spread * prediction - held.values[:, column])[known] ** 2
            noise = held.errors[known, column] ** 2
            pulls.append(np.mean(difference / noise))
            widths.append(np.mean(difference / (noise + own[known])))
    spent = time.process_time() - clock
    return Row("scikit-learn, a Gaussian process per bin", np.mean(pulls) ** 0.5, np.mean(widths) ** 0.5, spent)


def main() -> None:
    """Print a table per scan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--quick", action="store_true", help="without networks")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--pythia", metavar="SCAN", help="a scan that is there")
    options = parser.parse_args()
    for name, used, held in scans(options.events, options.pythia):
        print(
            f"\n{name}: {len(used.runs)} + {len(held.runs)} runs, {len(used.parameters)} parameters, "
            f"{len(used.bins)} bins"
        )
        print(f"{'':42} {'rms pull':>9} {'width':>7} {'CPU s':>7}")
        rows = [measure(*item, used, held) for item in CONFIGS.items() if not (options.quick and "network" in item[0])]
        other = peer(used, held) if options.peer else None
        published = [Row(*PUBLISHED[name])] if name in PUBLISHED else []
        for row in [*rows, *([other] if other else []), *published]:
            print(f"{row.name:42} {row.rms_pull:9.3f} {row.pull_width:7.3f} {row.cpu_seconds:7.1f}", flush=True)


if __name__ == "__main__":
    main()
