"""The generator run again at the tune and before it, compared with the data and with the surrogate."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from scipy import stats

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError, InputError, SbituneError
from sbitune.data.formats.finals import read_final
from sbitune.data.formats.runfiles import RECORD
from sbitune.data.histograms import Histograms, flatten
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes
from sbitune.fitting.likelihood.algebra import invert
from sbitune.fitting.likelihood.gaussian import residual_terms
from sbitune.fitting.likelihood.measured import Measured, noise_covariance
from sbitune.generators.campaigns.campaign import Means, run_campaign
from sbitune.generators.campaigns.runs import HISTOGRAMS, Task, fingerprint
from sbitune.generators.config import PythiaConfig
from sbitune.tuning.card import LoadedCard
from sbitune.workflow.runs.tasks import means, tasks_at

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
    with _naming_points(tasks, directory):
        run_campaign(every, directory, _how(loaded), partial(reporter.progress, "validation"))
    return {
        name: _merge(loaded, [directory / task.name for task in group], merged_file(loaded, name))
        for name, group in tasks.items()
    }


def _how(loaded: LoadedCard) -> Means:
    """As the card says, but for runs that fail: none of these can be left out."""
    remedy = (
        f". They cannot be left out; the tune is in {loaded.output('result.yaml')} all the same. Where the generator "
        "cannot be run at the tune, keep the fit away from there with `fit.limits`."
    )
    place = loaded.place("generator", "settings")
    return means(loaded.card)._replace(drop_failed=False, place=place, remedy=remedy)


@contextlib.contextmanager
def _naming_points(tasks: Mapping[str, Sequence[Task]], directory: Path) -> Iterator[None]:
    """Say at which points runs are not there: their own names tell nobody."""
    try:
        yield
    except SbituneError as error:
        lost = {
            task.name for group in tasks.values() for task in group if not (directory / task.name / RECORD).is_file()
        }
        points = [name for name, group in tasks.items() if lost & {task.name for task in group}]
        where = f" at the values {' and '.join(f'`{name}`' for name in points)}" if points else ""
        raise type(error)(f"validation{where}: {error}") from error


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
        from sbitune.generators.columns import register_file
        from sbitune.generators.observables import merge_runs

        for name in generator.analysis_files:
            register_file(loaded.directory / name)
        merged = merge_runs([yoda.read(run / HISTOGRAMS) for run in runs])
    else:
        assert generator is not None
        # what cannot be added (a scatter, a cross-section) is missed by name if the fit needs it
        merged = yoda.merge([yoda.read(run / generator.output) for run in runs], drop_unmergeable=True)
    yoda.write(target, merged)
    return target


def read_on(path: Path, bins: Bins, weight: str = "") -> Histograms:
    """Read a run's histograms of a weight in just the given bins.

    Raises `InputError` naming a bin that the file has not.
    """
    wanted = set(bins.paths())
    all_of = flatten(read_final(path, wanted.__contains__, weight).values())
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
    error: float  #: of `chi2`, from the number of events of the run

    @property
    def chi2(self) -> float:
        """Sum over the bins."""
        return float(self.terms.sum())


def noise_of(run: Histograms, scaling: np.ndarray | float = 1.0) -> np.ndarray:
    """(n_bins,) errors of a run, multiplied by `scaling` (see `correlation.measure_errors`); an empty bin, which quotes
    none, gets that of one entry in its histogram.
    """
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
    return errors * scaling


def agreement(
    run: Histograms, noise: np.ndarray, measured: Measured, correlation: np.ndarray | None = None
) -> Agreement:
    """Compare a run with the measured values: the chi2 of the fit with the run in place of the surrogate.

    Args:
        run: contents in the measured bins.
        noise: (n_bins,) their Monte Carlo errors.
        measured: the data.
        correlation: (n_bins, n_bins) of Monte Carlo errors, or None.

    With C the covariance of the run's contents, V that of the data and the run, and q = V^-1 r of the true contents,
    chi2 of runs scatters with the variance 4 q^T C q + 2 t, t = tr(V^-1 C V^-1 C). With the contents of one run
    4 q^T C q is too large by 4 t on average.
    """
    v = replace(measured, noise=noise).covariance(correlation)
    weighted = float(residual_terms(run.values, measured, v, measured.weights).sum())
    own = noise_covariance(noise, correlation)
    inverse, _ = invert(v, measured.bins)
    q, share = inverse @ (run.values - measured.values), inverse @ own
    t = np.sum(share * share.T)
    error = float(np.sqrt(max(4 * q @ own @ q - 2 * t, 2 * t)))
    return Agreement(residual_terms(run.values, measured, v), weighted, error)


class Chi2Difference(NamedTuple):
    """The chi2 of the fit beside that of the generator at the tune, both with the same covariance."""

    surrogate: float  #: chi2 of the surrogate with the data
    generator: float  #: chi2 of a run with the data
    expected: float  #: of generator - surrogate, were the surrogate's errors true
    error: float  #: standard deviation of that

    @property
    def deviations(self) -> float:
        """By how many standard deviations the generator's chi2 is higher than the fit says; negative where lower."""
        return (self.generator - self.surrogate - self.expected) / self.error if self.error > 0 else 0.0


def compare_chi2(
    run: Histograms,
    noise: np.ndarray,
    mean: np.ndarray,
    covariance: np.ndarray,
    measured: Measured,
    correlation: np.ndarray | None,
) -> Chi2Difference:
    """Compare how well the surrogate and the generator describe the data.

    With V the covariance of data, run and surrogate, C that of the surrogate, N that of the run, and a what the
    generator truly differs from the data by,

        chi2(run) - chi2(surrogate) = (a + n)^T V^-1 (a + n) - (a + c)^T V^-1 (a + c),   n ~ N(0, N),  c ~ N(0, C),

    has the mean tr V^-1 (N - C) and the variance 4 a^T V^-1 (N + C) V^-1 a + 2 tr (V^-1 N)^2 + 2 tr (V^-1 C)^2. A
    surrogate whose errors leave something out describes data less well than its generator does; one that was bent to
    the data, better. For a stands the mean of what surrogate and run give.

    Args:
        run: contents in the measured bins.
        noise: (n_bins,) their Monte Carlo errors.
        mean: (n_bins,) the surrogate's prediction.
        covariance: (n_bins, n_bins) C of its errors.
        measured: the data.
        correlation: (n_bins, n_bins) of Monte Carlo errors, or None.
    """
    inverse, _ = invert(replace(measured, noise=noise).covariance(correlation) + covariance, measured.bins)
    own = noise_covariance(noise, correlation)
    of_run, of_surrogate = inverse @ own, inverse @ covariance
    differences = run.values - measured.values, mean - measured.values
    q = inverse @ (0.5 * (differences[0] + differences[1]))
    variance = (
        4 * q @ (own + covariance) @ q + 2 * np.sum(of_run * of_run.T) + 2 * np.sum(of_surrogate * of_surrogate.T)
    )
    generator, surrogate = (float(x @ inverse @ x) for x in differences)
    return Chi2Difference(surrogate, generator, float(np.trace(of_run - of_surrogate)), float(np.sqrt(variance)))


class RunComparison(NamedTuple):
    """A run compared with what the surrogate says of it."""

    pull: float  #: rms of (surrogate - run)/error, both errors included
    chi2: float  #: of the difference, with the covariance of both
    p: float  #: how often that is higher by chance


def compare(
    run: Histograms, noise: np.ndarray, mean: np.ndarray, covariance: np.ndarray, correlation: np.ndarray | None
) -> RunComparison:
    """Compare a run with the surrogate at its point.

    Args:
        run: contents.
        noise: (n_bins,) their Monte Carlo errors.
        mean: (n_bins,) the surrogate's prediction.
        covariance: (n_bins, n_bins) of its errors.
        correlation: (n_bins, n_bins) of Monte Carlo errors, or None.

    Raises:
        ComputationError: neither has an error in any bin.
    """
    own = noise_covariance(noise, correlation)
    v, r = covariance + own, mean - run.values
    known = np.diag(v) > 0
    if not known.any():
        raise ComputationError(
            f"neither the run nor the surrogate has an error in any of {len(known)} bins: they cannot be compared; "
            "have the generator's command write Monte Carlo errors"
        )
    pull = float(np.sqrt(np.mean(r[known] ** 2 / np.diag(v)[known])))
    inverse, _ = invert(v[np.ix_(known, known)], run.bins.take(known))
    chi2 = float(r[known] @ inverse @ r[known])
    return RunComparison(pull, chi2, float(stats.chi2.sf(chi2, known.sum())))
