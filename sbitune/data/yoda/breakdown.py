"""`ErrorBreakdown`: the annotation in which YODA 1 splits the errors of a scatter by source.

It is one line of YAML, `{0: {stat: {dn: -0.1, up: 0.1}, "sys,lumi": {...}}, 1: {...}}`, by index of the point.
"""

import re
from collections.abc import Mapping

import numpy as np

from sbitune.data.yoda.annotations import quoted, scalar

_NAME = r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s{}\[\]"',][^{}"',]*?)"""
_SIDE = r"(up|dn)\s*:\s*([^,}\s]+)\s*"
_ENTRY = re.compile(rf"(?:(\d+)\s*:\s*{{\s*)?{_NAME}\s*:\s*{{\s*{_SIDE},\s*{_SIDE}}}")
_INNERMOST = re.compile(r"{\s*(?:up|dn)\s*:\s*[^{\s]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.+\-]*")


def parse(text: str, n_points: int) -> dict[str, np.ndarray] | None:
    """Read a breakdown.

    Args:
        text: The annotation's value.
        n_points: Number of points of the scatter.

    Returns:
        source -> (n_points, 2) down and up as written; nan where a point does not have the source. None if a
        point beyond the last is named: in the published files that have this the points were thinned out and
        the indices belong to others, so that nothing of it can be trusted.

    Raises:
        ValueError: The text is not a breakdown.
    """
    entries = _ENTRY.findall(text)
    if len(entries) != len(_INNERMOST.findall(text)) or not text.startswith("{"):
        raise ValueError("is not of the form {0: {source: {dn: -0.1, up: 0.1}}, 1: ...}")
    sources: dict[str, np.ndarray] = {}
    raw: dict[str, np.ndarray] = {}
    point = -1
    for index, name, side, first, _, second in entries:
        point = int(index) if index else point
        if not 0 <= point < n_points:
            return None
        if name not in raw:
            raw[name] = sources.setdefault(scalar(name), np.full((n_points, 2), np.nan))
        down, up = (first, second) if side == "dn" else (second, first)
        raw[name][point] = _number(down), _number(up)
    return sources


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
        label = name if _PLAIN_NAME.fullmatch(name) else quoted(name)
        for entry, (down, up) in zip(points, shifts.tolist(), strict=True):
            if down == down or up == up:
                entry.append(f"{label}: {{up: {_text(up)}, dn: {_text(down)}}}")
    return "{" + ", ".join(f"{index}: {{{', '.join(entry)}}}" for index, entry in enumerate(points)) + "}"


def _text(value: float) -> str:
    return repr(value).removesuffix(".0").replace("inf", ".inf")
