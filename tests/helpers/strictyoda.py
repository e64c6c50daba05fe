"""A strict reader of YODA for tests: blocks as their writer writes them, numbers and sources as nested lists."""

import json
import math
import re
from itertools import pairwise
from typing import Any

import yaml

from helpers.strictreading import number, plain, require, unique, whole

#: columns behind the edges, and coordinates of edges, of the blocks of YODA 1
SUMS = {"HISTO1D": (5, 1), "PROFILE1D": (7, 1), "HISTO2D": (8, 2), "PROFILE2D": (10, 2)}
SPECIAL = ("Total", "Underflow", "Overflow")


def strict_yoda(content: bytes) -> dict[str, Any]:
    """Path -> what the object is. Raises `ValueError` for a file that says anything twice, not at all or otherwise."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    found: dict[str, Any] = {}
    block: list[str] | None = None
    begin = ("", "")
    for line in text.replace("\r\n", "\n").split("\n"):
        fence = re.fullmatch(r"[# \t]*(BEGIN|END)[ \t]+YODA_(\S+)[ \t]*(.*)", line)
        if fence and fence[1] == "BEGIN":
            require(block is None, "no END")
            block, begin = [], (fence[2], fence[3].strip())
        elif fence:
            require(block is not None and fence[2] == begin[0] and not fence[3].strip(), "END")
            path, item = _object(*begin, block or [])
            require(path not in found, "twice")
            found[path] = item
            block = None
        elif block is None:
            require(not line.strip() or line.strip()[0] == "#", "outside")
        else:
            block.append(line)
    require(block is None, "no END")
    return found


def _object(kind: str, path: str, lines: list[str]) -> tuple[str, Any]:
    kind, _, version = kind.rpartition("_V") if "_V" in kind else (kind, "", "1")
    require(version in ("1", "2", "3"), "version")
    if version == "1":
        lines = [line for line in lines if line.strip() and line.strip()[0] != "#" and line.strip() != "---"]
        named = [bool(re.match(r"(?!Total|Underflow|Overflow)\s*[^\s+.0-9-][^=:]*[=:]", line)) for line in lines]
        pairs = [re.split("[=:]", line, maxsplit=1) for line, one in zip(lines, named, strict=True) if one]
        unique([key.strip() for key, _ in pairs])
        notes = {key.strip(): value.strip() for key, value in pairs}
        rows = [line.split() for line, one in zip(lines, named, strict=True) if not one]
    else:
        rule = next((i for i, line in enumerate(lines) if re.fullmatch(r"---[ \t]*", line)), None)
        require(rule is not None, "---")
        notes = _notes(lines[:rule])
        rows = [line for line in lines[rule + 1 :] if line.strip() and line.strip()[0] != "#"]
    if notes.get("Path"):
        require(path in ("", notes["Path"], notes["Path"].split()[0]), "path")
        path = notes["Path"]
    require(path, "path")
    if not kind.startswith("SCATTER"):
        require(notes.get("Type", kind).upper() in (kind.upper(), "", "~", "NULL"), "type")
    scaled = number(notes["ScaledBy"]) if "ScaledBy" in notes else None
    if version == "3" and not kind.startswith(("COUNTER", "SCATTER")):
        return path, [kind, scaled, *_binned2(kind, rows)]
    words = (
        [row.split(" ") if False else re.split(r"[ \t\r\f\v]+", row.strip()) for row in rows]
        if rows and isinstance(rows[0], str)
        else rows
    )
    if kind == "COUNTER":
        require(len(words) == 1 and len(words[0]) == 3)
        return path, [kind, scaled, [number(word, False) for word in words[0]]]
    if kind in SUMS:
        return path, [kind, scaled, *_binned1(kind, words)]
    require(re.fullmatch("SCATTER[123]D", kind), kind)
    return path, [kind, scaled, *_scatter(int(kind[7]), words, notes.get("ErrorBreakdown", ""))]


def _notes(lines: list[str]) -> dict[str, str]:
    """Annotations line by line, as the libraries write them: a value is text to the end of its line."""
    pairs: list[list[str]] = []
    for line in lines:
        if not line.strip() or line.strip()[0] == "#":
            continue
        match = re.fullmatch(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s].*?)\s*:(\s.*)?""", line.rstrip())
        if line[0] not in " \t" and match and "{" not in match[1]:
            pairs.append([_scalar(match[1]), (match[2] or "").strip()])
        else:
            require(pairs and line[0] in " \t", "annotation")
            pairs[-1][1] += " " + line.strip()
    unique([key for key, _ in pairs])
    return {key: value if key == "ErrorBreakdown" else _scalar(value) for key, value in pairs}


def _scalar(text: str) -> str:
    """The text of a YAML scalar, or what stands there where it is none."""
    if text in ("~", "null", "Null", "NULL") or text[:1] == "#":
        return ""
    try:
        value = yaml.load(text, yaml.BaseLoader)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, str) else text if text.strip() else ""


def _binned1(kind: str, rows: list[list[str]]) -> list[Any]:
    columns, dimension = SUMS[kind]
    wanted = SPECIAL if dimension == 1 else SPECIAL[:1]
    special = [row for row in rows if row[0] in SPECIAL]
    require(sorted(row[0] for row in special) == sorted(wanted) and all(row[0] == row[1] for row in special), "special")
    require(all(len(row) == 2 + columns for row in special), "columns")
    sums = {row[0]: [number(word, False) for word in row[2:]] for row in special}
    table = [[number(word, False) for word in row] for row in rows if row[0] not in SPECIAL]
    require(all(len(row) == 2 * dimension + columns for row in table), "columns")
    for row in table:
        for k in range(dimension):
            require(
                math.isfinite(row[2 * k]) and math.isfinite(row[2 * k + 1]) and row[2 * k] < row[2 * k + 1], "edges"
            )
    for n, (low, high, *_) in enumerate(table):
        if dimension == 1 and n:
            require(low - table[n - 1][1] >= -1e-3 * (high - low), "overlap")
        elif dimension == 2:
            for other in table[:n]:
                apart = [
                    row[2 * k + 1] <= other_[2 * k] + 1e-3 * min(r[2 * k + 1] - r[2 * k] for r in table)
                    for row, other_ in ((table[n], other), (other, table[n]))
                    for k in range(2)
                ]
                require(any(apart), "overlap")
    return [table, [sums[word] for word in wanted]]


def _scatter(dimension: int, rows: list[list[str]], breakdown: str) -> list[Any]:
    require(all(len(row) == 3 * dimension for row in rows), "columns")
    table = [[number(word, False) for word in row] for row in rows]
    for row in table:
        require(all(math.isfinite(x) for x in row[: 3 * dimension - 3]), "places")
        require(not any(row[3 * k + side] < 0 for k in range(dimension) for side in (1, 2)), "errors")
    if dimension > 1:
        unique([repr(row) for row in table])
    sources: dict[str, list] = {}
    if breakdown:
        try:
            points = plain(yaml.compose(breakdown, yaml.BaseLoader))
        except yaml.YAMLError as error:
            raise ValueError("YAML") from error
        require(isinstance(points, dict), "breakdown")
        for point, entries in points.items():
            require(whole(point) <= len(table) and isinstance(entries, dict), "breakdown")
            for source, sides in entries.items():
                require(isinstance(sides, dict) and sorted(sides) == ["dn", "up"], "sides")
                shifts = [number(re.sub(r"^([+-]?)\.(?=[inIN])", r"\1", sides[side]), False) for side in ("dn", "up")]
                name = "" if source in ("~", "null") else source
                sources.setdefault(name, [[math.nan] * 2 for _ in [*table, None]])[int(point)] = shifts
        if str(len(table)) in points:
            return [table, None]  # published files lost a point: whether sources belong to the others is not written
    return [table, {name: shifts[: len(table)] for name, shifts in sources.items()}]


def _integer(word: str) -> int:
    return -whole(word[1:]) if word.startswith("-") else whole(word)


def _binned2(kind: str, lines: list[str]) -> list[Any]:
    match = re.fullmatch(
        r"(?:(HISTO|PROFILE|ESTIMATE)([0-9])D|BINNED(HISTO|PROFILE|ESTIMATE)<([dis](,[dis])*)>)", kind, re.I
    )
    require(match, kind)
    axes = "d" * int(match[2]) if match[1] else match[4].lower().replace(",", "")
    header: dict[str, list] = {}
    rows: list[list[str]] = []
    for line in lines:
        named = re.fullmatch(r"\s*([A-Za-z]\w*(?:\(A?[0-9]+\))?):\s*(\[.*\])\s*", line)
        if named:
            require(named[1] not in header and not rows, "header twice")
            header[named[1]] = named[2]
        else:
            rows.append(re.split(r"[ \t\r\f\v]+", line.strip()))
    estimate = "ESTIMATE" in kind.upper()
    known = [f"Edges(A{k + 1})" for k in range(len(axes))] + ["MaskedBins"] + ["ErrorLabels"] * estimate
    require(set(header) <= set(known), "header")
    edges, count = [], 1
    for k, axis in enumerate(axes):
        text = header.get(f"Edges(A{k + 1})", "[]")
        listed = json.loads(text, parse_int=str, parse_float=str) if axis == "s" else text[1:-1].strip()
        words = listed if axis == "s" else [w.strip() for w in listed.split(",")] if listed else []
        require(axis != "s" or re.fullmatch(r'\[\s*("([^"\\]|\\.)*"\s*(,\s*(?=")|(?=\])))*\]', text), "names")
        values = (
            [number(w) if axis == "d" else -whole(w[1:]) if w[:1] == "-" else whole(w) for w in words]
            if axis != "s"
            else words
        )
        require(axis != "d" or all(a < b for a, b in pairwise(values)), "order")
        unique(values)
        edges.append(values)
        count *= len(values) + 1 if values or axis != "d" else 0
    require(len(rows) == count, "rows")
    labels = unique(json.loads(header.get("ErrorLabels", "[]")))
    require(all(isinstance(label, str) for label in labels), "labels")
    masked = [whole(w.strip()) for w in m.split(",")] if (m := header.get("MaskedBins", "[]")[1:-1].strip()) else []
    require(all(row < count for row in unique(masked)), "masks")
    n = len(axes) + kind.upper().startswith(("PROFILE", "BINNEDPROFILE"))
    columns = 1 + 2 * len(labels) if estimate else 3 + 2 * n + n * (n - 1) // 2
    require(all(len(row) == columns for row in rows), "columns")
    table = [[math.nan if estimate and word == "---" else number(word, False) for word in row] for row in rows]
    return [edges, sorted(masked), table, labels]
