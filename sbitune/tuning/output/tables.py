"""Numbers of every bin as files: CSV for tables, YODA for plots."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.storage.files import write_text

_WIDTH = 10  #: significant digits of a CSV file


def write_table(path: str | Path, bins: Bins, columns: Mapping[str, np.ndarray]) -> None:
    """Write a CSV file with a row for every bin: path, index, low, high, then the columns, each (n_bins,).

    Numbers that do not exist (NaN) are empty fields.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "index", "low", "high", *columns])
    for i in range(len(bins)):
        numbers = (bins.low[i], bins.high[i], *(column[i] for column in columns.values()))
        rows.writerow([bins.path[i], bins.index[i], *(_spell(number) for number in numbers)])
    write_text(path, text.getvalue())


def _spell(number: float | str | bool) -> str:
    if isinstance(number, str | bool | np.bool_):
        return str(number)
    return "" if np.isnan(number) else f"{float(number):.{_WIDTH}g}"
