"""Numbers in words of text files, read alike whatever the format.

A number is what C and Fortran write: digits with at most one point, an exponent behind `e`, a sign; `inf` and `nan`
where a format has them. Python takes more: `1_2` is 12, digits of other scripts count, and 400 digits become
infinite without a word. None of these is what its writer meant, nor is `010`, which is 8 to some and 10 to others.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

#: the longest word that C's `printf("%f")` makes of a double has 316 characters
LONGEST = 320
#: the largest whole number (of bins, parameters, orders) that is believed
MOST = 10**9
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"0|[1-9][0-9]*")
#: letters of plain numbers; what tells that one of the words behind blanks has a zero too many
_PLAIN, _OCTAL = b"0123456789eE.+- ", re.compile(r" [+-]?0[0-9]")


def number(word: str) -> float:
    """The number that a word is, `nan` and `inf` among them. Raises `ValueError` for any other word, and for numbers
    that are too large or too small for a double.
    """
    if len(word) > LONGEST:
        raise ValueError(f"{quoted(word)} is too long for a number")
    if _NOT_FINITE.fullmatch(word):
        return float(word)
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{quoted(word)} is not a number{_remedy(word)}")
    value = float(word)
    if math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", word)[0])):
        raise ValueError(f"{quoted(word)} is too {'small' if value == 0 else 'large'} for a number")
    return value


def finite(word: str) -> float:
    """The number that a word is. Raises `ValueError` as `number` does, and for `nan` and `inf`."""
    value = number(word)
    if not math.isfinite(value):
        raise ValueError(f"{quoted(word)} is not finite")
    return value


def is_number(word: str) -> bool:
    """Whether a word is written as a finite number is, be it too large for a double."""
    return bool(_NUMBER.fullmatch(word))


def is_not_finite(word: str) -> bool:
    """Whether a word is written as `nan` and `inf` are, in any case, with a sign or without."""
    return bool(_NOT_FINITE.fullmatch(word))


def reads_as_number(word: str) -> bool:
    """Whether some program reads a word as a number: Python, C or Fortran, `nan`, `inf` and `1_0` among them.

    >>> reads_as_number("-Inf"), reads_as_number("010"), reads_as_number("info")
    (True, True, False)
    """
    try:
        float(word)
    except ValueError:
        return False
    return True


def natural(word: str, most: int = MOST) -> int:
    """The whole number from 0 to `most` that a word is. Raises `ValueError` for any other word."""
    if not _WHOLE.fullmatch(word):
        raise ValueError(f"{quoted(word)} is not a whole number{_remedy(word)}")
    if len(word) > len(str(most)) or int(word) > most:
        raise ValueError(f"{quoted(word)} is more than {most}")
    return int(word)


def numbers(words: Sequence[str]) -> np.ndarray:
    """The numbers (n_words,) that words are. Raises `ValueError` as `number` does."""
    text = " " + " ".join(words)
    odd = text.encode(errors="replace").translate(None, _PLAIN)  # faster than a search
    if odd or _OCTAL.search(text) or max(map(len, words), default=0) > LONGEST:
        return np.array([number(word) for word in words], float)
    try:
        values = np.array(list(map(float, words)), float)
    except ValueError:
        return np.array([number(word) for word in words], float)  # tells which
    doubtful = np.flatnonzero((values == 0) | np.isinf(values)).tolist()
    for word in {words[place] for place in doubtful}:  # did it overflow?
        number(word)
    return values


def quoted(word: str) -> str:
    """A word of the input as a message has it: in quotes, cut at 60 letters.

    >>> quoted("1_2"), len(quoted("9" * 400))
    ("'1_2'", 65)
    """
    return repr(word) if len(word) <= 60 else repr(word[:60]) + "..."


def _remedy(word: str) -> str:
    plain = re.sub(r"^([+-]?)0+(?=[0-9])", r"\1", word)
    return f"; write {plain}" if plain != word and _NUMBER.fullmatch(plain) else ""
