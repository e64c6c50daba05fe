"""Adding the raw sums of several runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda import Counter, Histo1D, Profile1D, Scatter
from sbitune.generators.observables.framework.finalise import (
    CROSS_SECTION,
    EVENT_COUNT,
    RAW,
    YodaObject,
    cross_section_of,
)


def add_raw(runs: Sequence[Mapping[str, Any]]) -> dict[str, YodaObject]:
    """Return the sums, path by path, of the objects below /RAW of all runs; every run must have the same ones."""
    raws = [_raw_of(run, number) for number, run in enumerate(runs)]
    first = raws[0]
    for number, raw in enumerate(raws[1:], start=1):
        odd = sorted(set(raw) ^ set(first))
        if odd:
            raise InputError(f"runs 0 and {number} cannot be merged: only one of them has {odd[0]}")
    merged = {path: _sum([raw[path] for raw in raws]) for path in first if path != f"{RAW}{CROSS_SECTION}"}
    return merged | {f"{RAW}{CROSS_SECTION}": _mean_cross_section(raws)}


def _raw_of(run: Mapping[str, Any], number: int) -> dict[str, Any]:
    raw = {path: obj for path, obj in run.items() if path.startswith(f"{RAW}/")}
    for needed in (EVENT_COUNT, CROSS_SECTION):
        if f"{RAW}{needed}" not in raw:
            raise InputError(f"run {number} has no {RAW}{needed}: only runs with raw histograms can be merged")
    return raw


def _sum(objects: list):
    first = objects[0]
    if isinstance(first, Counter):
        totals = {name: sum(getattr(o, name) for o in objects) for name in ("sumw", "sumw2", "entries")}
        return replace(first, **totals)
    if isinstance(first, Histo1D | Profile1D):
        for other in objects[1:]:
            _check_bins(first, other)
        names = ("sums", "total", "underflow", "overflow")
        return replace(first, **{name: np.sum([getattr(o, name) for o in objects], axis=0) for name in names})
    if isinstance(first, Scatter):
        return first  # raw scatters have no points: finalising makes them
    raise InputError(f"{first.path}: a {type(first).__name__} among raw histograms cannot be added")


def _check_bins(first, other) -> None:
    width = first.high - first.low
    same = type(first) is type(other) and len(first.low) == len(other.low)
    # edges of files have seven digits
    if not same or (np.abs(first.low - other.low) > 1e-4 * width).any():
        raise InputError(f"{first.path}: runs with different bins cannot be merged")


def _mean_cross_section(raws: list[dict[str, Any]]) -> Scatter:
    entries = np.array([raw[f"{RAW}{EVENT_COUNT}"].entries for raw in raws])
    sections = [cross_section_of(raw[f"{RAW}{CROSS_SECTION}"]) for raw in raws]
    share = entries / entries.sum() if entries.sum() > 0 else np.full(len(raws), 1 / len(raws))
    value = sum(s * x for s, (x, _) in zip(share, sections, strict=True))
    error = np.sqrt(sum((s * e) ** 2 for s, (_, e) in zip(share, sections, strict=True)))
    return Scatter(
        path=f"{RAW}{CROSS_SECTION}",
        values=np.array([[value]]),
        minus=np.array([[error]]),
        plus=np.array([[error]]),
    )
