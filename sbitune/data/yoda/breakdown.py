"""`ErrorBreakdown`: the annotation in which YODA 1 splits the errors of a scatter by source.

It is one line of YAML, `{0: {stat: {dn: -0.1, up: 0.1}, "sys,lumi": {...}}, 1: {...}}`, by index of the point.
"""

import re
from collections.abc import Mapping

import numpy as np

from sbitune.data.yoda.annotations import NULLS, quoted, scalar
from sbitune.data.yoda.estimates import total_error

_NAME = r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s{}\[\]"',][^{}"',]*?)"""
_SIDE = r"(up|dn)\s*:\s*([^,}\s]+)\s*"
_ENTRY = re.compile(rf"(?:(\d+)\s*:\s*{{\s*)?{_NAME}\s*:\s*{{\s*{_SIDE},\s*{_SIDE}}}")
_INNERMOST = re.compile(r"{\s*(?:up|dn)\s*:\s*[^{\s]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.+\-]*")


def parse(text: str, n_points: int) -> tuple[dict[str, np.ndarray], bool]:
    """Read a breakdown.

    Args:
        text: The annotation's value.
        n_points: Number of points of the scatter.

    Returns:
        source -> (n_points, 2) down and up as written, nan where a point does not have the source; and whether
        points beyond the last are named, which are ignored.

    Raises:
        ValueError: The text is not a breakdown.
    """
    entries = _ENTRY.findall(text)
    if len(entries) != len(_INNERMOST.findall(text)) or not text.startswith("{"):
        raise ValueError("is not of the form {0: {source: {dn: -0.1, up: 0.1}}, 1: ...}")
    sources: dict[str, np.ndarray] = {}
    raw: dict[str, np.ndarray] = {}
    point, beyond = -1, False
    for index, name, side, first, _, second in entries:
        point = int(index) if index else point
        if point >= n_points:
            beyond = True
            continue
        if name not in raw:
            raw[name] = sources.setdefault(scalar(name), np.full((n_points, 2), np.nan))
        down, up = (first, second) if side == "dn" else (second, first)
        raw[name][point] = _number(down), _number(up)
    return sources, beyond


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


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float(text.replace(".inf", "inf").replace(".nan", "nan").replace(".NaN", "nan"))


def dump(sources: Mapping[str, np.ndarray]) -> str:
    """Write a breakdown; a source is left out of the points where both its sides are nan."""
    if not sources:
        return "{}"
    n_points = len(next(iter(sources.values())))
    points: list[list[str]] = [[] for _ in range(n_points)]
    for name, shifts in sources.items():
        label = name if _PLAIN_NAME.fullmatch(name) and name not in NULLS else quoted(name)
        for entry, (down, up) in zip(points, shifts.tolist(), strict=True):
            if down == down or up == up:
                entry.append(f"{label}: {{up: {_text(up)}, dn: {_text(down)}}}")
    return "{" + ", ".join(f"{index}: {{{', '.join(entry)}}}" for index, entry in enumerate(points)) + "}"


def _text(value: float) -> str:
    """A number as YAML of all versions knows it: with a point before an exponent; `nan` as YODA 1 has it."""
    text = repr(value).removesuffix(".0").replace("inf", ".inf")
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
