"""A campaign: many runs, resumed after a kill, nothing finished ever lost.

A run is made in a temporary directory and renamed when it is whole, so a directory `0000` is always a finished run.
Each carries a fingerprint of all that determines it; a directory made with other settings is refused, never mixed in.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sbitune.data.errors import ComputationError, InputError, SbituneError, SpaceError
from sbitune.data.formats.runfiles import DamagedRunError, check_run_files, read_run_record, write_run_record
from sbitune.data.storage.files import read_json, write_text
from sbitune.data.storage.locks import locked
from sbitune.generators.campaigns.pool import Failure, Outcome, run_here, run_on_dask, try_starts
from sbitune.generators.campaigns.runs import Task, fingerprint
from sbitune.generators.config import PythiaConfig

#: receives how many runs are done with, how many there are, and how many of the former failed
Progress = Callable[[int, int, int], None]


class Means(NamedTuple):
    """With what the runs of a campaign are made."""

    workers: int | None = None  #: processes; None: one per processor
    time_limit: float = 3600.0  #: seconds for one run
    scheduler: str | None = None  #: address of a dask.distributed scheduler
    drop_failed: bool = False  #: leave failed runs out instead of raising
    place: str = "generator.settings"  #: where Pythia's settings stand, for messages
    remedy: str = ", or leave them out with `scan.bad_runs: drop`."  #: of failed runs, beside starting again


class Made(NamedTuple):
    """What a campaign has made."""

    runs: list[Path]  #: directories of the finished runs, in the order of the tasks
    failures: dict[str, str]  #: run name -> reason, of the runs left out
    new: int  #: how many were made now; the others were there
    unchecked: int = 0  #: how many of these an older sbitune made, without hashes of their files: they have them now


def run_campaign(
    tasks: Sequence[Task],
    directory: Path,
    means: Means = Means(),
    progress: Progress = lambda done, total, failed: None,
) -> Made:
    """Make all runs that are not there yet.

    Raises:
        InputError: if the directory holds a run made with other settings, or another campaign works in it; if Pythia
            does not start with the settings; or as soon as a run finds that what the user gave is wrong, unless
            `means.drop_failed` is set.
        DamagedRunError: if files of finished runs are not what these left, naming all such runs.
        SpaceError: if there is no room for a file. What is finished is kept, and nothing is held against the others.
        ComputationError: if runs failed and `means.drop_failed` is not set, the others are kept; or if all of the first
            failed, the others are not tried.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        failures = _known_failures(tasks, directory) if means.drop_failed else {}
        done, unchecked = _done(tasks, directory)
        pending = [task for task in tasks if task.name not in failures and task.name not in done]
        if len(failures) + len(pending) == len(tasks):
            _check_start(pending, means)
        _make(pending, len(tasks), failures, directory, means, progress)
        if failures and not means.drop_failed:
            raise _error(failures, directory, means.remedy)
    finished = [directory / task.name for task in tasks if task.name not in failures]
    if not finished:
        raise _nothing_left(failures, directory)
    return Made(finished, {name: failure.reason for name, failure in failures.items()}, len(pending), unchecked)


def _make(
    pending: Sequence[Task],
    total: int,
    failures: dict[str, Failure],
    directory: Path,
    means: Means,
    progress: Progress,
) -> None:
    """Make runs, and add those that fail to `failures`."""
    done = total - len(pending)
    untried = done == len(failures)  # nothing says yet that runs can be made at all
    before = set(failures)
    progress(done, total, len(failures))
    with contextlib.closing(_outcomes(pending, directory, means)) as outcomes:
        for outcome in outcomes:
            if outcome.failure and outcome.failure.space:
                raise _no_space(outcome, set(failures) - before, directory)
            failures.update(_settle(outcome, directory))
            if outcome.failure and outcome.failure.input and not means.drop_failed:
                break  # the input must be mended: what is under way would be made in vain
            done += 1
            progress(done, total, len(failures))
            untried = untried and outcome.failure is not None and outcome.failure.lasting
            if untried and _crew(means) < done < total:
                raise _hopeless(failures, directory, total)


def _check_start(pending: Sequence[Task], means: Means) -> None:
    """Refuse settings with which Pythia does not start; a fault of one point is left to its run.

    Of a single run nothing is tried: it finds out itself.
    """
    if len(pending) < 2 or not isinstance(pending[0].generator, PythiaConfig):
        return
    points = (pending[0], pending[-1])
    failure = try_starts(points, means.time_limit)
    if failure is not None:
        names = " and ".join(task.name for task in points)
        raise InputError(f"{means.place}: {failure.reason.strip()} (tried at the points of the runs {names})")


def _crew(means: Means) -> int:
    """How many runs are under way together; on a cluster a guess."""
    return means.workers or _processors()


def _outcomes(pending: Sequence[Task], directory: Path, means: Means) -> Generator[Outcome, None, None]:
    if pending and means.scheduler:
        yield from run_on_dask(pending, directory, means.scheduler, means.time_limit)
    elif pending:
        yield from run_here(pending, directory, _crew(means), means.time_limit)


def _processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _done(tasks: Sequence[Task], directory: Path) -> tuple[set[str], int]:
    """Names of the runs that are finished, each looked at; and of how many nothing but their names could be checked, as
    an older sbitune made them. What these hold now is written down.
    """
    done, unchecked, damaged = set(), 0, {}
    for task in tasks:
        run = directory / task.name
        if not run.is_dir():
            continue
        try:
            record = read_run_record(run)
            if record.fingerprint != fingerprint(task):
                raise _other_settings(run)
            check_run_files(run, record)
        except DamagedRunError as error:
            damaged[task.name] = error
            continue
        done.add(task.name)
        if record.hashes is None:
            write_run_record(run, record.content)
            unchecked += 1
    if damaged:
        raise _damaged(damaged, directory)
    return done, unchecked


def _other_settings(run: Path) -> InputError:
    return InputError(
        f"run {run} was made with other settings, parameters, events, seed, files, Pythia or code of the analyses "
        f"than the card asks for now; delete {run.parent} to make the runs again, or copy the card into a directory "
        "of its own"
    )


def _damaged(damaged: dict[str, DamagedRunError], directory: Path) -> DamagedRunError:
    """The error that names runs that are not what they were."""
    first = min(damaged)
    remedy = f"Delete the directory {directory / first}, and the run is made again."
    if len(damaged) > 1:
        remedy = f"Delete the directories {', '.join(sorted(damaged))} in {directory}, and the runs are made again."
    return DamagedRunError(f"{damaged[first]}\n{remedy}")


def _no_space(outcome: Outcome, failed: Collection[str], directory: Path) -> SpaceError:
    """The error when there is no room for the files of a run. Notes of runs that `failed` meanwhile are taken away, as
    they may have failed for this.
    """
    for name in failed:
        _failure_note(directory, name).unlink(missing_ok=True)
    reason = outcome.failure.reason.strip() if outcome.failure else ""
    return SpaceError(
        f"run {directory / outcome.task.name}: {reason}\nNo more runs are tried, and the finished ones are kept. Make "
        "space and start again."
    )


def _settle(outcome: Outcome, directory: Path) -> dict[str, Failure]:
    """Put a finished run in its place, or write down why it failed; gives the failure."""
    task, failure = outcome.task, outcome.failure
    note = _failure_note(directory, task.name)
    if outcome.directory is None:
        failure = failure or Failure("no reason was given")
        if failure.lasting:
            content = {"fingerprint": fingerprint(task), "error": failure.reason, "input": failure.input}
            write_text(note, json.dumps(content, indent=1) + "\n")
        return {task.name: failure}
    note.unlink(missing_ok=True)
    outcome.directory.chmod(0o755)
    outcome.directory.rename(directory / task.name)
    return {}


def _failure_note(directory: Path, name: str) -> Path:
    return directory / f"{name}.failed.json"


def _known_failures(tasks: Sequence[Task], directory: Path) -> dict[str, Failure]:
    """Runs that failed before in just this way: they would fail again, so they are not repeated."""
    known = {}
    for task in tasks:
        note = _failure_note(directory, task.name)
        if note.is_file():
            # a note that cannot be read costs one more try of its run
            with contextlib.suppress(InputError, KeyError):
                record = read_json(note)
                if record["fingerprint"] == fingerprint(task):
                    known[task.name] = Failure(str(record["error"]), input=bool(record.get("input", False)))
    return known


def _error(failures: dict[str, Failure], directory: Path, remedy: str) -> SbituneError:
    """The error that names a failed run; of what the user gave, if that is what some run found wrong."""
    of_input = [name for name, failure in failures.items() if failure.input]
    first = min(of_input or failures)
    others = len(failures) - 1
    more = f" and {others} other{'s' if others > 1 else ''}" if others else ""
    words = f"run {directory / first}{more} failed: {failures[first].reason.strip()}\nThe finished runs are kept."
    if of_input:
        return InputError(f"{words} Mend what is named and start again.")
    return ComputationError(f"{words} Start again to try the failed ones once more{remedy}")


def _hopeless(failures: dict[str, Failure], directory: Path, total: int) -> SbituneError:
    """The error when the first runs all failed, and nothing is known of others. Their notes are taken away: what is
    wrong is not of these runs, so that they are to be tried again, too.
    """
    for name in failures:
        _failure_note(directory, name).unlink(missing_ok=True)
    first = min(failures)
    words = (
        f"run {directory / first} failed: {failures[first].reason.strip()}\n"
        f"So did all of the first {len(failures)} of {total} runs, and the others were not tried. Mend what is named "
        "and start again."
    )
    return InputError(words) if failures[first].input else ComputationError(words)


def _nothing_left(failures: dict[str, Failure], directory: Path) -> SbituneError:
    """The error when failed runs may be left out and none is left."""
    first = min(failures)
    words = (
        f"every run in {directory} failed, the first: {failures[first].reason.strip()}\n"
        f"When that is mended, delete {directory / '*.failed.json'} to try them once more."
    )
    return InputError(words) if failures[first].input else ComputationError(words)


def _sweep(directory: Path) -> None:
    """Remove what is half-made."""
    for stale in directory.glob(".tmp-*"):
        shutil.rmtree(stale) if stale.is_dir() else stale.unlink()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other campaigns out, and what is half-made: after a kill, or when a campaign ends with runs under way."""
    with locked(directory / ".lock", f"another sbitune is making runs in {directory}; wait for it or stop it"):
        _sweep(directory)
        try:
            yield
        finally:
            _sweep(directory)
