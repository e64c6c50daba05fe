"""One run of a generator at one point: what is asked for, and making it."""

import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sbitune.data import yoda
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.formats.parameters import write_values
from sbitune.data.formats.runfiles import EVENTS, PARAMETERS, PARTS, write_run_record
from sbitune.data.histograms import Histograms, flatten
from sbitune.data.storage.arrays import write_arrays
from sbitune.data.storage.files import hash_bytes
from sbitune.data.text.paths import is_final
from sbitune.generators.batch import EventBatch
from sbitune.generators.campaigns.sources import hash_columns, hash_observables
from sbitune.generators.command import read_templates, run_command
from sbitune.generators.commandlog import fault_of
from sbitune.generators.config import CommandConfig, GeneratorConfig, PythiaConfig
from sbitune.generators.pythia8.printed import pythia_version

#: raised when the content of a run's directory changes, so that older runs are not taken for new ones; changes of the
#: observables are seen by themselves
FORMAT = 3
HISTOGRAMS = "histograms.yoda"
#: what `probe` leaves
DIGEST = "events.digest"
#: into how many parts the events of a run are dealt
N_PARTS = 16


class Task(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All that determines a run."""

    name: str
    """Name of the run and of its directory."""
    generator: GeneratorConfig
    values: dict[str, float]
    """Parameter values in the generator's units."""
    events: int
    seed: int
    card: str
    """Directory of the card, for templates."""


def fingerprint(task: Task) -> str:
    """Hash of all that determines the run's histograms and columns; the run's name and the card's place do not count.

    Of Pythia its version counts, and the code and bins of the analyses. Raises `InputError` where it is not installed.
    """
    # defaults are omitted from the encoding, so that a field that sbitune learns later leaves older runs valid
    parts = [msgspec.json.encode([FORMAT, task.generator, list(task.values.items()), task.events, task.seed])]
    if isinstance(task.generator, PythiaConfig):
        parts += [pythia_version().encode(), hash_observables(task.generator.analyses).encode()]
        # runs without columns stay what they were before there were any
        parts += [hash_columns(task.generator.columns).encode()] if task.generator.columns else []
        files = task.generator.analysis_files
    else:
        files = task.generator.templates
    parts += [(Path(task.card) / name).read_bytes() for name in files]
    if isinstance(task.generator, CommandConfig):
        # of the rule that every template was filled by once nothing is said, so that older runs of it stay valid
        rules = [t.rule for t in read_templates(task.generator, list(task.values), Path(task.card))]
        parts += [f"filled as {rule}".encode() for rule in rules if rule != "plain"]
    return hash_bytes(*parts)


def execute(task: Task, directory: Path) -> None:
    """Make the run: leaves `params.dat`, the histograms and `run.json` in `directory`, which must exist.

    Raises `ComputationError` or `InputError` if the generator refuses, fails or leaves something unreadable, and
    `SpaceError` if there is no room for what it makes.
    """
    started = _cpu_seconds()
    generator = task.generator
    if isinstance(generator, PythiaConfig):
        # of the code as it is before it is imported; the results are kept
        hash_observables(generator.analyses)
        hash_columns(generator.columns)
    record = (
        _execute_pythia(generator, task, directory)
        if isinstance(generator, PythiaConfig)
        else _execute_command(generator, task, directory)
    )
    write_values(directory / PARAMETERS, task.values)
    record |= {
        "format": FORMAT,
        "run": task.name,
        "fingerprint": fingerprint(task),
        "seed": task.seed,
        "cpu_seconds": round(_cpu_seconds() - started, 3),
        "parameters": task.values,
    }
    write_run_record(directory, record)


def try_start(task: Task) -> None:
    """Start Pythia at the task's point, and make no event.

    Raises `ComputationError` with its reason if it refuses. Of other generators nothing can be said.
    """
    if isinstance(task.generator, PythiaConfig):
        from sbitune.generators.pythia8.pythia import PythiaRun

        PythiaRun(_lines(task.generator, task), task.seed)


def probe(task: Task, directory: Path) -> None:
    """Make the events of a task of Pythia's, fill nothing, and leave the hash of all that is in them in `directory`.

    Raises `ComputationError` if Pythia refuses or makes no events.
    """
    from sbitune.generators.pythia8.pythia import BATCH, PythiaRun

    assert isinstance(task.generator, PythiaConfig)
    run = PythiaRun(_lines(task.generator, task), task.seed)
    parts = [part for batch in run.batches(task.events, min(BATCH, task.events)) for part in batch.content()]
    section = np.array(run.cross_section()).tobytes()
    (directory / DIGEST).write_text(hash_bytes(*parts, section))


def _lines(config: PythiaConfig, task: Task) -> list[str]:
    """What Pythia reads."""
    return [*config.settings, *(f"{name} = {value!r}" for name, value in task.values.items())]


def _cpu_seconds() -> float:
    """Processor time of this process and of the commands that it ran."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


class _Parts:
    """The parts in which a run is filled: their sum is the run, their scatter tells how bins fluctuate together."""

    def __init__(self, events: int) -> None:
        self._size = max(1, events // N_PARTS)
        self._filled = self._added = 0
        self._events: list[int] = []
        self._raw: list[dict[str, Any]] = []
        self._finished: list[Histograms] = []

    def batch_size(self, most: int) -> int:
        """Events to make at once, at most `most`, so that parts end where batches do."""
        return -(-self._size // -(-self._size // most))

    def ends(self, events: int) -> bool:
        """Count events; tell whether a part is full and not the last, which takes the remainder."""
        self._filled += events
        return self._filled >= (len(self._raw) + 1) * self._size and len(self._raw) < N_PARTS - 1

    def add(self, analyses: Any) -> None:
        """Keep the sums of a part."""
        from sbitune.generators.observables import finalize_raw
        from sbitune.generators.observables.framework.finalise import EVENT_COUNT, RAW

        raw = analyses.raw()
        events, self._added = self._filled - self._added, self._filled
        if raw[f"{RAW}{EVENT_COUNT}"].entries > 0:
            self._events.append(events)
            self._raw.append(raw)
            done = finalize_raw(raw, analyses.analyses)
            self._finished.append(flatten(item for item in done if is_final(item.path)))

    def merged(self, cross_section: tuple[float, float]) -> list[Any]:
        """Finished and raw objects of the whole run; the cross-section is the run's, not a mean of the parts'."""
        from sbitune.generators.observables import add_raw, finalize_raw
        from sbitune.generators.observables.framework.finalise import CROSS_SECTION, RAW

        value, error = (np.array([[x]]) for x in cross_section)
        section = yoda.Scatter(f"{RAW}{CROSS_SECTION}", value, error, error)
        return finalize_raw(add_raw(self._raw) | {section.path: section})

    def write(self, path: Path) -> None:
        """Write the contents made from every part alone."""
        bins = self._finished[0].bins
        values = np.array([part.values for part in self._finished], np.float32)
        write_arrays(path, {"values": values, "events": np.array(self._events), "path": bins.path, "index": bins.index})


def _execute_pythia(config: PythiaConfig, task: Task, directory: Path) -> dict[str, object]:
    from sbitune.generators.columns import register_file
    from sbitune.generators.observables import AnalysisRun
    from sbitune.generators.pythia8.pythia import BATCH, PythiaRun

    for name in config.analysis_files:
        register_file(Path(task.card) / name)
    run = PythiaRun(_lines(config, task), task.seed)
    parts = _Parts(task.events)
    analyses = AnalysisRun(config.analyses, energy=run.energy, beams=run.beams)
    events = 0
    clock = {"generation": 0.0, "analysis": 0.0, "events": 0.0}
    mark = time.perf_counter()
    with _keeping_columns(config, task, directory, run.beams) as keep:
        for batch in run.batches(task.events, parts.batch_size(BATCH)):
            made = time.perf_counter()
            analyses.fill(batch)
            keep(batch)
            if parts.ends(len(batch)):
                parts.add(analyses)
                analyses.restart()
            done = time.perf_counter()
            if events:  # the first batch pays for loading compiled code
                clock["generation"] += made - mark
                clock["analysis"] += done - made
                clock["events"] += len(batch)
            mark = done
            events += len(batch)
    cross_section = run.cross_section()
    if not np.isfinite(cross_section).all():
        raise ComputationError(f"Pythia's cross-section is {cross_section[0]} +- {cross_section[1]} pb: not finite")
    parts.add(analyses)
    yoda.write(directory / HISTOGRAMS, parts.merged(cross_section))
    parts.write(directory / PARTS)
    return {
        "events": events,
        "output": HISTOGRAMS,
        "cross_section_pb": cross_section[0],
        "cross_section_error_pb": cross_section[1],
        "pythia": pythia_version(),
        "seconds": {name: round(value, 4) for name, value in clock.items()},
    }


def _keeping_columns(
    config: PythiaConfig, task: Task, directory: Path, beams: tuple[int, int]
) -> AbstractContextManager[Callable[[EventBatch], None]]:
    """What takes a batch and writes the columns that the card asks for; nothing if it asks for none."""
    if not config.columns:
        return nullcontext(lambda batch: None)
    from sbitune.data.events import Origin
    from sbitune.generators.columns import keeping_columns

    origin = Origin(run=task.name, hash=fingerprint(task))
    return keeping_columns(directory / EVENTS, config.columns, origin, beams)


def _execute_command(config: CommandConfig, task: Task, directory: Path) -> dict[str, object]:
    places = task.values | {"SEED": task.seed, "EVENTS": task.events, "RUN": task.name, "CARD": task.card}
    output = run_command(config, directory, places, Path(task.card))
    try:
        yoda.read(output)
    except InputError as error:
        raise fault_of(directory, f"the command's output cannot be read: {error}") from error
    return {"events": task.events, "output": config.output}
