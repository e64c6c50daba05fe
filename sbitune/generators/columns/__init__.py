"""Columns of events: event batches in, tables of numbers for each event out, beside the histograms of a run.

Every module in `sets` is one set of columns, and its file name in capitals is its name. To add a set, add a file with
an `EventColumns` called COLUMNS; in a file of one's own it may stand beside an analysis.
"""

from sbitune.generators.columns.declaration import ColumnInfo, EventColumns, Subset
from sbitune.generators.columns.recording import ColumnsRun, keeping_columns
from sbitune.generators.columns.registry import available_columns, load_columns, register_file

__all__ = [
    "ColumnInfo",
    "ColumnsRun",
    "EventColumns",
    "Subset",
    "available_columns",
    "keeping_columns",
    "load_columns",
    "register_file",
]
