"""What a ratio of events with sets of particles takes of memory and time.

    python tests/benchmarks/bench_set_ratios.py [--events 1000000] [--epochs 2] [--marginal]

Events of 50 particles on average with 5 numbers each, of which theta moves the first; half are of the reference,
or with --marginal all have a theta and the reference is their marginal. The log ratio is a sum over particles: printed
are its rms error on other events, CPU seconds of training, what all events filled up would take, and the largest
memory of the whole process, which must stay under 8 GiB.

On one core: `taskset -c 0 env OMP_NUM_THREADS=1 PYTHONPATH=tests python tests/benchmarks/bench_set_ratios.py`.
"""

import argparse
import resource
import time

import jax
import numpy as np

from sbitune.data.events import Events, Ragged
from sbitune.data.events.ragged import offsets_of
from sbitune.data.parameter import Parameter
from sbitune.learning.sets.config import SetConfig
from sbitune.learning.training import TrainingConfig
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.kinds.kind import NetworkConfig
from sbitune.ratios.parameterised.samples import events_for_ratio
from sbitune.ratios.parameterised.training import train_ratio

#: GiB
LIMIT = 8.0
PARTICLES, FEATURES = 50, 5
#: theta moves the mean of the first number of a particle by up to this
SHIFT = 0.1
PARAMETERS = (Parameter("theta", -SHIFT, SHIFT),)
SETS = (tuple(f"p{i}" for i in range(FEATURES)),)


def draw(seed: int, n: int, reference: bool) -> Events:
    """Events with theta from the box, or of the reference at 0."""
    random = np.random.default_rng(seed)
    theta = np.zeros(n) if reference else random.uniform(-SHIFT, SHIFT, n)
    counts = random.poisson(PARTICLES, n)
    offsets = offsets_of(counts)
    columns = {name: Ragged(random.standard_normal(offsets[-1], np.float32), offsets) for name in SETS[0]}
    first = columns[SETS[0][0]].content + np.repeat(theta, counts).astype(np.float32)
    return Events.of({**columns, SETS[0][0]: Ragged(first, offsets), "n": counts, "theta": theta})


def exact(events: Events) -> np.ndarray:
    """(n_events,) log r at the theta of each."""
    first, theta = events[SETS[0][0]], np.asarray(events["theta"])
    assert isinstance(first, Ragged)
    sums = np.bincount(np.repeat(np.arange(len(events)), first.counts), first.content, len(events))
    return theta * sums - first.counts * theta**2 / 2


def peak() -> float:
    """GiB of memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--marginal", action="store_true")
    options = parser.parse_args()
    start, n = peak(), options.events if options.marginal else options.events // 2
    table = draw(1, n, False)
    events = events_for_ratio(table, ["n"], PARAMETERS, sets=SETS)
    reference = None if options.marginal else events_for_ratio(draw(2, n, True), ["n"], PARAMETERS, sets=SETS)
    size = table.nbytes * (1 if options.marginal else 2) / 2**30
    del table
    read = peak()
    training = TrainingConfig(epochs=options.epochs, batch_size=1024, patience=options.epochs, validation_fraction=0.05)
    network = NetworkConfig(hidden=(32,), hidden_theta=(16,), features=4, sets=SetConfig(width=16, hidden=(16,)))
    config = RatioConfig(members=1, network=network, training=training)
    begun = time.process_time()
    point = None if options.marginal else {"theta": 0.0}
    ratio = train_ratio(jax.random.key(1), events, reference, config, point)
    seconds = time.process_time() - begun
    other = draw(3, 20_000, False)
    truth = exact(other)
    away = ratio.log_ratios(other, np.asarray(other["theta"])[:, None]) - truth
    filled = options.events * events.sets[0].longest * FEATURES * 4 / 2**30
    print(f"{options.events} events of {PARTICLES} x {FEATURES}, {size:.2f} GiB in a table; filled up {filled:.2f} GiB")
    print(f"log r: spread {truth.std():.3f}, rms error {np.sqrt(np.mean(away**2)):.3f}, mean {away.mean():.3f}")
    print(f"training {seconds:.0f} CPU s, {1e3 * seconds / options.events / options.epochs:.3f} ms an event and epoch")
    print(f"largest memory: {start:.2f} GiB at the start, {read:.2f} with the events, {peak():.2f} in all")
    assert peak() < LIMIT


if __name__ == "__main__":
    main()
