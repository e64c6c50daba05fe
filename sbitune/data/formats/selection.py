"""Which bins enter a fit, and with what weight: the grammars of Professor's weight files.

Professor 2, and Apprentice: one rule a line, `PATH[#i | #a:b | @x | @lo:hi] WEIGHT`. PATH is a regular expression
matched at the start of the object's path; `#` counts bins from 0, the end excluded; `@lo:hi` takes the bins that
overlap an interval, `@x` the one that holds x.

Professor 1: `PATH[:lo[:hi]] [WEIGHT | weight=WEIGHT] [extraerr=E]`. PATH is the path itself, lo:hi takes the bins with
lo <= centre < hi, a weight that is not given is 1. E is added to the error of the data in quadrature: absolute, or of
the measured value with `10%` or `0.1x`. A line without any sign of Professor 1 is read as Professor 2's.

Objects that no rule names are left out; of a named object the bins that no rule selects get weight 0; the last match
wins.

Sources: github.com/iamholger/professor, `pyext/professor2/weights.py` (PointMatcher), which Apprentice took over;
"Weights file syntax" in Professor 1's manual (professor.hepforge.org), and its code where the manual is not exact
(WeightManager: the upper end is excluded; getExtraErr: fractions are of the reference value).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import EmptySelectionError, InputError, naming_file
from sbitune.data.storage.files import read_lines
from sbitune.data.text.names import shorten, split_words
from sbitune.data.text.numbers import finite, natural, quoted
from sbitune.data.text.paths import reference_key
from sbitune.data.text.patterns import compile_pattern

_RULE = re.compile(r"^(?P<path>[^#@\s]+)(?:#(?P<bins>[^@\s]+)|@(?P<range>[^#\s]+))?$")
#: a selector of Professor 1 with a range; an option in a path, `:KEY=VALUE`, is none
_OLD_RULE = re.compile(r"^(?P<path>[^#@\s]*?)(?P<range>:[-+.\deE]*(?::[-+.\deE]*)?)$")
#: letters of a line
_LONGEST_LINE = 2000
_OLD_KEYS = ("weight", "extraerr")


@dataclass(frozen=True)
class Rule:
    """One line of a weight file."""

    path: str  #: regular expression, matched at the start of a path
    weight: float
    where: str  #: file and line, or card key, for messages
    by: Literal["x", "index", "centre"] = "x"  #: what `first` and `last` are compared with
    first: float | None = None  #: first bin, or lower x; None: open
    last: float | None = None  #: one after the last bin, or upper x; None: open
    exact: bool = False  #: `path` is the path itself, no regular expression (Professor 1)
    extra_error: float = 0.0  #: to add to the error of the data in quadrature, >= 0
    relative: bool = False  #: `extra_error` is a fraction of the measured value, not in the histogram's unit

    def selects(self, path: str) -> bool:
        """Tell whether the rule is about this object (its options and weight name do not count)."""
        if self.exact:
            return self.path in (path, reference_key(path))
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
            return (centre >= first) & (centre < last)
        if first == last:
            return (bins.low <= first) & (first < bins.high)
        return (bins.high > first) & (bins.low <= last)


def wanted_by(rules: Iterable[Rule]) -> Callable[[str], bool]:
    """Whether any of the rules is about an object, by its path."""
    listed = tuple(rules)
    return lambda path: any(rule.selects(path) for rule in listed)


def parse_rule(selector: str, weight: float, where: str) -> Rule:
    """Read one selector in Professor 2's grammar. Raises `InputError` that names `where`."""
    match = _RULE.match(selector)
    if match is None:
        raise InputError(
            f"{where}: cannot read the selector {quoted(selector)}; write PATH, PATH#a:b or PATH@lo:hi",
            code="selector-unreadable",
        )
    compile_pattern(match["path"], where)
    _check_weight(selector, weight, where)
    by_index = match["bins"] is not None
    first, last = _interval(match["bins"] or match["range"], by_index, where)
    return Rule(match["path"], float(weight), where, "index" if by_index else "x", first, last)


def _check_weight(selector: str, weight: float, where: str) -> None:
    if not np.isfinite(weight) or weight < 0:
        raise InputError(
            f"{where}: the weight of {quoted(selector)} is {weight}; it must be 0 or a positive number",
            code="selector-bad-weight",
        )


def _interval(text: str | None, by_index: bool, where: str) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    parts = text.split(":")
    try:
        if len(parts) > 2:
            raise ValueError
        ends = [None if part == "" else float(natural(part)) if by_index else finite(part) for part in parts]
    except ValueError:
        raise InputError(
            f"{where}: cannot read the bins {quoted(text)}; write one number or two with a colon",
            code="selector-bad-interval",
        ) from None
    if len(ends) == 2:
        if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            raise InputError(
                f"{where}: the bins {quoted(text)} are the wrong way round; write the lower end first",
                code="selector-bad-interval",
            )
        return ends[0], ends[1]
    return ends[0], (ends[0] + 1 if by_index and ends[0] is not None else ends[0])


def rules_from_mapping(weights: Mapping[str, float], where: str) -> tuple[Rule, ...]:
    """Rules from a card's mapping of selectors to weights."""
    return tuple(parse_rule(selector, weight, f"{where}.{selector}") for selector, weight in weights.items())


def read_weights(path: str | Path) -> tuple[Rule, ...]:
    """Read a weight file of Professor 2, of Apprentice, or of Professor 1; each line tells its generation.

    Raises `InputError` naming file and line, for a line of neither generation too.
    """
    rules = []
    for number, line in read_lines(path, "weight file"):
        if len(line) > _LONGEST_LINE:
            raise InputError(
                f"{path}:{number}: a line of {len(line)} letters; expected 'SELECTOR WEIGHT'", code="weights-bad-line"
            )
        with naming_file(f"{path}:{number}"):
            words = split_words(re.split(r"(?:^|\s)#", line, maxsplit=1)[0])
        if words:
            rules.append(_rule_of_line(words, f"{path}:{number}"))
    if not rules:
        raise InputError(
            f"{path}: no rule in this weight file; write lines such as '/ANALYSIS/d01-x01-y01 1.0'",
            code="weights-empty",
        )
    return tuple(rules)


def _rule_of_line(words: list[str], where: str) -> Rule:
    if len(words) > 1 and words[1].startswith(":"):  # Professor 1 takes a blank before the range
        words = [words[0] + words[1], *words[2:]]
    selector, arguments = words[0], " ".join(words[1:]).split("#")[0].split()
    old = _OLD_RULE.match(selector)
    named = [word for word in arguments if "=" in word]
    if (old or named) and ("#" in selector or "@" in selector):
        raise InputError(
            f"{where}: neither a line of Professor 2 (PATH#a:b WEIGHT, PATH@lo:hi WEIGHT) nor of Professor 1 "
            f"(PATH:lo:hi WEIGHT extraerr=10%): {quoted(selector)} is of the former, "
            f"{quoted(named[0] if named else selector)} of the latter",
            code="weights-bad-line",
        )
    if old or named:
        return _old_rule(old["path"] if old else selector, old["range"] if old else "", arguments, where)
    if len(arguments) > 1:
        raise InputError(f"{where}: expected 'SELECTOR WEIGHT', found {len(words)} words", code="weights-bad-line")
    return parse_rule(selector, _weight(arguments[0], where) if arguments else 1.0, where)


def _old_rule(path: str, interval: str, arguments: list[str], where: str) -> Rule:
    """A line of Professor 1: the path itself, `:lo:hi`, and a weight and named arguments."""
    given: dict[str, str] = {}
    for place, word in enumerate(arguments):
        key, equals, text = word.partition("=")
        key, text = (key, text) if equals else ("weight", word)
        if key not in _OLD_KEYS or (not equals and place):
            raise InputError(
                f"{where}: cannot read {quoted(word)}; Professor 1 knows a weight, then extraerr=10%",
                code="weights-bad-line",
            )
        if key in given:
            raise InputError(f"{where}: {key} is given twice", code="weights-bad-line")
        given[key] = text
    first, last = _interval(interval[1:] or None, False, where)
    if interval.count(":") == 1:
        last = None  # one number is the lower end
    if first is not None and last is not None and not first < last:
        raise InputError(f"{where}: the interval {quoted(interval[1:])} is empty", code="selector-bad-interval")
    if not path or re.search(r":(?!\w+=)", path):
        raise InputError(
            f"{where}: cannot read {quoted(path + interval)}; Professor 1 writes PATH:lo:hi", code="weights-bad-line"
        )
    size, relative = _extra_error(given.get("extraerr", "0"), where)
    weight = _weight(given.get("weight", "1"), where)
    _check_weight(path, weight, where)
    return Rule(path, weight, where, "centre", first, last, True, size, relative)


def _weight(text: str, where: str) -> float:
    try:
        return finite(text)
    except ValueError as error:
        raise InputError(f"{where}: the weight {error}", code="selector-bad-weight") from None


def _extra_error(text: str, where: str) -> tuple[float, bool]:
    """Size of an extra error, and whether it is a fraction of the measured value."""
    scale = {"%": 0.01, "x": 1.0}.get(text[-1:])
    try:
        size = finite(text if scale is None else text[:-1]) * (scale or 1.0)
    except ValueError:
        size = np.nan
    if not np.isfinite(size) or size < 0:
        raise InputError(
            f"{where}: extraerr={shorten(text)} is not 0 or a positive number, or one with '%' or 'x' behind it",
            code="weights-bad-error",
        )
    return size, scale is not None


def extra_errors_of(bins: Bins, rules: Iterable[Rule], values: np.ndarray) -> np.ndarray:
    """(n_bins,) error to add in quadrature, in the histogram's unit, given the measured values (n_bins,).

    As with weights, the last rule that selects a bin wins.
    """
    errors = np.zeros(len(bins))
    paths = {path: bins.of(path) for path in bins.paths()}
    for rule in rules:
        for path, indices in paths.items():
            if rule.selects(path):
                chosen = indices[rule.mask(bins.take(indices))]
                errors[chosen] = rule.extra_error * (np.abs(values[chosen]) if rule.relative else 1.0)
    return errors


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
            raise EmptySelectionError(
                f"{rule.where}: no bin matches {rule.path!r}; the observables at hand begin with "
                + ", ".join(list(paths)[:3]),
                code="selector-no-bin",
            )
    return weights
