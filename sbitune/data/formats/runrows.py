"""Runs as they are read, and whether they are alike: the same parameters, histograms and bins."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.correlation import Parts
from sbitune.data.errors import InputError
from sbitune.data.histograms import Histograms


class Row(NamedTuple):
    """One run of a scan."""

    name: str
    names: tuple[str, ...]  #: of the parameters
    theta: np.ndarray  #: (n_parameters,)
    histograms: Histograms
    parts: Parts | None = None  #: contents made from parts of the run, if it keeps them
    others: tuple[str, ...] = ()  #: parameters that the run has beside `names`


def by_name(row: Row, rows: Sequence[Row]) -> Row:
    """Put the values of discrete axes into the order of the first of `rows`, by their names.

    Raises `InputError` for a name that the first has not.
    """
    mine = row.histograms.bins
    if not rows or not np.any(mine.name != ""):
        return row
    first = rows[0].histograms.bins
    places = first.locate(mine)
    for path in dict.fromkeys(mine.path[(places < 0) & (mine.name != "")].tolist()):
        raise InputError(
            f"run {row.name}: {path} has values on its axis that run {rows[0].name} has not: "
            f"{', '.join(mine.name[(places < 0) & (mine.path == path)])[:60]}"
        )
    if len(set(mine.paths())) != len(set(first.paths())) or (places < 0).any() or len(mine) != len(first):
        return row
    order = np.argsort(places, kind="stable")
    ordered = row.histograms.take(order)
    numbered = Bins(ordered.bins.path, first.index, ordered.bins.low, ordered.bins.high, ordered.bins.name)
    parts = None if row.parts is None else row.parts.take(order)
    return row._replace(histograms=replace(ordered, bins=numbered), parts=parts)


def check_like(run: Path, row: Row, rows: Sequence[Row], named: bool) -> None:
    """Raise `InputError` naming the run and what it has that the first of `rows` has not, or the other way round:
    histograms, bins and, unless they were `named`, parameters.
    """
    if rows:
        _check_same_bins(run, row.histograms.bins, rows[0])
    if row.others and not named:
        raise InputError(
            f"run {run}: it has the parameter {row.others[0]}, which the first run has not; add it to all runs, or "
            "take it out of all"
        )


def _check_same_bins(run: Path, bins: Bins, first: Row) -> None:
    """Raise `InputError` naming the run and a histogram if its bins are not those of the first run."""
    theirs = first.histograms.bins
    if set(bins.paths()) != set(theirs.paths()):
        other = sorted(set(bins.paths()) ^ set(theirs.paths()))
        raise InputError(f"run {run}: {other[0]} is not in both this run and run {first.name}")
    for path in theirs.paths():
        if not _match(bins, theirs, path):
            raise InputError(f"run {run}: {path} has other bins than in run {first.name}")


def _match(bins: Bins, first: Bins, path: str) -> bool:
    mine, other = bins.take(bins.of(path)), first.take(first.of(path))
    return len(mine) == len(other) and bool(mine.matches(other).all())
