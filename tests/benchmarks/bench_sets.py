"""Networks of sets on events whose log ratio is known, and what they take of time and memory.

    python tests/benchmarks/bench_sets.py [--events 20000] [--epochs 20]

Events of independent particles, 20 on average in one class and 22 in the other, whose log ratio is a sum over them: its
rms error on 20,000 other events, CPU seconds of training and evaluation with compilation, for deep sets and for
attention. Then a million particles in 50,000 events of up to 200: the memory that an epoch adds, beside what arrays of
all events filled up would take.

On one core: `taskset -c 0 env OMP_NUM_THREADS=1 PYTHONPATH=tests python tests/benchmarks/bench_sets.py`.
"""

import argparse
import resource
import time
from collections.abc import Callable

import jax
import numpy as np
from helpers.settoys import draw_sets

from sbitune.data.events.ragged import from_counts
from sbitune.learning.losses import binary_cross_entropy
from sbitune.learning.sets.attention import build_set_attention
from sbitune.learning.sets.deepsets import build_deep_sets
from sbitune.learning.sets.evaluation import evaluate
from sbitune.learning.sets.network import SetNetwork
from sbitune.learning.sets.ragged import ragged_rows
from sbitune.learning.sets.scaling import SetEvents, set_scaling
from sbitune.learning.training import TrainingConfig, train

MEANS = (20.0, 22.0)


def show_ratio(name: str, build: Callable[..., SetNetwork], n_events: int, epochs: int) -> None:
    """Train on the toy and print how far the log ratio is off."""
    toy, fresh = draw_sets(1, n_events, MEANS), draw_sets(2, 20000, MEANS)
    events = SetEvents(toy.rows)
    config = TrainingConfig(epochs=epochs, batch_size=256, learning_rate=3e-3, patience=epochs)
    start = time.process_time()
    model = build(jax.random.key(1), set_scaling(events))
    trained = train(jax.random.key(2), model, binary_cross_entropy, {"x": events, "label": toy.label}, config)
    trained_at = time.process_time()
    found = evaluate(trained.model, SetEvents(fresh.rows))[:, 0]
    done = time.process_time()
    rms = np.sqrt(np.mean((found - fresh.exact) ** 2))
    print(
        f"{name:12} {n_events:8} {epochs:6} {rms:8.3f} {fresh.exact.std():8.3f} "
        f"{trained_at - start:9.1f} {done - trained_at:9.1f}",
        flush=True,
    )


def show_memory() -> None:
    """Train an epoch of a million particles and print what it adds to the memory."""
    random = np.random.default_rng(1)
    counts = np.minimum(random.geometric(1 / 20.0, 50000), 200)
    counts[0] = 200
    content = random.normal(size=(counts.sum(), 8))
    rows = ragged_rows([from_counts(column, counts) for column in content.T])
    events, label = SetEvents(rows), random.integers(2, size=50000)
    model = build_deep_sets(jax.random.key(1), set_scaling(events))
    before, start = peak(), time.process_time()
    config = TrainingConfig(epochs=1, batch_size=128)
    trained = train(jax.random.key(2), model, binary_cross_entropy, {"x": events, "label": label}, config).model
    evaluate(trained, events)
    filled = len(rows) * rows.longest * 4 / 2**20
    print(f"\n{counts.sum()} particles in {len(rows)} events of up to {counts.max()}, 8 features: an epoch and the")
    print(f"evaluation of all add {peak() - before:.0f} MiB and take {time.process_time() - start:.1f} s; filled up,")
    print(f"they would be {8 * filled:.0f} MiB, and {64 * filled:.0f} MiB in each layer of 64 units")


def peak() -> float:
    """MiB of memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    show_memory()
    print(f"\n{'':12} {'events':>8} {'epochs':>6} {'rms':>8} {'spread':>8} {'train s':>9} {'eval. s':>9}")
    show_ratio("deep sets", build_deep_sets, options.events, options.epochs)
    show_ratio("deep sets", build_deep_sets, 5 * options.events, options.epochs)
    show_ratio("attention", build_set_attention, options.events, max(1, options.epochs // 2))


if __name__ == "__main__":
    main()
