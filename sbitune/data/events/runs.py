"""Events that the runs of a campaign have kept beside their histograms."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.events.events import Events
from sbitune.data.events.tables.plan import TableRequest
from sbitune.data.events.tables.reading import read_events
from sbitune.data.formats.runfiles import EVENTS, RECORD, check_run_files, read_run_record


class RunEvents(NamedTuple):
    """Events of one run."""

    run: str  #: its name
    parameters: dict[str, float]  #: values of the generator's parameters, in its units
    events: Events


def read_run_events(directory: str | Path, request: TableRequest = TableRequest()) -> Iterator[RunEvents]:
    """Yield the events of all runs in a directory, in the order of their names, one run at a time.

    Raises:
        InputError: there is no run that sbitune made; one has kept no events; or `DamagedRunError`, a file of a run is
            not what the run left.
    """
    runs = sorted(path.parent for path in Path(directory).glob(f"*/{RECORD}"))
    if not runs:
        raise InputError(f"{directory}: there is no run in it that sbitune made (0000/{RECORD})")
    for run in runs:
        record = read_run_record(run)
        if not (run / EVENTS).is_file() and EVENTS not in (record.hashes or {}):
            raise InputError(f"run {run}: it has kept no events; make the runs with `generator.columns` in the card")
        check_run_files(run, record)
        yield RunEvents(run.name, record.parameters, read_events(run / EVENTS, request))
