"""Checks of a result, and the verdict from them."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

Outcome = Literal["passed", "failed", "not made"]


class Check(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """One check of a result."""

    name: str
    """What is checked."""
    outcome: Outcome
    """passed, failed, or not made, as what it needs is not there."""
    value: float | None = None
    """What was found, where that is a number."""
    expected: str = ""
    """What a sound result has, in words: `0.8 to 1.25`."""
    words: str = ""
    """What the verdict says of it; of one that was not made, its name there. Without words it is left to warnings."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before the numbers, in sentences."""


class Verdict(NamedTuple):
    """What the checks say."""

    good: bool  #: all of them were made, and none speaks against the result
    words: str  #: the same in a sentence, the heaviest first, and which checks could not be made


def made(name: str, failed: bool, words: str = "", warnings: Iterable[str] = (), **about: float | str | None) -> Check:
    """A check that was made; what is said of a failure is not said of one that passed."""
    if not failed:
        return Check(name, "passed", **about)  # pyright: ignore[reportArgumentType]
    return Check(name, "failed", words=words, warnings=tuple(warnings), **about)  # pyright: ignore[reportArgumentType]


def not_made(name: str, words: str) -> Check:
    """A check for which something is missing."""
    return Check(name, "not made", words=words)


def judge(checks: Sequence[Check], result: str) -> Verdict:
    """The verdict on a `result` (`this fit and its errors`), from its checks in the order of their weight."""
    failed = [check for check in checks if check.outcome == "failed"]
    said = [check.words for check in failed if check.words]
    unmade = ", ".join(check.words for check in checks if check.outcome == "not made")
    if failed:
        spoken = "; ".join(said) or "a warning stands beside it"
        return Verdict(False, f"to be read with care: {spoken}{f'; not checked: {unmade}' if unmade else ''}")
    if unmade:
        return Verdict(False, f"nothing speaks against {result} as far as they were checked; not checked: {unmade}")
    return Verdict(True, f"no check speaks against {result}")


def warnings_of(checks: Iterable[Check]) -> list[str]:
    """What a reader must know before the numbers."""
    return [words for check in checks for words in check.warnings]
