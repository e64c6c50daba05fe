"""Strict readers of the field's text formats, for tests: they know the grammar of the small files here and nothing of
sbitune. Whatever a file says twice, not at all, or otherwise than its writer writes raises `ValueError`.
"""

import json
import math
import re
from collections import Counter
from typing import Any

import yaml

NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def require(right: Any, what: str = "") -> None:
    if not right:
        raise ValueError(what)


def number(word: str, finite: bool = True) -> float:
    if not finite and re.fullmatch(r"[+-]?(nan|inf|infinity)", word, re.I):
        return float(word)
    require(NUMBER.fullmatch(word) and len(word) < 321, word)
    value = float(word)
    require(math.isfinite(value) and (value != 0 or not re.search("[1-9]", re.split("[eE]", word)[0])), word)
    return value


def whole(word: str) -> int:
    require(re.fullmatch("0|[1-9][0-9]{0,8}", word), word)
    return int(word)


def decoded(content: bytes) -> str:
    text = content.decode("utf-8-sig")
    require("\ufeff" not in text, "mark")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def rows_of(content: bytes) -> list[list[str]]:
    """Words of every line that has some, without comments."""
    text = decoded(content)
    require(not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029]", text), "control characters")
    return [words for line in text.split("\n") if (words := line.split("#")[0].split())]


def unique(names: list[Any]) -> list[Any]:
    require(max(Counter(names).values(), default=1) == 1, "twice")
    return names


def name(word: str) -> str:
    require(not NUMBER.fullmatch(word), "a number for a name")
    return word


def parameters(content: bytes) -> dict[str, float]:
    rows = rows_of(content)
    require(rows and {len(row) for row in rows} in ({1}, {2}), "columns")
    if len(rows[0]) == 1:
        return {f"PARAM{i}": number(row[0]) for i, row in enumerate(rows)}
    unique([row[0] for row in rows])
    return {name(row[0]): number(row[1]) for row in rows}


def limits(content: bytes) -> tuple[dict, dict]:
    rows = rows_of(content)
    require(all(len(row) in (2, 3) for row in rows))
    unique([name(row[0]) for row in rows])
    free = {row[0]: (number(row[1]), number(row[2])) for row in rows if len(row) == 3}
    require(all(low < high for low, high in free.values()))
    return free, {row[0]: number(row[1]) for row in rows if len(row) == 2}


def points(content: bytes) -> tuple[list[str], list[list[float]]]:
    head, *rows = rows_of(content)
    require(rows and all(len(row) == len(head) for row in rows))
    return [name(word) for word in unique(head)], [[number(word) for word in row] for row in rows]


def combinations(content: bytes) -> list[list[str]]:
    rows = rows_of(content)
    require(rows)
    return [unique(row) for row in rows]


def data(content: bytes) -> dict[str, list[float]]:
    def pairs(items: list) -> dict:
        unique([key for key, _ in items])
        return dict(items)

    class Word(str):
        pass

    found = json.loads(decoded(content), object_pairs_hook=pairs, parse_int=Word, parse_float=Word, parse_constant=Word)
    require(isinstance(found, dict) and found)
    for pair in found.values():
        require(isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, Word) for word in pair))
    values = {label: [number(word) for word in pair] for label, pair in found.items()}
    require(all(error >= 0 for _, error in values.values()))
    return values


def ipol(content: bytes) -> dict[str, Any]:
    """Format `binned 2` and 3, as in the sample: scaled, errors in every bin or in none."""
    text = decoded(content)
    require(text.endswith("\n"))
    require(not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029]", text), "control characters")
    head, rule, body = [], False, []
    for line in text.split("\n"):
        if not rule and line.split("#")[0].strip() == "---":
            rule = True
        elif line.strip():
            (body if rule else head).append(line)
    require(rule)
    entries = [line.split("#")[0].partition(":") for line in head if line.split("#")[0].strip()]
    require(all(colon and " " not in key.strip() for key, colon, _ in entries))
    unique([key.strip() for key, _, _ in entries])
    header = {key.strip(): value.strip() for key, _, value in entries}
    require(header.get("DataFormat") in ("binned 2", "binned 3") and header.get("DoParamScaling", "0") in ("0", "1"))
    names = unique(header.get("ParamNames", "").split())
    n = whole(header["Dimension"]) if "Dimension" in header else len(names)
    require(0 < n <= 1000 and len(names) in (0, n))
    box = [[number(w) for w in header[k].split()] if k in header else None for k in ("MinParamVals", "MaxParamVals")]
    require(all(ends is None or len(ends) == n for ends in box))
    bins: dict[str, dict] = {}
    for line in body:
        words = line.split()
        if line.strip().startswith("/"):
            label, low, high = words
            require(label not in bins and label.rpartition("#")[0] and whole(label.rpartition("#")[2]) >= 0)
            require(number(low) <= number(high))
            bins[label] = {"edges": [number(low), number(high)]}
            continue
        key, colon, rest = line.strip().partition(":")
        require(colon and key in ("val", "err") and bins and key not in (last := bins[list(bins)[-1]]))
        dimension, order, *numbers = rest.split()
        require(whole(dimension) == n and whole(order) <= 1000)
        terms = math.comb(n + int(order), n)
        found = [number(word) for word in numbers]
        if header["DataFormat"] == "binned 3" and len(found) != terms:
            ends = [found[terms : terms + n], found[terms + n :]]
        else:
            require(header["DataFormat"] == "binned 2" or header.get("DoParamScaling") != "1")
            ends = box if header.get("DoParamScaling") == "1" else [[0.0] * n, [1.0] * n]
        require(None not in ends and len(ends[0]) == len(ends[1]) == n and len(found) >= terms)
        require(header["DataFormat"] == "binned 3" or len(found) == terms)
        require(all(a < b for a, b in zip(*ends, strict=True)))
        last[key] = [int(order), found[:terms], *ends]
    require(bins and all("val" in one for one in bins.values()))
    require(len({"err" in one for one in bins.values()}) == 1)
    return bins


def weights(content: bytes) -> list[tuple]:
    """Professor 2's lines; what may be of Professor 1 is given as None."""
    found: list[Any] = []
    text = decoded(content)
    require(not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029]", text), "control characters")
    for line in text.split("\n"):
        words = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].split()
        if not words:
            continue
        if ":" in re.split("[#@]", words[0])[0] or any("=" in w or w.startswith(":") for w in words[1:]):
            found.append(None)
            continue
        arguments = " ".join(words[1:]).split("#")[0].split()
        require(len(arguments) < 2)
        match = re.fullmatch(r"([^#@\s]+)(?:#([^@\s]+)|@([^#\s]+))?", words[0])
        require(match)
        weight = number(arguments[0]) if arguments else 1.0
        require(weight >= 0)
        re.compile(match[1])
        found.append((match[1], weight, *_interval(match[2], whole), *_interval(match[3], number)))
    require(found)
    return found


def _interval(text: str | None, read: Any) -> tuple:
    if text is None:
        return (None, None)
    ends = [None if part == "" else float(read(part)) for part in text.split(":")]
    require(len(ends) < 3)
    return (ends[0], ends[1] if len(ends) == 2 else "one")


def results(content: bytes) -> dict[str, Any]:
    """Values, chi2 and MIGRAD's errors of a results.txt."""
    text = decoded(content)
    require(not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029]", text), "control characters")
    values = parameters(content)
    gof, errors, block = None, {}, ""
    for line in text.split("\n"):
        words = line[1:].split() if line.startswith("#") else []
        title = " ".join(words)
        if not line.startswith("#"):
            block = ""
        elif title in ("MIGRAD errors:", "Limits:", "Fixed:", "Minimisation result:", "Weights used", "MINOS errors:",
                       "Correlation matrix:", "Covariance matrix:", "Mean contribution:"):  # fmt: skip
            block = "" if title == "Minimisation result:" else title
        elif block == "MIGRAD errors:" and words:
            require(len(words) == 2 and words[0] in values and words[0] not in errors)
            errors[words[0]] = math.nan if words[1] == "---" else number(words[1])
            require(not errors[words[0]] < 0)
        elif block in ("Limits:", "Fixed:") and not words:
            block = ""
        elif not block and len(words) == 2 and words[0] == "GOF":
            require(gof is None)
            gof = number(words[1])
    return {"values": values, "gof": gof, "errors": {k: v for k, v in errors.items() if v == v}}


def plain(node: yaml.Node) -> Any:
    """A tree of YAML as dictionaries and lists of text, with no key twice."""
    if isinstance(node, yaml.MappingNode):
        unique([key.value for key, _ in node.value])
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return node.value
