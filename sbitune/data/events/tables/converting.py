"""From one format of tables of events to another, a block at a time."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from sbitune.data.errors import naming_file
from sbitune.data.events.events import Events
from sbitune.data.events.joining import concatenate
from sbitune.data.events.roles import GROUP, weight_name
from sbitune.data.events.tables.parquet_table import writing_parquet
from sbitune.data.events.tables.plan import TableRequest, make_plan
from sbitune.data.events.tables.reading import describe_table, iterate_events, write_events
from sbitune.data.text.expressions import compile_expression

#: where conditions stand, for messages
_SELECT = "--select"


class Converted(NamedTuple):
    """What was written."""

    events: int
    read: int  #: events of the source, selected or not
    columns: int
    weights: int
    flags: int


def convert_table(source: str | Path, target: str | Path, request: TableRequest, condition: str = "") -> Converted:
    """Write the columns that are asked for, of the events for which a condition is true, to a file as
    `write_events` does; Parquet a block at a time.

    Raises:
        InputError: as `read_events`, `Events.select` and `write_events` do.
    """
    with _writing(target) as write:
        read, kept, last = 0, 0, None
        for events in _chosen(source, request, condition):
            read, kept, last = read + events.read, kept + len(events.kept), events.kept
            write(events.kept)
    assert last is not None  # the writer refuses no events
    return Converted(kept, read, len(last.columns), len(last.variations), len(last.flags))


class _Chosen(NamedTuple):
    kept: Events
    read: int


def _chosen(source: str | Path, request: TableRequest, condition: str) -> Iterator[_Chosen]:
    """What is kept of every block."""
    wanted = request if request.columns is None or not condition else _with_columns_of(source, request, condition)
    for events in iterate_events(source, wanted):
        kept = events.select(condition, _SELECT) if condition else events
        yield _Chosen(kept if wanted is request else kept.only(list(request.columns or ())), len(events))


def _with_columns_of(source: str | Path, request: TableRequest, condition: str) -> TableRequest:
    """The request with the columns that the condition uses, too."""
    forms = describe_table(source, request.table).columns
    with naming_file(source):
        plan = make_plan(forms, request)
    known = {name: form.dtype.kind == "b" for name, form in forms.items()} | dict.fromkeys(plan.flags, True)
    known |= {weight_name(variation): False for variation in plan.weights.values()} | {GROUP: False}
    used = compile_expression(condition, _SELECT, known).names
    return request._replace(columns=[*plan.columns, *(name for name in used if name in set(forms) - set(plan.names))])


@contextlib.contextmanager
def _writing(target: str | Path) -> Iterator[Callable[[Events], None]]:
    """Give a function that takes block after block."""
    if Path(target).suffix in (".parquet", ".pq"):
        with writing_parquet(target) as write:
            yield write
        return
    blocks: list[Events] = []
    yield blocks.append
    write_events(target, concatenate(blocks))
