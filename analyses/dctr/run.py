"""DCTR: the default sample of Pythia at the Z reweighted to any alphaSvalue, aLund and probStoUD, and fitted.

Samples are made (an hour on a core; what is there is kept), ratios learned of them, and compared with exact weights,
with direct runs and with hidden truths. See README.md beside this file.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the other files of the study

from dctr_figures import (  # noqa: E402
    Prepared,
    closure,
    counts_score,
    effective_events,
    fit_data,
    score_figures,
    scores,
    single_errors,
    slopes,
    table,
)
from dctr_samples import A_LUND, BASE, BRIEF, FULL, PARAMETERS, RHO, Sample, Sizes, make, read  # noqa: E402

from sbitune.data.events import Events  # noqa: E402
from sbitune.generators.columns import load_columns, register_file  # noqa: E402
from sbitune.learning.sets.config import SetConfig  # noqa: E402
from sbitune.learning.training import TrainingConfig  # noqa: E402
from sbitune.ratios.parameterised.config import RatioConfig  # noqa: E402
from sbitune.ratios.parameterised.kinds.kind import NetworkConfig  # noqa: E402
from sbitune.ratios.parameterised.normalisation import means_along, normalise  # noqa: E402
from sbitune.ratios.parameterised.ratio import LearnedRatio  # noqa: E402
from sbitune.ratios.parameterised.samples import events_for_ratio  # noqa: E402
from sbitune.ratios.parameterised.storage import load_ratio, save_ratio  # noqa: E402
from sbitune.ratios.parameterised.training import train_ratio  # noqa: E402

register_file(HERE / "counts.py")
COUNTS = tuple(load_columns("DCTR_COUNTS").columns)
SHAPES = ("thrust", "y23", "y34", "c_parameter", "n_charged", "wide_broadening", "n_jets")
SETS = (
    ("hadron_xi", "hadron_rapidity", "hadron_pt", "hadron_mass", "hadron_strange"),
    ("jet_e", "jet_cosine", "jet_mass", "jet_n"),
)
SCORES = ("", f"score {A_LUND}", f"score {RHO}")


class Variant(NamedTuple):
    """What a ratio is learned from."""

    sets: bool  #: of particles and jets beside the columns
    scores: bool  #: joint scores in aLund and probStoUD beside labels


VARIANTS = {
    "columns": Variant(False, False),
    "columns, joint score": Variant(False, True),
    "particles": Variant(True, False),
    "particles, joint score": Variant(True, True),
}


class Study(NamedTuple):
    """What is asked for."""

    directory: Path
    sizes: Sizes
    epochs: int
    members: int
    workers: int
    seed: int
    small: bool  #: networks


class Data(NamedTuple):
    """Samples that are read once."""

    training: Sample
    reference: Sample
    n_train: int  #: events of the reference that networks are trained on; the others are independent


def sample_data(study: Study) -> Data:
    """Make and read what ratios are learned from."""
    for name, size in study.sizes._asdict().items():
        make(study.directory, name, size, study.workers)
    columns = [*COUNTS, *SHAPES, *(name for kind in SETS for name in kind)]
    training, reference = (read(study.directory, name, columns) for name in ("training", "reference"))
    return Data(training, reference, len(reference.events) // 2)


def config_of(study: Study, variant: Variant) -> RatioConfig:
    """Settings of networks and training."""
    sets = SetConfig(width=8, hidden=(8,)) if study.small else SetConfig(width=32, hidden=(32, 32))
    network = NetworkConfig(hidden=(8,) if study.small else (64, 64), features=8, sets=sets)
    size = 128 if study.small else 1024
    training = TrainingConfig(
        epochs=study.epochs, batch_size=size, learning_rate=3e-3, patience=study.epochs, validation_fraction=0.1
    )
    return RatioConfig(
        loss="cascal" if variant.scores else "binary", members=study.members, network=network, training=training
    )


def learn(study: Study, data: Data, name: str) -> tuple[LearnedRatio, float]:
    """Learn a ratio, or read the one that is there; gives the CPU seconds that it took, 0 for one that was there."""
    variant, path = VARIANTS[name], study.directory / f"{name.replace(', ', '-').replace(' ', '-')}.npz"
    columns, sets = [*COUNTS, *SHAPES], SETS if variant.sets else ()
    if path.is_file():
        return load_ratio(path, columns, PARAMETERS, sets), 0.0
    begun = time.process_time()
    held = slice(data.n_train, None)
    events = events_for_ratio(data.training.events, columns, PARAMETERS, score=SCORES, sets=sets)
    first = events_for_ratio(data.reference.events.take(slice(0, data.n_train)), columns, PARAMETERS, sets=sets)
    ratio = train_ratio(jax.random.key(study.seed), events, first, config_of(study, variant), BASE)
    others = events_for_ratio(data.reference.events.take(held), columns, PARAMETERS, sets=sets)
    ratio = normalise(ratio, others)
    save_ratio(path, ratio)
    return ratio, time.process_time() - begun


def judge(study: Study, data: Data, name: str) -> dict[str, Any]:
    """All figures of a variant."""
    ratio, seconds = learn(study, data, name)
    prepared = Prepared.of(ratio, data.reference.events)
    held = slice(data.n_train, None)
    independent = Prepared(ratio, prepared.numbers[held])
    columns, sets = [*COUNTS, *SHAPES], SETS if VARIANTS[name].sets else ()
    others = events_for_ratio(data.reference.events.take(held), columns, PARAMETERS, sets=sets)
    along = means_along(ratio, others, 5)
    found: dict[str, Any] = {
        "cpu seconds": round(seconds),
        "scores": scores(independent, data.reference.events.take(held)),
        "slopes": slopes(prepared, data.reference),
        "ess": effective_events(prepared, data.reference),
        "largest |E_ref[r] - 1|": float(max(np.abs(means.mean - 1).max() for means in along.values())),
    }
    found |= {"closure": closures(study, data, independent), **hidden(study, ratio)}
    return found


def closures(study: Study, data: Data, prepared: Prepared) -> list[dict[str, Any]]:
    """The independent events of the default sample reweighted to the settings of direct runs."""
    columns = [*COUNTS, *SHAPES, *(name for kind in SETS for name in kind)]
    reference = table(data.reference.events.take(slice(data.n_train, None)), columns)
    found = []
    for theta, events in runs_of(study, "closure", columns):
        found.append(closure(prepared, reference, table(events, columns)[0], theta))
    return found


def hidden(study: Study, ratio: LearnedRatio) -> dict[str, Any]:
    """Fits of pseudo-data at settings that no network has seen."""
    columns = [*COUNTS, *SHAPES, *(name for kind in SETS for name in kind)]
    data = list(runs_of(study, "hidden", columns))
    fits = [fit_data(ratio, events, theta) for theta, events in data]
    pulls = np.array([one["pulls"] for one in fits])
    inside = np.abs(pulls) < 1
    errors = [single_errors(ratio, events, theta) for theta, events in data]
    return {
        "fits": fits,
        "intervals": int(inside.size),
        "hold the truth": int(inside.sum()),
        "of each parameter": dict(zip(BASE, inside.sum(axis=0).tolist(), strict=True)),
        "pull width": float(np.sqrt(np.mean(pulls**2))),
        "errors of one parameter": {name: float(np.median([one[name] for one in errors])) for name in (A_LUND, RHO)},
    }


def runs_of(study: Study, sample: str, columns: Sequence[str]) -> list[tuple[Mapping[str, float], Events]]:
    """Settings and events of every run of a sample."""
    events = read(study.directory, sample, columns).events
    theta = np.column_stack([events[name] for name in BASE])
    starts = [0, *(np.flatnonzero((np.diff(theta, axis=0) != 0).any(axis=1)) + 1).tolist(), len(theta)]
    return [
        (dict(zip(BASE, theta[begin].tolist(), strict=True)), events.take(slice(begin, end)))
        for begin, end in pairwise(starts)
    ]


def limits(data: Data) -> dict[str, dict[str, dict[str, float]]]:
    """What twenty counts keep of the exact scores, on the events by which learned scores are judged; and all of it."""
    events = data.reference.events.take(slice(data.n_train, None))
    found: dict[str, dict[str, dict[str, float]]] = {"counts": {}, "history": {}}
    for name in (A_LUND, RHO):
        score = np.asarray(events[f"score {name}"])
        found["counts"][name] = score_figures(score, counts_score(events, COUNTS, score))
        found["history"][name] = score_figures(score, score)
    return found


def run_study(study: Study, variants: Sequence[str], output: Path | None) -> dict[str, Any]:
    """The whole study; what is found is written after every variant."""
    data = sample_data(study)
    found: dict[str, Any] = {
        "events": {name: size[0] * size[1] for name, size in study.sizes._asdict().items()},
        "counts": list(COUNTS),
        "limits": limits(data),
        "variants": {},
    }
    for name in variants:
        found["variants"][name] = judge(study, data, name)
        if output:
            output.write_text(json.dumps(found, indent=1) + "\n")
    return found


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the study and print its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=HERE / "work", help="of runs and ratios")
    parser.add_argument("--brief", action="store_true", help="a few thousand events and small networks: minutes")
    parser.add_argument(
        "--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS)[:2] + list(VARIANTS)[3:]
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--members", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    brief = options.brief
    study = Study(
        directory=options.directory,
        sizes=BRIEF if brief else FULL,
        epochs=options.epochs or 4,
        members=options.members or (1 if brief else 2),
        workers=options.workers,
        seed=options.seed,
        small=brief,
    )
    found = run_study(study, options.variants, options.output)
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    main()
