"""The runs of a card: their points, what a worker is told of each, and what finished ones tell of themselves."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sbitune.data.errors import InputError, naming
from sbitune.data.formats.runfiles import RECORD, read_run_record
from sbitune.generators.campaigns.campaign import Means
from sbitune.generators.campaigns.runs import Task
from sbitune.generators.designs import run_seed, stretch, unit_points
from sbitune.workflow.cards.scancard import ScanCard, ScanCardFile
from sbitune.workflow.runs.checking import extra_points


def design(loaded: ScanCardFile) -> np.ndarray:
    """(n_runs, n_parameters) points of the scan, those of `scan.extra` last, in the generator's units.

    Raises:
        InputError: for a number of runs that a grid cannot have, a bias that is not monotonic in its range, or extra
            points that cannot be read or lie outside the box.
    """
    card = loaded.card
    with naming(loaded.place("scan", "design")):
        u = unit_points(card.scan.design, card.scan.runs, len(card.parameters), card.scan.seed)
    columns = [
        stretch(u[:, i], p.low, p.high, p.bias, loaded.place("parameters", name, "bias"))
        for i, (name, p) in enumerate(card.parameters.items())
    ]
    return np.concatenate([np.stack(columns, axis=1), extra_points(loaded)])


def tasks_at(
    loaded: ScanCardFile, parameters: Sequence[str], points: np.ndarray, names: list[str], events: int, stream: int = 0
) -> list[Task]:
    """Runs to be made at given points (n, n_parameters) of the named parameters, with seeds from the card's."""
    card = loaded.card
    assert card.generator is not None
    return [
        Task(
            name=name,
            generator=card.generator,
            values={key: float(x) for key, x in zip(parameters, theta, strict=True)},
            events=events,
            seed=run_seed(card.scan.seed, number, stream),
            card=str(loaded.directory),
        )
        for number, (name, theta) in enumerate(zip(names, points, strict=True))
    ]


def means(card: ScanCard) -> Means:
    """How the card wants its runs to be made."""
    scan = card.scan
    return Means(scan.workers, scan.time_limit, scan.scheduler, scan.bad_runs == "drop")


def timing(directory: Path, runs: Sequence[str]) -> dict[str, float]:
    """Events and seconds of generation and analysis, added up over the named runs of a campaign.

    `timed` counts the events that the latter two are of: all but the first batch of a run.
    """
    sums = {"events": 0.0, "cpu_seconds": 0.0, "generation": 0.0, "analysis": 0.0, "timed": 0.0}
    for run in runs:
        content = read_run_record(directory / run).content
        for part in ("events", "cpu_seconds"):
            sums[part] += content.get(part, 0.0)
        seconds = content.get("seconds", {})
        for part in ("generation", "analysis"):
            sums[part] += seconds.get(part, 0.0)
        sums["timed"] += seconds.get("events", 0.0)
    return sums


def version_of_runs(loaded: ScanCardFile) -> str | None:
    """The version of Pythia that made the runs of a card; None if there is no run that tells."""
    for record in sorted((loaded.work / "scan").glob(f"*/{RECORD}"))[:1]:
        with contextlib.suppress(InputError):
            found = read_run_record(record.parent).content.get("pythia")
            return None if found is None else str(found)
    return None
