"""From one format of tables of events to another, a block at a time."""

from pathlib import Path
from typing import NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.events.events import Events
from sbitune.data.events.joining import concatenate
from sbitune.data.events.tables.parquet_table import writing_parquet
from sbitune.data.events.tables.plan import TableRequest
from sbitune.data.events.tables.reading import iterate_events, write_events


class Converted(NamedTuple):
    """What was written."""

    events: int
    read: int  #: events of the source, selected or not
    columns: int
    weights: int
    flags: int


def convert_table(source: str | Path, target: str | Path, request: TableRequest, condition: str = "") -> Converted:
    """Write the columns that are asked for, of the events for which a condition is true, to a .parquet or .npz file.

    Raises:
        InputError: as `read_events` and `Events.select` do; or for another suffix of the target.
    """
    parts, read, last = [], 0, None
    if Path(target).suffix not in (".parquet", ".pq"):
        events = concatenate(list(iterate_events(source, request)))
        chosen = _chosen(events, condition)
        write_events(target, chosen)
        return _figures(chosen, len(chosen), len(events))
    with writing_parquet(target) as write:
        for events in iterate_events(source, request):
            chosen = _chosen(events, condition)
            write(chosen)
            read, last = read + len(events), chosen
            parts.append(len(chosen))
    if last is None:
        raise InputError(f"{source}: there is no row in it")
    return _figures(last, sum(parts), read)


def _chosen(events: Events, condition: str) -> Events:
    return events.select(condition, "--select") if condition else events


def _figures(events: Events, chosen: int, read: int) -> Converted:
    return Converted(chosen, read, len(events.columns), len(events.variations), len(events.flags))
