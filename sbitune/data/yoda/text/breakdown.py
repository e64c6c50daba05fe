"""`ErrorBreakdown`: the annotation in which YODA 1 splits the errors of a scatter by source.

It is one line of YAML, `{0: {stat: {dn: -0.1, up: 0.1}, "sys,lumi": {...}}, 1: {...}}`, by index of the point.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from sbitune.data.text.numbers import natural, numbers, quoted
from sbitune.data.yoda.estimates import total_error
from sbitune.data.yoda.text.annotations import NULLS, scalar
from sbitune.data.yoda.text.annotations import quoted as in_quotes

#: blanks are spaces alone: readers of YAML differ about tabs, and refuse other separators
_NAME = r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s{}\[\]"',][^{}"',\x00-\x1f]*)"""
_SIDE = r"(up|dn) *: +([^,}\s]+) *"
_ENTRY = re.compile(rf" *{_NAME} *: *{{ *{_SIDE}, *{_SIDE}}} *(,?)")
_POINT = re.compile(r" *([0-9]+) *: +{")
#: the end of a point: another follows, or it was the last
_CLOSED = re.compile(r" *} *([,}])")
_EMPTY = re.compile(r"{ *}")
_FORM = "is not of the form {0: {source: {dn: -0.1, up: 0.1}}, 1: ...}"
#: numbers of YAML that are none of C
_YAML = re.compile(r"([+-]?)\.(inf|Inf|INF|nan|NaN|NAN)")
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.+\-]*")


def parse(text: str, n_points: int) -> tuple[dict[str, np.ndarray], bool]:
    """Read a breakdown.

    Args:
        text: The annotation's value.
        n_points: Number of points of the scatter.

    Returns:
        source -> (n_points, 2) down and up as written, nan where a point does not have the source; and whether
        a point behind the last is named, which is ignored: published files lost one.

    Raises:
        ValueError: The text is not a breakdown, a number is none, or a point or a source of it is given twice.
    """
    names: dict[str, str] = {}
    seen: set[int] = set()
    places: dict[str, list[int]] = {}
    words: dict[str, list[str]] = {}
    for index, entries in _points(text):
        if index in seen:
            raise ValueError(f"gives point {index} twice")
        seen.add(index)
        for raw, side, first, other, second, _ in entries:
            name = names[raw] if raw in names else names.setdefault(raw, scalar(raw))
            where = places.setdefault(name, [])
            if side == other or where[-1:] == [index]:
                raise ValueError(_FORM if side == other else f"gives {quoted(name)} of point {index} twice")
            where.append(index)
            words.setdefault(name, []).extend((first, second) if side == "dn" else (second, first))
    if max(seen, default=0) > n_points:
        raise ValueError(f"names point {max(seen)} (counted from 0) of {n_points}")
    sources = {name: _column(places[name], words[name], n_points) for name in places}
    known = {name: shifts for name, shifts in sources.items() if min(places[name]) < n_points}
    return known, max(seen, default=-1) >= n_points


def _column(places: list[int], words: list[str], n_points: int) -> np.ndarray:
    """(n_points, 2) of the numbers down and up at the places of points, of which those beyond the last are ignored."""
    if any(word[-3:].lower() in ("inf", "nan") for word in words):
        words = [_YAML.sub(r"\1\2", word) for word in words]
    shifts = numbers(words).reshape(-1, 2)
    column = np.full((n_points, 2), np.nan)
    where = np.array(places)
    column[where[where < n_points]] = shifts[where < n_points]
    return column


def _points(text: str) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
    """Every point: its index and its entries, each a name and twice a side and its number. Raises `ValueError`."""
    if _EMPTY.fullmatch(text):
        return
    at, more = 1, text[:1] == "{"
    while more:
        point = _POINT.match(text, at)
        if not point:
            raise ValueError(_FORM)
        entries: list[tuple[str, ...]] = []
        at, another = point.end(), not _CLOSED.match(text, point.end())
        while another:
            entry = _ENTRY.match(text, at)
            if not entry:
                raise ValueError(_FORM)
            entries.append(entry.groups())
            at, another = entry.end(), entry[6] == ","
        closed = _CLOSED.match(text, at)
        if not closed:
            raise ValueError(_FORM)
        yield natural(point[1]), entries
        at, more = closed.end(), closed[1] == ","
    if text[at - 1 :] != "}":
        raise ValueError(_FORM)


def fits(sources: Mapping[str, np.ndarray], minus: np.ndarray, plus: np.ndarray) -> bool:
    """Whether the sources of every point that has some add up in quadrature to its errors, within 3%.

    Files with more entries than points exist: the points were thinned out, and indices may belong to others.
    """
    named = {name: shifts for name, shifts in sources.items() if name}
    if not named:
        return True
    given = np.array([~np.isnan(shifts).all(axis=1) for shifts in named.values()]).any(axis=0)
    total = total_error(named, len(minus))
    return np.allclose(total[given], np.stack([minus, plus], axis=1)[given], rtol=0.03, atol=0)


def dump(sources: Mapping[str, np.ndarray]) -> str:
    """Write a breakdown; a source is left out of the points where both its sides are nan."""
    if not sources:
        return "{}"
    n_points = len(next(iter(sources.values())))
    points: list[list[str]] = [[] for _ in range(n_points)]
    for name, shifts in sources.items():
        label = name if _PLAIN_NAME.fullmatch(name) and name not in NULLS else in_quotes(name)
        for entry, (down, up) in zip(points, shifts.tolist(), strict=True):
            if down == down or up == up:
                entry.append(f"{label}: {{up: {_text(up)}, dn: {_text(down)}}}")
    return "{" + ", ".join(f"{index}: {{{', '.join(entry)}}}" for index, entry in enumerate(points)) + "}"


def _text(value: float) -> str:
    """A number as YAML of all versions knows it: with a point before an exponent; `nan` as YODA 1 has it."""
    text = repr(value).removesuffix(".0").replace("inf", ".inf")
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
