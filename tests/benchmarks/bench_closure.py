"""Closure: runs that a surrogate has not seen, fitted as data. Do quoted errors hold the truth as often as they claim?

    python tests/benchmarks/bench_closure.py [--quick] [--pythia SCAN]

Scans are those of bench_surrogates.py that a generator made: with `--pythia` one that is there, of which a tenth is
held out (`sbitune scan tests/benchmarks/three` makes one of 343 runs, 3 parameters and 235 bins), and `flavour`,
450 + 50 runs of 8 parameters (shared/scans/flavour beside the checkout; left out where it is absent; two of the 50 lie
outside the box of the 450 and are counted as failed). `--quick` leaves out networks and rational functions.

For every kind: how often 68 % and 95 % intervals hold the truth, each with its standard error, width of (fitted -
true)/error, mean of |fitted - true|/|true| in per cent, failed fits, CPU seconds of training and of all fits. What
other programs reached on another scan of three parameters, 343 runs and 235 bins stands beside the first.
"""

import argparse
import time

import jax
from bench_surrogates import CONFIGS, made_by_generators

from sbitune.data.scan import Scan
from sbitune.tuning.closure import closure
from sbitune.tuning.surrogates.config import NetworkConfig, RationalConfig, SurrogateConfig
from sbitune.tuning.surrogates.training import train

#: measured elsewhere (see the README): coverage of 68 % intervals of the three parameters, mean
#: relative error, both in per cent, CPU seconds
PUBLISHED = {
    "Professor 2, order 3": ("6, 24, 9", "2.4", "1.8"),
    "Professor 2, order 4": ("9, 35, 32", "1.6", "1.8"),
    "Professor 2, order 6": ("15, 47, 35", "3.6", ""),
    "Apprentice, order 4": ("9, 35, 32", "1.5", "11-13"),
    "MCNNTunes, inverse": ("none quoted", "2.0", "27"),
}


def measure(name: str, config: SurrogateConfig, used: Scan, held: Scan) -> str:
    """Train one kind, fit the held-out runs, and give a line of the table."""
    clock = time.process_time()
    surrogate = train(jax.random.key(1), used, config)
    trained = time.process_time()
    found = closure(surrogate, held)
    spent = time.process_time() - trained
    f = {key: float(x) for key, x in found.figures().items() if isinstance(x, (int, float))}
    return (
        f"{name:42} {100 * f['coverage68']:5.1f} +- {100 * f['coverage68_error']:3.1f} "
        f"{100 * f['coverage95']:5.1f} +- {100 * f['coverage95_error']:3.1f} {f['pull_width']:6.2f} "
        f"{100 * f['mean_relative_error']:8.2f} {f['failed']:7.0f} {trained - clock:7.1f} {spent:7.1f}"
    )


def main() -> None:
    """Print a table per scan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without networks and rational functions")
    parser.add_argument("--pythia", metavar="SCAN", help="a scan that is there")
    options = parser.parse_args()
    slow = (NetworkConfig, RationalConfig)
    for name, used, held in made_by_generators(options.pythia):
        print(f"\n{name}: {len(used.runs)} + {len(held.runs)} runs, {len(used.parameters)} parameters")
        print(f"{'':42} {'68 %':>12} {'95 %':>12} {'width':>6} {'error %':>8} {'failed':>7} {'train':>7} {'fits':>7}")
        for kind, config in CONFIGS.items():
            if not (options.quick and isinstance(config, slow)):
                print(measure(kind, config, used, held), flush=True)
        for tool, (covered, error, seconds) in PUBLISHED.items() if name == "pythia" else ():
            print(f"{tool + ', published':42} {covered:>12} {'':12} {'':6} {error:>8} {'':7} {seconds:>7}")


if __name__ == "__main__":
    main()
