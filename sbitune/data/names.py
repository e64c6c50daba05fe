"""Names that were meant: those spelt most like a word that fits none."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

#: a name less like the word than this was not meant
_ALIKE = 0.6
#: names that a message holds
_MOST = 3


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


def _likeness(word: str, name: str) -> float:
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(word)  # the one that is compared with many
    best = 0.0
    for part in (name, *re.split(r"[/:\-#_.]+", name)):
        matcher.set_seq1(part)
        if part and matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            best = max(best, matcher.ratio())
    return best
