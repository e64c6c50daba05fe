"""Regular expressions that users write, in weight files and cards: compiled only if they end.

A backtracking matcher can take longer than the universe exists for `(a+)+$`. Here the number of ways in which a pattern
can be laid over the start of a text is bounded beforehand, from above, and a pattern with too many is refused: a group
repeated without end that is itself ambiguous, or more than four open repetitions one behind the other. Where a
repetition is the last thing in a pattern nothing comes back to it, and it does not count.
"""

import re
import warnings
from collections.abc import Sequence
from re import _constants as code  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

from sbitune.data.errors import InputError
from sbitune.data.text.numbers import quoted

#: letters of a path that a pattern is laid over
_LENGTH = 64
#: four open repetitions: (64 + 4 choose 4) is 8e5 ways, which take 10 ms a path
_MOST_WAYS = 1_000_000
#: letters of a pattern
_LONGEST = 1000
_REPEATS = {code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT}


def compile_pattern(text: str, where: str) -> re.Pattern[str]:
    """Compile a regular expression. Raises `InputError`, which begins with `where`, for what is none, and for what can
    take too long.
    """
    try:
        if len(text) > _LONGEST:
            raise InputError(f"{where}: {quoted(text)} has more than {_LONGEST} letters", code="pattern-too-long")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that may mean something else in future
            compiled = re.compile(text)
            ways = _ways(parser.parse(text), last=True)
    except (re.error, OverflowError, RecursionError) as error:
        words = f"{where}: {quoted(text)} is not a regular expression: {error}"
        raise InputError(words, code="pattern-unreadable") from error
    if ways > _MOST_WAYS:
        raise InputError(
            f"{where}: the regular expression {quoted(text)} can take too long: repeat no group that is itself "
            "ambiguous, and write fewer than five of `.*`",
            code="pattern-costly",
        )
    return compiled


def _ways(items: Sequence[tuple[Any, Any]], last: bool = False) -> int:
    """In how many ways a sequence can be matched from one place, at most; `last`: nothing stands behind it."""
    ways, repeats = 1, 0
    for number, (kind, argument) in enumerate(items):
        at_end = last and number == len(items) - 1
        if kind in _REPEATS and _is_open(argument) and _ways(argument[2]) == 1:
            repeats += not at_end
            # k open repetitions share the letters: (n + k choose k) ways
            ways = ways * (_LENGTH + repeats) // repeats if not at_end else ways
        else:
            ways *= _ways_of(kind, argument, at_end)
        ways = min(ways, 10 * _MOST_WAYS)
    return ways


def _is_open(argument: tuple[int, int, Any]) -> bool:
    low, high, _ = argument
    return min(high, _LENGTH) - min(low, _LENGTH) >= _LENGTH // 2


def _ways_of(kind: Any, argument: Any, last: bool) -> int:
    if kind in _REPEATS:
        low, high, body = argument
        inside = _ways(body)
        counts = range(min(low, _LENGTH), min(high, _LENGTH) + 1)
        if inside == 1:
            return len(counts)
        return sum(min(inside**count, 10 * _MOST_WAYS) for count in counts)
    if kind == code.BRANCH:
        return sum(_ways(branch, last) for branch in argument[1])
    if kind == code.SUBPATTERN:
        return _ways(argument[3], last)
    if kind in (code.ASSERT, code.ASSERT_NOT):
        return _ways(argument[1])
    if kind == code.ATOMIC_GROUP:
        return _ways(argument)
    if kind == code.GROUPREF_EXISTS:
        return sum(_ways(branch, last) for branch in argument[1:] if branch is not None)
    return 1
