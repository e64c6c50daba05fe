"""Tables of events: named columns with weights, groups and flags; read from npz, CSV, Parquet, HDF5 and ROOT."""

from sbitune.data.events.events import Column, Events
from sbitune.data.events.joining import assign_folds, concatenate, split_folds
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged, from_counts
from sbitune.data.events.runs import RunEvents, read_run_events
from sbitune.data.events.tables.plan import TableRequest
from sbitune.data.events.tables.reading import describe_table, iterate_events, read_events, write_events

__all__ = [
    "Column",
    "Events",
    "Origin",
    "Ragged",
    "RunEvents",
    "TableRequest",
    "assign_folds",
    "concatenate",
    "describe_table",
    "from_counts",
    "iterate_events",
    "read_events",
    "read_run_events",
    "split_folds",
    "write_events",
]
