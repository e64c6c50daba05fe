"""What a likelihood of unbinned events costs: value and gradient beside iminuit's own cost, memory, toys, a belt.

    python tests/benchmarks/bench_likelihood.py [--events 1000000]
    python tests/benchmarks/bench_likelihood.py --sizes 100000 1000000 10000000
    python tests/benchmarks/bench_likelihood.py --memory

With `--sizes` only ns an event of value and gradient, of which linear growth has the same; with `--memory` only the fit
of 20 nuisance parameters, so that the peak is its own. One signal ratio and five nuisance parameters, log-quadratic;
seconds are of the CPU, on one thread if OMP_NUM_THREADS=1 and XLA_FLAGS="--xla_cpu_multi_thread_eigen=false
intra_op_parallelism_threads=1".
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from iminuit import Minuit
from iminuit.cost import ExtendedUnbinnedNLL, NormalConstraint

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.mixture import problem

from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.toys import ToyConfig, fit_toys
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit


class Ratios:
    """Signal and a background with nuisance parameters: log r of both and two coefficients for each of the latter."""

    parameters = ()

    def __init__(self, n_nuisances, n_signal, n_background):
        self.names = [f"nu{i}" for i in range(n_nuisances)]
        self.numbers = n_signal, n_background

    def prepare(self, events):
        return tuple(np.ascontiguousarray(column) for column in np.asarray(events, np.float32).T)

    def log_intensity(self, theta, prepared):
        moved = 0.0
        for i, name in enumerate(self.names):
            moved += theta[name] * (prepared[1 + 2 * i] + theta[name] * prepared[2 + 2 * i])
        return jnp.log(self.numbers[0] * theta["mu"] * jnp.exp(prepared[0]) + self.numbers[1] * jnp.exp(moved))

    def expected(self, theta):
        return self.numbers[0] * theta["mu"] + self.numbers[1]


def columns(rng, n, n_nuisances):
    """Log ratio of the signal and coefficients of Gaussians that move by a tenth of their width."""
    x = rng.normal(size=(n, n_nuisances))
    parts = [rng.normal(-0.5, 1.0, n), *(c for i in range(n_nuisances) for c in (0.1 * x[:, i], np.full(n, -0.005)))]
    return np.stack(parts, axis=1).astype(np.float32)


def make(n, n_nuisances, seed=1):
    """A fit of n events."""
    rng = np.random.default_rng(seed)
    model = Ratios(n_nuisances, 0.05 * n, 0.95 * n)
    nominal = {"mu": 1.0} | dict.fromkeys(model.names, 0.0)
    term = UnbinnedEvents("events", model, columns(rng, n, n_nuisances), base=nominal)
    constraints = [Constraint(name, 0.0, 1.0) for name in model.names]
    return Product([term, *constraints], [Parameter("mu", 0.0, 3.0), *(Parameter(n, -4.0, 4.0) for n in model.names)])


def best_of(function, n=3):
    """CPU seconds of the quickest of several calls, after one that compiles."""
    function()
    times = []
    for _ in range(n):
        clock = time.process_time()
        function()
        times.append(time.process_time() - clock)
    return min(times)


def iminuit_value(n):
    """CPU seconds of a value of iminuit's cost, of as many events and the same columns."""
    data = columns(np.random.default_rng(1), n, 5).astype(float).T

    def intensity(x, mu, a, b, c, d, e):
        moved = sum(v * (x[1 + 2 * i] + v * x[2 + 2 * i]) for i, v in enumerate((a, b, c, d, e)))
        return 0.05 * n * mu + 0.95 * n, 0.05 * n * mu * np.exp(x[0]) + 0.95 * n * np.exp(moved)

    cost = ExtendedUnbinnedNLL(data, intensity)
    return best_of(lambda: cost(1.0, 0.1, 0.0, 0.0, 0.0, 0.0))


def per_event(n):
    """Value and gradient in ns for each event."""
    found = make(n, 5)
    with found.computing():
        objective = found.objective()
        u = objective.frame.to_unit(np.array([1.0, 0.1, 0, 0, 0, 0]))
        over = objective.over_data
        both = jax.jit(lambda u, data: jax.value_and_grad(lambda u: jnp.sum(over.each(u, data)))(u))
        data = jax.tree.map(jnp.asarray, found.data)
        ours = best_of(lambda: jax.block_until_ready(both(u, data)))
    return 1e9 * ours / n


def iminuit_toys(n):
    """CPU seconds a toy of an iminuit loop over toys of the mixture, with the analytic density."""
    rng, shift = np.random.default_rng(3), 1.0
    clock = time.process_time()
    for _ in range(n):
        x = np.concatenate([rng.normal(0, 1, (rng.poisson(50), 2)), rng.normal(1, 1, (rng.poisson(1000), 2))]).T

        def intensity(x, mu, nu):
            moved = shift * nu * (x[1] - 1) - (shift * nu) ** 2 / 2
            return 50 * mu + 1000, 50 * mu * np.exp(1 - x[0] - x[1]) + 1000 * np.exp(moved)

        m = Minuit(ExtendedUnbinnedNLL(x, intensity) + NormalConstraint("nu", rng.normal(), 1.0), mu=1.0, nu=0.0)
        m.limits["mu"], m.limits["nu"] = (0, 6), (-4, 4)
        m.migrad()
        m.hesse()
    return (time.process_time() - clock) / n


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    events = options.events
    for n in options.sizes or []:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{n:,} events: value and gradient {per_event(n):.1f} ns an event, peak before {peak:.2f} GiB", flush=True
        )
    if not (options.sizes or options.memory):
        costs_and_toys(events)
    if not options.sizes:
        memory(events)


def costs_and_toys(events):
    """Beside iminuit."""
    ours, theirs = per_event(events), 1e9 * iminuit_value(events) / events
    print(f"value and gradient {ours:.0f} ns an event, iminuit's value {theirs:.0f}: {theirs / ours:.1f} times")
    toys = problem(np.random.default_rng(1), 1.0)
    clock = time.process_time()
    fit_toys(jax.random.key(1), toys, np.array([1.0, 0.0]), 10_000, ToyConfig())
    each, other = (time.process_time() - clock) / 10_000, iminuit_toys(100)
    print(f"10,000 toys {1e4 * each:.1f} s; an iminuit loop {1e4 * other:.0f} s: {other / each:.1f} times")


def memory(events):
    """Of a fit with 20 nuisance parameters."""
    large = make(events, 20)
    clock = time.process_time()
    found = fit(large, FitConfig(starts=1, minos=False))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    took = time.process_time() - clock
    print(f"fit of {events:,} events, 20 nuisance parameters: {took:.0f} s, peak {peak:.2f} GiB in all")
    print(f"mu = {found.values[0]:.4f} +- {found.errors[0]:.4f}")


if __name__ == "__main__":
    main()
