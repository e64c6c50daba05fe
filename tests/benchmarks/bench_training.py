"""The training loop: what is compiled when something changes, and what an epoch takes.

    python tests/benchmarks/bench_training.py [--flow]

The first table trains a network of 2 x 64 units for an epoch, each line with something else changed, and says what the
call took in CPU seconds, the making of the models and the compilation of all threads included, and how often an epoch
was compiled. The second times epochs of networks of several sizes, once they are compiled: milliseconds of CPU for an
epoch, and steps per second, a step being that of all members. `--flow` adds a conditional flow of default size to the
first.

On one core: `taskset -c 0 env OMP_NUM_THREADS=1 python tests/benchmarks/bench_training.py`.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.flows import build_flow, fit_linear_gaussian
from sbitune.learning.loop import epochs
from sbitune.learning.losses import chi2_loss, negative_log_likelihood
from sbitune.learning.networks import build_mlp
from sbitune.learning.rows import fold_rows
from sbitune.learning.training import TrainingConfig

#: events, members, epochs, batch size, and others of these
FIRST = {"n": 400, "members": 4, "epochs": 1, "batch": 32, "seed": 0, "folds": False}
CHANGES: dict[str, dict[str, Any]] = {
    "first call": {},
    "the same again": {},
    "another seed": {"seed": 1},
    "200 epochs": {"epochs": 200},
    "430 events": {"n": 430},
    "batches of 30": {"batch": 30},
    "folds": {"folds": True},
    "other folds": {"folds": True, "seed": 2},
    "batches of 64: another size": {"batch": 64},
    "3000 events: another size": {"n": 3000},
    "18 members: another size": {"members": 18},
    "17 members": {"members": 17},
}
#: events, batch size, members and hidden layers
EPOCHS = [
    (400, 32, 4, (64, 64)),
    (400, 64, 1, (32, 32)),
    (400, 64, 5, (16,)),
    (400, 64, 20, (32, 32)),
    (48, 64, 20, (32, 32)),
    (400, 64, 200, (32, 32)),
    (5000, 256, 1, (64, 64)),
]


def events(n: int) -> dict[str, np.ndarray]:
    """Three inputs, five outputs."""
    x = np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32)
    return {"x": x, "y": np.sin(x @ np.ones((3, 5), np.float32)), "error": np.ones((n, 5), np.float32)}


def train_networks(setup: dict[str, Any], hidden: tuple[int, ...] = (64, 64)) -> None:
    """Train networks."""
    keys, config = _keys(setup), _config(setup)
    models = build_mlp(keys, 3, 5, hidden)
    rows = fold_rows(keys[0], setup["n"], setup["members"]) if setup["folds"] else None
    train_ensemble(keys, models, chi2_loss, events(setup["n"]), config, rows=rows)


def train_flows(setup: dict[str, Any]) -> None:
    """Train flows of five numbers given three."""
    keys, data = _keys(setup), events(setup["n"])
    data["y"] = data["y"] + np.random.default_rng(2).normal(size=data["y"].shape).astype(np.float32)
    models = build_flow(keys, fit_linear_gaussian(data["y"], data["x"]))
    train_ensemble(keys, models, negative_log_likelihood, {"x": data["x"], "y": data["y"]}, _config(setup))


def _keys(setup: dict[str, Any]) -> jax.Array:
    return jax.random.split(jax.random.key(setup["seed"]), setup["members"])


def _config(setup: dict[str, Any]) -> TrainingConfig:
    return TrainingConfig(epochs=setup["epochs"], batch_size=setup["batch"], patience=setup["epochs"])


def clock(call: Callable[[], None]) -> float:
    """CPU seconds of all threads."""
    start = time.process_time()
    call()
    return time.process_time() - start


def show_compilations(train: Callable[[dict[str, Any]], None], names: list[str]) -> None:
    """Print the first table."""
    for name in names:
        before = epochs.run_epoch._cache_size()
        spent = clock(lambda name=name: train(FIRST | CHANGES[name]))
        print(f"{name:30} {spent:7.2f} {epochs.run_epoch._cache_size() - before:9}", flush=True)


def show_epochs() -> None:
    """Print the second table."""
    for n, batch, members, hidden in EPOCHS:
        steps = max(1, int(0.8 * n) // batch)
        number = int(np.clip(4000 / steps / members, 10, 300))
        setup = FIRST | {"n": n, "batch": batch, "members": members, "epochs": number}
        train_networks(setup, hidden)
        best = min(clock(lambda setup=setup, hidden=hidden: train_networks(setup, hidden)) for _ in range(8)) / number
        what = f"{n} events, batches of {batch}, {members} x {hidden}"
        print(f"{what:50} {1e3 * best:8.3f} {steps / best:12,.0f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flow", action="store_true")
    options = parser.parse_args()
    jax.jit(lambda x: x + 1)(1)
    print(f"{'':30} {'CPU s':>7} {'compiled':>9}")
    show_compilations(train_networks, list(CHANGES))
    if options.flow:
        print("\nflows")
        show_compilations(train_flows, ["first call", "the same again", "200 epochs", "batches of 64: another size"])
    print(f"\n{'':50} {'CPU ms':>8} {'steps per s':>12}")
    show_epochs()


if __name__ == "__main__":
    main()
