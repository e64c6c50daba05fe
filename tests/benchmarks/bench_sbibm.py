"""NPE, NLE and NRE on four tasks of the sbibm suite: C2ST against the reference posteriors, and CPU seconds.

    python tests/benchmarks/bench_sbibm.py [--tasks two_moons slcp] [--kinds npe nre] [--observations 1 2 3]
        [--simulations 10000] [--rounds 1] [--wheel sbibm-1.1.0-py2.py3-none-any.whl] [--set members=3 ...]

The references are in the wheel of sbibm 1.1.0 (J.-M. Lueckmann et al., arXiv:2101.04653): it is fetched with `pip
download --no-deps` unless its path is given, and nothing of it is imported. C2ST is by the published recipe (extra
`trees`), from 10,000 samples; 0.5 is perfect. In ten dimensions that takes minutes per observation. `published` are the
means of ten observations of that paper, of one round, or of ten with `--rounds`.

On one core: `taskset -c 0 env OMP_NUM_THREADS=1 python tests/benchmarks/bench_sbibm.py`.
"""

import argparse
import bz2
import io
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.learning.twosamples.published import published_c2st
from sbitune.ratios.posteriors.inference import Inference
from sbitune.ratios.posteriors.methods.registry import find_kind
from sbitune.ratios.posteriors.prior import Normal, Prior, make_prior
from sbitune.ratios.posteriors.rounds import run_rounds

SAMPLES = 10_000
Random = np.random.Generator


class Task(NamedTuple):
    """A prior, a simulator, and what is published at 10,000 simulations."""

    prior: Prior
    simulate: Callable[[Random, np.ndarray], np.ndarray]
    published: dict[str, float]
    published_rounds: dict[str, float]


def two_moons(random: Random, theta: np.ndarray) -> np.ndarray:
    """A crescent, moved."""
    angle, radius = random.uniform(-np.pi / 2, np.pi / 2, len(theta)), random.normal(0.1, 0.01, len(theta))
    crescent = np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], axis=1)
    return crescent + np.stack([-np.abs(theta.sum(axis=1)), theta[:, 1] - theta[:, 0]], axis=1) / np.sqrt(2)


def gaussian_linear(random: Random, theta: np.ndarray) -> np.ndarray:
    """Variance .1 around theta."""
    return theta + np.sqrt(0.1) * random.normal(size=theta.shape)


def gaussian_mixture(random: Random, theta: np.ndarray) -> np.ndarray:
    """Deviation 1 or .1 around theta."""
    return theta + np.where(random.uniform(size=(len(theta), 1)) < 0.5, 1.0, 0.1) * random.normal(size=theta.shape)


def slcp(random: Random, theta: np.ndarray) -> np.ndarray:
    """Four draws of a Gaussian in two dimensions."""
    z = random.normal(size=(len(theta), 4, 2))
    rho, (s1, s2) = np.tanh(theta[:, 4:]), (theta[:, 2:4] ** 2).T[:, :, None]
    x = theta[:, :1] + s1 * z[..., 0]
    y = theta[:, 1:2] + s2 * (rho * z[..., 0] + np.sqrt(1 - rho**2) * z[..., 1])
    return np.stack([x, y], axis=2).reshape(len(theta), 8)


def box(n: int, half: float) -> Prior:
    """Uniform in a box around 0."""
    return make_prior({f"theta{i + 1}": (-half, half) for i in range(n)})


GAUSSIAN = make_prior({f"theta{i + 1}": Normal(0.0, float(np.sqrt(0.1))) for i in range(10)})
TASKS = {
    "two_moons": Task(box(2, 1), two_moons, {"nre": 0.761, "nle": 0.713, "npe": 0.606},
                      {"nre": 0.582, "nle": 0.571, "npe": 0.554}),
    "gaussian_linear": Task(GAUSSIAN, gaussian_linear, {"nre": 0.560, "nle": 0.555, "npe": 0.552},
                            {"nre": 0.536, "nle": 0.548, "npe": 0.544}),
    "gaussian_mixture": Task(box(2, 10), gaussian_mixture, {"nre": 0.748, "nle": 0.723, "npe": 0.615},
                             {"nre": 0.578, "nle": 0.685, "npe": 0.551}),
    "slcp": Task(box(5, 3), slcp, {"nre": 0.947, "nle": 0.771, "npe": 0.901},
                 {"nre": 0.917, "nle": 0.713, "npe": 0.845}),
}  # fmt: skip


class Reference:
    """Observations and samples of their posteriors."""

    def __init__(self, wheel: str | None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            if wheel is None:
                command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder, "sbibm==1.1.0"]
                subprocess.run(command, check=True)
                wheel = str(next(Path(folder).glob("sbibm-*.whl")))
            self.archive = zipfile.ZipFile(io.BytesIO(Path(wheel).read_bytes()))

    def read(self, task: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The observation (n_columns,), and samples (n, n_parameters)."""
        folder = f"sbibm/tasks/{task}/files/num_observation_{number}"
        samples = bz2.decompress(self.archive.read(f"{folder}/reference_posterior_samples.csv.bz2"))
        texts = [self.archive.read(f"{folder}/observation.csv"), samples]
        x, draws = (np.loadtxt(io.BytesIO(text), delimiter=",", skiprows=1) for text in texts)
        return x.ravel(), draws


def measure(name: str, kind: str, options: argparse.Namespace, reference: Reference) -> None:
    """Print a line for each observation."""
    task, random = TASKS[name], np.random.default_rng(options.seed)
    record = find_kind(kind).config
    config = msgspec.convert(dict(pair.split("=") for pair in options.set), record, strict=False)
    key, found, posterior = jax.random.key(options.seed), [], None
    for number in options.observations:
        x, known = reference.read(name, number)
        begin = time.process_time()
        if options.rounds > 1:
            learner = Inference(kind, task.prior, config)
            each = options.simulations // options.rounds
            posterior = run_rounds(
                key, learner, lambda _, theta: task.simulate(random, theta), x, rounds=options.rounds, simulations=each
            )
        elif posterior is None:
            theta = task.prior.draw(jax.random.fold_in(key, 1), options.simulations)
            learner = Inference(kind, task.prior, config).append_simulations(theta, task.simulate(random, theta))
            learner.train(key)
            posterior = learner.build_posterior()
        trained = time.process_time()
        draws = posterior.sample((SAMPLES,), x=x, key=jax.random.fold_in(key, number + 2))
        done = time.process_time()
        found.append(published_c2st(known[:SAMPLES], draws).accuracy)
        print(f"{name:17} {kind} {number:3} {found[-1]:7.3f} {trained - begin:8.1f} {done - trained:8.1f}", flush=True)
    best = (task.published_rounds if options.rounds > 1 else task.published)[kind]
    print(f"{name:17} {kind} mean {np.mean(found):6.3f}, published {best}", flush=True)


def main() -> None:
    """Print the table."""
    parser: Any = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--kinds", nargs="+", default=["npe", "nle", "nre"])
    parser.add_argument("--observations", nargs="+", type=int, default=list(range(1, 11)))
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wheel")
    parser.add_argument("--set", nargs="*", default=[])
    options = parser.parse_args()
    reference = Reference(options.wheel)
    print(f"{'task':17} kind obs    C2ST  train s sample s")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for name in options.tasks:
            for kind in options.kinds:
                measure(name, kind, options, reference)


if __name__ == "__main__":
    main()
