"""Which bins enter a fit, and with what weight: the grammar of Professor's weight files.

One rule a line, `PATH[#i | #a:b | @x | @lo:hi] WEIGHT`. PATH is a regular expression matched at the start of the
object's path; `#` counts bins from 0, the end excluded; `@lo:hi` takes the bins that overlap an interval, `@x` the one
that holds x. Objects that no rule names are left out; of a named object the bins that no rule selects get weight 0; the
last match wins.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.files import read_text
from sbitune.data.paths import reference_key

_RULE = re.compile(r"^(?P<path>[^#@\s]+)(?:#(?P<bins>[^@\s]+)|@(?P<range>[^#\s]+))?$")


@dataclass(frozen=True)
class Rule:
    """One line of a weight file."""

    path: str  #: regular expression, matched at the start of a path
    weight: float
    where: str  #: file and line, or card key, for messages
    by: Literal["x", "index", "centre"] = "x"  #: what `first` and `last` are compared with
    first: float | None = None  #: first bin, or lower x; None: open
    last: float | None = None  #: one after the last bin, or upper x; None: open

    def selects(self, path: str) -> bool:
        """Tell whether the rule is about this object (its options and weight name do not count)."""
        pattern = re.compile(self.path)
        return bool(pattern.match(path) or pattern.match(reference_key(path)))

    def mask(self, bins: Bins) -> np.ndarray:
        """(n_bins,) bool: the bins of `bins` that the rule selects; their paths are not looked at."""
        first = -np.inf if self.first is None else self.first
        last = np.inf if self.last is None else self.last
        if self.by == "index":
            return (bins.index >= first) & (bins.index < last)
        if self.by == "centre":
            centre = 0.5 * (bins.low + bins.high)
            return (centre >= first) & (centre <= last)
        if first == last:
            return (bins.low <= first) & (first < bins.high)
        return (bins.high > first) & (bins.low <= last)


def parse_rule(selector: str, weight: float, where: str) -> Rule:
    """Read one selector in Professor 2's grammar. Raises `InputError` that names `where`."""
    match = _RULE.match(selector)
    if match is None:
        raise InputError(f"{where}: cannot read the selector {selector!r}; write PATH, PATH#a:b or PATH@lo:hi")
    try:
        re.compile(match["path"])
    except re.error as error:
        raise InputError(f"{where}: {match['path']!r} is not a regular expression: {error}") from error
    if not np.isfinite(weight) or weight < 0:
        raise InputError(f"{where}: the weight of {selector!r} is {weight}; it must be 0 or a positive number")
    by_index = match["bins"] is not None
    first, last = _interval(match["bins"] or match["range"], by_index, where)
    return Rule(match["path"], float(weight), where, "index" if by_index else "x", first, last)


def _interval(text: str | None, by_index: bool, where: str) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    parts = text.split(":")
    try:
        if len(parts) > 2:
            raise ValueError
        ends = [None if part == "" else float(int(part) if by_index else float(part)) for part in parts]
    except ValueError:
        raise InputError(f"{where}: cannot read the bins {text!r}; write one number or two with a colon") from None
    if len(ends) == 2:
        return ends[0], ends[1]
    return ends[0], (ends[0] + 1 if by_index and ends[0] is not None else ends[0])


def rules_from_mapping(weights: Mapping[str, float], where: str) -> tuple[Rule, ...]:
    """Rules from a card's mapping of selectors to weights."""
    return tuple(parse_rule(selector, weight, f"{where}.{selector}") for selector, weight in weights.items())


def read_weights(path: str | Path) -> tuple[Rule, ...]:
    """Read a weight file of Professor 2, or of Professor 1 (`/PATH:lo:hi WEIGHT`, by bin centre, no weight is 1)."""
    rules = []
    for number, line in enumerate(read_text(path, "weight file").splitlines(), start=1):
        words = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].split()
        if words:
            rules.append(_rule_of_line(words, f"{path}:{number}"))
    if not rules:
        raise InputError(f"{path}: no rule in this weight file; write lines such as '/ANALYSIS/d01-x01-y01 1.0'")
    return tuple(rules)


def _rule_of_line(words: list[str], where: str) -> Rule:
    if len(words) > 2:
        raise InputError(f"{where}: expected 'SELECTOR WEIGHT', found {len(words)} words")
    try:
        weight = float(words[1]) if len(words) == 2 else 1.0
    except ValueError:
        raise InputError(f"{where}: the weight {words[1]!r} is not a number") from None
    old = re.match(r"^(/[^:@#]+):([^:]*):([^:]*)$", words[0])
    if old is None or "=" in words[0]:
        return parse_rule(words[0], weight, where)
    return replace(parse_rule(f"{old[1]}@{old[2]}:{old[3]}", weight, where), by="centre")


def weights_of(bins: Bins, rules: Iterable[Rule], strict: bool = True) -> np.ndarray:
    """(n_bins,) weight of every bin: 0 where no rule selects it.

    Raises `InputError` if a rule selects nothing, unless its weight is 0 or `strict` is off (when bins were taken out
    before, by the same rules or since they are not finite).
    """
    weights = np.zeros(len(bins))
    paths = {path: bins.of(path) for path in bins.paths()}
    for rule in rules:
        found = False
        for path, indices in paths.items():
            if rule.selects(path):
                chosen = indices[rule.mask(bins.take(indices))]
                weights[chosen] = rule.weight
                found = found or len(chosen) > 0
        if strict and not found and rule.weight > 0:
            raise InputError(
                f"{rule.where}: no bin matches {rule.path!r}; the observables at hand begin with "
                + ", ".join(list(paths)[:3])
            )
    return weights
