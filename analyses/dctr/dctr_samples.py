"""The samples of the study: events of Pythia at the Z with exact weights, made by campaigns and read as tables."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.events import Column, Events, Ragged, TableRequest, concatenate, read_run_events
from sbitune.data.parameter import Parameter
from sbitune.data.sobol import sobol_points
from sbitune.generators.campaigns.campaign import Means, run_campaign
from sbitune.generators.campaigns.runs import Task
from sbitune.generators.config import PythiaConfig
from sbitune.generators.reweighting import EventStatistics, Variations, recover
from sbitune.learning.sets.ragged import keep_largest

HERE = Path(__file__).resolve().parent
ALPHA, A_LUND, RHO = "TimeShower:alphaSvalue", "StringZ:aLund", "StringFlav:probStoUD"
#: the box in which ratios are learned
PARAMETERS = (Parameter(ALPHA, 0.12, 0.15), Parameter(A_LUND, 0.48, 0.88), Parameter(RHO, 0.167, 0.267))
#: where the default sample is: Pythia's own values
BASE = {ALPHA: 0.1365, A_LUND: 0.68, RHO: 0.217}
VARIATIONS = Variations.of({A_LUND: (0.48, 0.58, 0.78, 0.88), RHO: (0.167, 0.192, 0.242)})
#: hadrons of an event that networks see
MOST_HADRONS = 96
PROCESS = (
    "Beams:idA = 11",
    "Beams:idB = -11",
    "Beams:eCM = 91.2",
    "PDF:lepton = off",
    "WeakSingleBoson:ffbar2gmZ = on",
    "23:onMode = off",
    "23:onIfAny = 1 2 3 4 5",
)
CONFIG = PythiaConfig(
    settings=VARIATIONS.added_to(PROCESS),
    analyses=("ALEPH_1996_S3486095",),
    analysis_files=("counts.py",),
    columns=("LEP_EVENT_SHAPES", "LEP_HADRONS", "ANTIKT_JETS", "DCTR_COUNTS"),
)


class Sizes(NamedTuple):
    """Runs and events of a run, of every sample."""

    reference: tuple[int, int]  #: at the defaults
    training: tuple[int, int]  #: at many settings
    closure: tuple[int, int]  #: at a few settings, to which the default is reweighted
    hidden: tuple[int, int]  #: pseudo-data


#: for a look at it
BRIEF = Sizes((2, 5_000), (10, 1_000), (1, 1_000), (1, 1_000))
FULL = Sizes((100, 10_000), (256, 2_500), (6, 50_000), (10, 10_000))


def points(sample: str, n: int) -> np.ndarray:
    """(n, 3) settings of the runs of a sample; those of pseudo-data and closure lie in the inner 70 % of the box."""
    low, high = np.array([(p.low, p.high) for p in PARAMETERS]).T
    if sample == "reference":
        return np.tile(list(BASE.values()), (n, 1))
    u = sobol_points(n, 3, seed={"training": 1, "closure": 2, "hidden": 3}[sample])[:n]
    return low + (high - low) * (u if sample == "training" else 0.5 + 0.7 * (u - 0.5))


def make(directory: Path, sample: str, size: tuple[int, int], workers: int = 1) -> None:
    """Make the runs of a sample that are not there yet."""
    n, events = size
    seed = {"reference": 1, "training": 2, "closure": 3, "hidden": 4}[sample] * 10_000
    tasks = [
        Task(f"{i:04d}", CONFIG, dict(zip(BASE, map(float, theta), strict=True)), events, seed + i, str(HERE))
        for i, theta in enumerate(points(sample, n))
    ]
    run_campaign(tasks, directory / sample, Means(workers=workers))


class Sample(NamedTuple):
    """Events of one sample."""

    events: Events  #: columns asked for, the settings of each, and its exact score in aLund and probStoUD
    statistics: list[EventStatistics]  #: of every run, in the order of the events

    def log_weight(self, theta: Mapping[str, float]) -> np.ndarray:
        """(n_events,) exact log weight at values of aLund and probStoUD, the other parameters as they are."""
        return np.concatenate([one.log_weight(theta) for one in self.statistics])


def read(directory: Path, sample: str, columns: Sequence[str], runs: int | None = None) -> Sample:
    """Read the first runs of a sample, with these columns of their events."""
    found: list[Events] = []
    statistics: list[EventStatistics] = []
    request = TableRequest(columns=list(columns))
    for run in islice(read_run_events(directory / sample, request), runs):
        known, n = recover(run.events, VARIATIONS, run.parameters), len(run.events)
        columns_of_run = {name: run.events[name] for name in columns}
        columns_of_run |= _fastest_hadrons(columns_of_run)
        columns_of_run |= {name: np.full(n, value) for name, value in run.parameters.items()}
        columns_of_run |= {f"score {name}": known.score(name) for name in (A_LUND, RHO)}
        found.append(Events.of(columns_of_run, origins=run.events.origins))
        statistics.append(known)
    return Sample(concatenate(found), statistics)


def _fastest_hadrons(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Ragged columns of hadrons, cut to the fastest of every event: one in 600 has more."""
    names = [name for name in columns if name.startswith("hadron_")]
    if not names:
        return {}
    xi = columns["hadron_xi"]
    assert isinstance(xi, Ragged)
    kept = keep_largest([c for c in map(columns.get, names) if isinstance(c, Ragged)], MOST_HADRONS, -xi.content)
    return dict(zip(names, kept.columns, strict=True))
