"""Writing weight files; their grammars are told in `sbitune.data.formats.selection`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from sbitune.data.errors import InputError
from sbitune.data.formats.selection import Rule
from sbitune.data.storage.files import write_text
from sbitune.data.text.numbers import quoted


def write_weights(path: str | Path, rules: Iterable[Rule], generation: Literal[1, 2] = 2) -> None:
    """Write a weight file of Professor 2 (which Apprentice reads, too) or of Professor 1, whole or not at all.

    In Professor 2 a path of Professor 1 becomes a regular expression that matches it alone; Professor 1 takes a plain
    path of Professor 2 for a whole one. Raises `InputError` for rules that the generation cannot tell: bins by centre
    and extra errors in Professor 2, regular expressions, bins by number and by overlap in Professor 1.
    """
    text = _new_line if generation == 2 else _old_line
    lines = [text(rule) for rule in rules]
    if not lines:
        raise InputError(f"{path}: no rule to write")
    write_text(path, "\n".join(lines) + "\n")


def _new_line(rule: Rule) -> str:
    if rule.extra_error or (rule.by == "centre" and (rule.first is not None or rule.last is not None)):
        what = "an extra error" if rule.extra_error else "bins by their centres"
        raise InputError(f"{rule.where}: Professor 2 has no rule with {what}; write it with generation=1")
    path = re.escape(rule.path).replace(r"\-", "-") + "$" if rule.exact else rule.path
    if rule.first is None and rule.last is None:
        return f"{path} {float(rule.weight)!r}"
    ends = [
        "" if end is None else repr(int(end) if rule.by == "index" else float(end)) for end in (rule.first, rule.last)
    ]
    if rule.by == "x":
        return f"{path}@{ends[0] if ends[0] == ends[1] else ':'.join(ends)} {float(rule.weight)!r}"
    return f"{path}#{':'.join(ends)} {float(rule.weight)!r}"


def _old_line(rule: Rule) -> str:
    unlimited = rule.first is None and rule.last is None
    if not (rule.by == "centre" or unlimited) or not (rule.exact or re.fullmatch(r"[\w/-]+", rule.path)):
        raise InputError(
            f"{rule.where}: {quoted(rule.path)} with bins by {rule.by} cannot be told to Professor 1, which knows "
            "paths and bins by their centres; write it with generation=2"
        )
    ends = ["" if end is None else repr(float(end)) for end in (rule.first, rule.last)]
    # a plain path and a weight are a line of both generations
    key = "weight=" if rule.exact else ""
    text = f"{rule.path}{'' if unlimited else ':' + ':'.join(ends)} {key}{float(rule.weight)!r}"
    return f"{text} extraerr={float(rule.extra_error)!r}{'x' if rule.relative else ''}" if rule.extra_error else text
