"""Closure: runs that a surrogate has not seen, fitted as data. Do quoted errors hold the truth as often as they claim?

    python tests/benchmarks/bench_closure.py [--quick] [--pythia SCAN] [--card CARD] [--scans PATTERN] [--kinds PATTERN]

Scans are those of bench_surrogates.py that a generator made: with `--pythia` one that is there, of which a tenth is
held out (`sbitune scan tests/benchmarks/three` makes one of 343 runs, 3 parameters and 235 bins), and `flavour`,
450 + 50 runs of 8 parameters (shared/scans/flavour beside the checkout; left out where it is absent; two of the 50 lie
outside the box of the 450 and are counted as failed), and the same 500 runs of which every fifth is held out. With
`--card` the scan of a card that was run (tunes/lep), of which every fifth run is held out, three times with another
first one. `--quick` leaves out networks and rational functions, `--kinds` and
`--scans` all whose name does not match.

For every kind: how often 68 % and 95 % intervals hold the truth, each with its standard error, as they should that know
of limits within reach, and as they are quoted; width of (fitted - true)/error; mean of |fitted - true|/|true| in per
cent; failed fits; CPU seconds of training and of all fits. What other programs reached on another scan of three
parameters, 343 runs and 235 bins stands beside the first.
"""

import argparse
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from bench_surrogates import CONFIGS, made_by_generators

from sbitune.data.scan import Scan, join_scans
from sbitune.tuning.card import load_card
from sbitune.tuning.checks.closure import closure
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.surrogates.config import SurrogateConfig
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
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


class Split(NamedTuple):
    """Runs to learn from, and runs to fit."""

    used: Scan
    held: Scan


def every_fifth(scan: Scan, first: int) -> Split:
    """Hold every fifth run out."""
    return Split(*scan.split(list(scan.runs[first::5])))


def measure(name: str, config: SurrogateConfig, splits: list[Split]) -> str:
    """Train one kind on every split, fit the held-out runs, and give a line of the table."""
    every, training, fitting = [], 0.0, 0.0
    for used, held in splits:
        clock = time.process_time()
        surrogate = train(jax.random.key(1), used, config)
        training += time.process_time() - clock
        clock = time.process_time()
        found = closure(surrogate, held)
        fitting += time.process_time() - clock
        every.append({key: float(x) for key, x in found.figures().items() if isinstance(x, (int, float))})
    weight = np.array([f["fits"] for f in every]) / sum(f["fits"] for f in every)

    def mean(key: str) -> float:
        return 100 * float(weight @ [f[key] for f in every])

    def error(key: str) -> float:
        return 100 * float(np.sqrt(np.sum((weight * [f[key] for f in every]) ** 2)))

    width = np.sqrt(weight @ [f["pull_width"] ** 2 for f in every])
    wide = error("pull_width_error") / 100
    return (
        f"{name:42} {mean('coverage68'):5.1f} +- {error('coverage68_error'):3.1f} {mean('coverage95'):5.1f} +- "
        f"{error('coverage95_error'):3.1f} {mean('quoted68'):5.1f} {mean('quoted95'):5.1f} "
        f"{width:6.2f} +- {wide:4.2f} {mean('mean_relative_error'):8.2f} {sum(f['failed'] for f in every):6.0f} "
        f"{training:7.1f} {fitting:7.1f}"
    )


def cases(pythia: str | None, card: str | None) -> Iterator[tuple[str, list[Split]]]:
    """Names of scans, and how they are split."""
    for name, used, held in made_by_generators(pythia):
        yield name, [Split(used, held)]
        if name == "flavour":
            yield "flavour, every fifth of 500", [every_fifth(join_scans([used, held]), 2)]
    if card:
        scan = stored_scan(load_card(card))
        yield card, [every_fifth(scan, first) for first in (0, 2, 4)]


def main() -> None:
    """Print a table per scan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without networks and rational functions")
    parser.add_argument("--pythia", metavar="SCAN", help="a scan that is there")
    parser.add_argument("--card", help="a card whose scan was run")
    parser.add_argument("--kinds", default="", metavar="PATTERN", help="regular expression that names must match")
    parser.add_argument("--scans", default="", metavar="PATTERN", help="the same of scans")
    options = parser.parse_args()
    slow = (NetworkConfig, RationalConfig)
    for name, splits in cases(options.pythia, options.card):
        if not re.search(options.scans, name):
            continue
        sizes = " and ".join(f"{len(used.runs)} + {len(held.runs)}" for used, held in splits)
        print(f"\n{name}: {sizes} runs, {len(splits[0].used.parameters)} parameters")
        print(
            f"{'':42} {'68 %':>12} {'95 %':>12} {'as quoted':>11} {'width':>14} {'error %':>8} {'failed':>6} "
            f"{'train':>7} {'fits':>7}"
        )
        for kind, config in CONFIGS.items():
            if re.search(options.kinds, kind) and not (options.quick and isinstance(config, slow)):
                print(measure(kind, config, splits), flush=True)
        for tool, (covered, error, seconds) in PUBLISHED.items() if name == "pythia" else ():
            print(f"{tool + ', published':42} {covered:>12} {'':12} {'':11} {'':14} {error:>8} {'':6} {seconds:>7}")


if __name__ == "__main__":
    main()
