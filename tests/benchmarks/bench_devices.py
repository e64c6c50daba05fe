"""What JAX computes, on the CPU and on every other device that it finds: seconds of the wall clock, side by side.

    python tests/benchmarks/bench_devices.py [--runs 500] [--bins 1000] [--parameters 8]

The problem is that of bench_fits.py, made here. Every line is what a command does with JAX's default device: networks
are those of `sbitune train --kind network`, the wide ones with 256 units a layer; the inverse model is that of
`sbitune inverse`, chains those of `sbitune posterior`, fits those of `sbitune fit`. Times are those of the first turn,
compilation included. Beside them stands a number that all must agree on: of networks the rms pull of held-out runs, of
the inverse model and the fit the rms of (value - truth) / error, of chains their width in errors of the fit.
"""

import argparse
import time
from collections.abc import Callable

import jax
import numpy as np
from bench_fits import TRUTH, make

from sbitune.data.scan import Scan
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.sampling import PosteriorConfig
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.training import train_inverse
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train

#: bins of the problem that is fitted as a likelihood
_FEW_BINS = 200


def tasks(scan: Scan, measured: Measured) -> dict[str, Callable[[], float]]:
    """What is timed, and a number of each."""
    key = jax.random.key(1)
    used, held = scan.split(scan.runs[: len(scan.runs) // 10])
    polynomials = train(key, scan, PolynomialConfig(order=2))
    some = np.arange(min(_FEW_BINS, len(scan.bins)))
    few = Measured(some, scan.bins.take(some), measured.values[some], measured.errors[some],
                   measured.shifts[:, some], measured.weights[some])  # fmt: skip
    problem = BinnedProblem(polynomials, few)
    tune = fit(problem, FitConfig(minos=False))

    def network(config: NetworkConfig) -> float:
        return evaluate(train(key, used, config), held).rms_pull

    def inverse() -> float:
        model = train_inverse(key, scan, measured, InverseConfig(), polynomials)
        draws = model.posterior(key, measured.values, 2000)
        return float(np.sqrt(np.mean((draws.mean(axis=0) - TRUTH) ** 2 / draws.var(axis=0))))

    def chains() -> float:
        drawn = sample_posterior(key, problem, PosteriorConfig(), tune)
        return float(np.mean(drawn.samples.std(axis=(0, 1)) / tune.errors))

    def minimum() -> float:
        found = fit(problem, FitConfig())
        return float(np.sqrt(np.mean((found.values - TRUTH) ** 2 / found.errors**2)))

    return {
        "networks, 20 of 2 x 32 units": lambda: network(NetworkConfig()),
        "networks, 20 of 2 x 256 units": lambda: network(NetworkConfig(hidden=(256, 256))),
        "inverse model, 4 flows": inverse,
        f"NUTS, {len(some)} bins": chains,
        f"fit from 8 starts with MINOS, {len(some)} bins": minimum,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("runs", 500), ("bins", 1000), ("parameters", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    devices = [jax.devices("cpu")[0]]
    if jax.default_backend() != "cpu":
        devices.append(jax.devices()[0])
    scan, measured = make(options.runs, options.bins, options.parameters)
    print(f"{options.runs} runs, {options.bins} bins, {options.parameters} parameters; seconds, a number of each")
    print(f"{'':44}" + "".join(f"{device.device_kind[:22]:>24}" for device in devices), flush=True)
    work = tasks(scan, measured)
    for name, task in work.items():
        cells = ""
        for device in devices:
            with jax.default_device(device):
                clock = time.perf_counter()
                number = task()
                cells += f"{time.perf_counter() - clock:15.1f} {number:8.4f}"
        print(f"{name:44}{cells}", flush=True)


if __name__ == "__main__":
    main()
