"""Names in messages: those spelt most like a word that fits none, long ones cut."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from sbitune.data.errors import InputError
from sbitune.data.text.numbers import is_not_finite, quoted, reads_as_number

#: a name less like the word than this was not meant
_ALIKE = 0.6
#: names that a message holds
_MOST = 3
#: letters of a quoted word: a damaged file is one word; and names of what a file has
_MOST_LETTERS, _MOST_LISTED = 60, 12
#: a name is misspelt if it is so much like one that is absent
_MISSPELT = 0.8
#: categories of Unicode that a name may not have: control, format, half of a pair, separators of lines
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: letters and marks of other categories that are drawn as nothing: fillers, selectors of variants, Braille's empty cell
_EMPTY = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
#: what divides words: other blanks of Unicode look like these, and are part of a name to one reader and none to another
_BLANKS = " \t\f\r\v\n"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known names that are most like a word, as a whole or in a part, as the end of a message; without any such
    name the first ones.

    >>> nearest("StringY", ["StringZ:aLund", "StringPT:sigma", "Beams:eCM"])
    '; the nearest are StringZ:aLund, StringPT:sigma'
    >>> nearest("d81", ["/A/d18-x01", "/A/d81x-x01"])
    '; the nearest are /A/d81x-x01, /A/d18-x01'
    >>> nearest("what", ["/A/d1", "/A/d2", "/A/d3", "/A/d4"])
    '; there are /A/d1, /A/d2, /A/d3, ...'
    >>> nearest("what", [])
    '; there is none'
    """
    names = list(dict.fromkeys(known))
    alike = {name: _likeness(word.lower(), name.lower()) for name in names}
    near = sorted((name for name in names if alike[name] >= _ALIKE), key=lambda name: -alike[name])
    if near:
        return f"; the nearest are {', '.join(near[:_MOST])}"
    more = ", ..." if len(names) > _MOST else ""
    return f"; there are {', '.join(names[:_MOST])}{more}" if names else "; there is none"


def is_name(word: object) -> bool:
    r"""Whether something read from a file is text without line breaks and other characters that are not seen.

    >>> is_name("StringZ:aLund"), is_name("a\nb"), is_name(5)
    (True, False, False)
    """
    return isinstance(word, str) and (_is_plain(word) or not any(map(is_unseen, word)))


def is_unseen(letter: str) -> bool:
    r"""Whether a character is a line break, or another that is not seen: control, zero width, a mark of direction.

    >>> is_unseen("\u200b"), is_unseen("\N{HANGUL FILLER}"), is_unseen(" ")
    (True, True, False)
    """
    return unicodedata.category(letter) in _UNSEEN or bool(_EMPTY.match(letter))


def check_seen(word: str, what: str) -> None:
    """Refuse a name with line breaks, which would write lines of their own, or with other characters that are not seen,
    which tell names apart that look alike; blanks other than the plain one are such.

    Raises `InputError` with `what` it is the name of, the name and the character.
    """
    if _is_plain(word):
        return
    odd = next((c for c in word if is_unseen(c) or (unicodedata.category(c) == "Zs" and c != " ")), None)
    if odd is not None:
        raise InputError(
            f"{what} {quoted(word)}: a line break, or another character that is not seen, in a name: {odd!a}; rename "
            "it",
            code="name-odd-character",
        )


def check_name(name: str, what: str = "parameter") -> None:
    """Refuse a name that is empty, has characters that are not seen, or is a number that is none, `nan` or `-Inf` say.

    Raises `InputError` with the name.
    """
    if not name:
        raise InputError(f"a {what} needs a name", code="name-empty")
    check_seen(name, what)
    if is_not_finite(name):
        raise InputError(
            f"expected the name of a {what}, found the number {quoted(name)}; rename it", code="name-number"
        )


def check_word(name: str, what: str = "parameter") -> None:
    """Refuse a name that files of words and numbers cannot hold: as `check_name` does, and one with a blank or a `#` or
    that some program reads as a number.
    """
    check_name(name, what)
    if "#" in name or any(c.isspace() for c in name):
        raise InputError(
            f"{what} {quoted(name)} cannot be written: a blank or `#` in a name; rename it", code="name-blank"
        )
    if reads_as_number(name):
        raise InputError(
            f"expected the name of a {what}, found the number {quoted(name)}; rename it", code="name-number"
        )


def split_words(line: str) -> list[str]:
    r"""Words between plain blanks and tabs. Raises `InputError` as `check_seen` does for characters that are not seen.

    >>> split_words("StringZ:aLund\t0.68 ")
    ['StringZ:aLund', '0.68']
    """
    words = line.split() if line.isascii() else [word for word in re.split(f"[{_BLANKS}]+", line) if word]
    for word in words:
        check_seen(word, "word")
    return words


def shorten(word: object, most: int = _MOST_LETTERS) -> str:
    r"""A word of the input for a message, on one line: of a long one the first letters.

    >>> shorten("a" * 100, 5), shorten("two\nlines")
    ('aaaaa...', 'two lines')
    """
    line = " ".join(str(word).split())
    return line if len(line) <= most else line[:most] + "..."


def repeated(names: Iterable[str]) -> list[str]:
    """The names that are there more than once, each once, in their order.

    >>> repeated(["b", "a", "b"])
    ['b']
    """
    return [name for name, times in Counter(names).items() if times > 1]


def misspelt(names: Iterable[str], absent: Iterable[str]) -> tuple[str, str] | None:
    """The first of some unknown names that is so much like an absent one, or is that but for capitals, that it is taken
    for a misspelling; with that one.

    >>> misspelt(["extra", "WEIGHTS"], ["weights", "offsets"])
    ('WEIGHTS', 'weights')
    """
    small = {name.lower(): name for name in absent}
    for name in names:
        if meant := get_close_matches(name.lower(), list(small), n=1, cutoff=_MISSPELT):
            return name, small[meant[0]]
    return None


def list_names(names: Iterable[str]) -> str:
    """Names for a message, the first of many, long ones cut.

    >>> list_names(["theta", "values"]), list_names([])
    ('theta, values', 'none')
    """
    short = [shorten(name) for name in names]
    return ", ".join(short[:_MOST_LISTED]) + (", ..." if len(short) > _MOST_LISTED else "") or "none"


def _is_plain(word: str) -> bool:
    """Most names are of letters that need no looking up."""
    return word.isascii() and word.isprintable()


def _likeness(word: str, name: str) -> float:
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(word)  # the one that is compared with many
    best = 0.0
    for part in (name, *re.split(r"[/:\-#_.]+", name)):
        matcher.set_seq1(part)
        if part and matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            best = max(best, matcher.ratio())
    return best
