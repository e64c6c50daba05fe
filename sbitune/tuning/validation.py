"""The generator run again at the tune and before it, compared with the data and with the surrogate."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.files import hash_bytes
from sbitune.data.histograms import Histograms, flatten
from sbitune.data.paths import is_final
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.objective import residual_terms
from sbitune.fitting.problem import Measured
from sbitune.generators.campaign import run_campaign
from sbitune.generators.config import PythiaConfig
from sbitune.generators.runs import HISTOGRAMS, Task, fingerprint
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.scanning import means, tasks_at

#: separates the seeds of these runs from those of the scan
STREAM = 1
POINTS = ("tuned", "default")


def merged_file(loaded: LoadedCard, name: str) -> Path:
    """Where the merged runs of a point are kept."""
    return loaded.work / "validation" / f"{name}.yoda"


def run_points(
    loaded: LoadedCard, parameters: Sequence[str], points: dict[str, np.ndarray], reporter: Reporter = QUIET
) -> dict[str, Path]:
    """Run the generator at named points (n_parameters,) and merge the runs of each; gives the YODA files.

    Runs are kept in `work/validation` by their fingerprint, so that another tune, or another number of events, makes
    new ones.
    """
    card = loaded.card
    reporter.say(f"validation: {card.validation.events:,} events at {' and '.join(points)}")
    tasks = {name: _tasks(loaded, parameters, theta) for name, theta in points.items()}
    directory = loaded.work / "validation"
    every = list({task.name: task for group in tasks.values() for task in group}.values())
    how = means(card)._replace(drop_failed=False)
    run_campaign(every, directory, how, lambda done, total: reporter.progress("validation", done, total))
    return {
        name: _merge(loaded, [directory / task.name for task in group], merged_file(loaded, name))
        for name, group in tasks.items()
    }


def _tasks(loaded: LoadedCard, parameters: Sequence[str], theta: np.ndarray) -> list[Task]:
    """The runs that share the events of a point; their seeds depend on the point, not on its place among others."""
    validation = loaded.card.validation
    stream = int(hash_bytes(np.asarray(theta, float).tobytes())[:8], 16) + STREAM
    events = -(-validation.events // validation.split)
    names = [str(part) for part in range(validation.split)]
    tasks = tasks_at(loaded, parameters, np.array([theta] * validation.split), names, events, stream)
    return [msgspec.structs.replace(task, name=fingerprint(task)) for task in tasks]


def _merge(loaded: LoadedCard, runs: Sequence[Path], target: Path) -> Path:
    generator = loaded.card.generator
    if isinstance(generator, PythiaConfig):
        from sbitune.generators.observables import merge_runs, register

        for name in generator.analysis_files:
            register(loaded.directory / name)
        merged = merge_runs([yoda.read(run / HISTOGRAMS) for run in runs])
    else:
        assert generator is not None
        # what cannot be added (a scatter, a cross-section) is missed by name if the fit needs it
        merged = yoda.merge([yoda.read(run / generator.output) for run in runs], drop_unmergeable=True)
    yoda.write(target, merged)
    return target


def read_on(path: Path, bins: Bins) -> Histograms:
    """Read a run's histograms in just the given bins. Raises `InputError` naming a bin that the file has not."""
    wanted = set(bins.paths())
    all_of = flatten(yoda.read(path, lambda name: is_final(name) and name in wanted).values())
    found = all_of.bins.locate(bins)
    if (found < 0).any():
        raise InputError(
            f"{path}: no bin {bins.take(np.flatnonzero(found < 0)).labels()[0]} in this file; "
            "if runs cannot be added, set `validation.split: 1`"
        )
    return all_of.take(found)


class Agreement(NamedTuple):
    """chi2 of a run with the data, independent errors of both and correlated sources."""

    terms: np.ndarray  #: (n_bins,) contributions, unit weights
    weighted: float  #: sum with the weights squared

    @property
    def chi2(self) -> float:
        """Sum over the bins."""
        return float(self.terms.sum())


def with_floor(run: Histograms) -> np.ndarray:
    """(n_bins,) errors of a run; an empty bin, which quotes none, gets that of one entry in its histogram."""
    errors = run.errors.copy()
    width = np.where(run.bins.widths() > 0, run.bins.widths(), 1.0)
    for path in run.bins.paths():
        mine = run.bins.of(path)
        filled = mine[(run.errors[mine] > 0) & (run.values[mine] > 0)]
        empty = mine[run.errors[mine] == 0]
        if len(filled) and len(empty):
            # n entries of height h in a bin: value n h, error sqrt(n) h; h times the width is the same in all bins
            entry = np.median(run.errors[filled] ** 2 / run.values[filled] * width[filled])
            errors[empty] = entry / width[empty]
    return errors


def agreement(run: Histograms, measured: Measured, correlation: np.ndarray | None = None) -> Agreement:
    """Compare a run with the measured values: the chi2 of the fit with the run in place of the surrogate.

    Args:
        run: contents and Monte Carlo errors in the measured bins.
        measured: the data.
        correlation: (n_bins, n_bins) of Monte Carlo errors, or None.
    """
    v = replace(measured, noise=with_floor(run)).covariance(correlation)
    weighted = float(residual_terms(run.values, measured, v, measured.weights).sum())
    return Agreement(residual_terms(run.values, measured, v), weighted)
