"""Limits, impacts and a Neyman belt of the extended mixture with a nuisance (`helpers/mixture.py`).

    python tests/benchmarks/bench_hypotheses.py [--points 20] [--toys 2000] [--shift 1]

Prints seconds of the CPU: of a limit by the asymptotic formulae, of a belt, of its coverage at ten values between its
points with 2,000 toys each, which is to be 68.3 +- 1 %; and CLs of pyhf's first example beside its exact value.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from helpers.mixture import problem
from helpers.workspaces import uncorrelated_background

from sbitune.fitting.bridges.pyhf_import import open_workspace
from sbitune.fitting.hypotheses.exclusion import exclude
from sbitune.fitting.hypotheses.limits import upper_limit
from sbitune.fitting.hypotheses.neyman import belt_coverage, neyman_belt


def timed(what, make):
    """What a function gives; its seconds are printed."""
    start = time.process_time()
    found = make()
    print(f"{what}: {time.process_time() - start:.1f} s")
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--shift", type=float, default=1.0)
    options = parser.parse_args()
    exact = timed(
        "CLs of pyhf's example", lambda: exclude(open_workspace(uncorrelated_background()).problem, "mu", 1.0)
    )
    print(f"  {exact.cls:.8f}, exactly 0.05251553, published 0.05251497; expected {exact.expected[2]:.8f}")
    mixture = problem(np.random.default_rng(1), options.shift)
    print(" ", timed("limit", lambda: upper_limit(mixture, "mu")))
    points = np.linspace(0.0, 3.0, options.points)
    belt = timed(
        f"belt of {options.points} x {options.toys}",
        lambda: neyman_belt(jax.random.key(1), mixture, "mu", points, options.toys),
    )
    print(" ", belt, "critical", np.round(belt.critical, 3))
    truth = np.linspace(0.2, 2.8, 10)
    found = timed("coverage", lambda: belt_coverage(jax.random.key(2), belt, mixture, truth.tolist(), 2000))
    print(
        f"  {100 * found.covered.mean():.2f} +- {100 * found.error.mean() / np.sqrt(len(truth)):.2f} %", found.covered
    )


if __name__ == "__main__":
    main()
