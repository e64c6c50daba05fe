"""Error sources of a measurement: which are independent from bin to bin, and which move the bins of an observable
together.

HEPData has no field that says it, only the label of the source, in words that authors choose. The rule, for the words
of a label (split at whatever is no letter, and where small letters turn to capitals; capitals count as small):

1. `NP`, `nuisance`, `eigen...`: the source is a component of a covariance matrix. Shared.
2. `uncor...`, `not` or `non correlated`, `point-to-point`, `bin-to-bin`: independent, even of a systematic error
   (`sys,uncorr`), unless the label says `correlated` as well, or what else the source is uncorrelated between
   (`uncorrelated between years`).
3. `stat...`: independent if no other word names a source (`stat`, `Data stat.`, `MC stat.`, `Data statistical error`,
   `stat+sys`, which is all of the error). A calibration's statistics are shared by all bins that use the calibration
   (`stat,MUON_EFF_STAT`, `EffectiveNP Statistical1`). So are more than two sources of an object that differ by a number
   alone: they are components; up to two are what the HEPData converter makes of two errors of one label.
4. All of the error under a name of its own (`total`, `error`, `total uncertainty`): independent, as nothing is known.
5. Whatever else (`sys`, `sys,lumi`, `JES`, `total systematic`): shared.

YODA 1 takes a source as independent if its label contains `stat` or `uncor`, YODA 2 if it begins so. A user who knows
better says it by label (`Opinion`).
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest

#: sources that differ by a number alone are components of one if there are more
_TWICE = 2

_ALL_OF_IT = re.compile(
    r"a|all|and|by|comb(ined|ination)?|down|err(ors?)?|full|in|of|on|overall|plus|minus|quadrat(ure|ic)|sum(med)?|the|"
    r"tot(al)?|unc(ert(ainty|ainties)?)?|up"
)
_SYSTEMATIC = re.compile(r"d?sys(t|ts|tematic|tematics|tematical)?")
#: words beside `stat` that name no source: whose events are counted, and what all bins have each for itself
_NEUTRAL = re.compile(
    r"backgrounds?|bg|bins?|bkgd?|carlo|data|delta|due|entries|events?|exp(erimental)?|finite|fluctuations?|for|from|"
    r"gaussian|limited|mathrm|matrix|mc|measure(d|ment)|migration|monte|number|only|or|per|pm|points?|poisson|"
    r"pure(ly)?|response|rm|samples?|sig(nal|ma)?|sim(ulat(ed|ion))?|size|subtraction|templates?|text|to|unfold(ed|ing)?"
)
_STATISTICAL = re.compile(r"(data|mc|sim)?d?stat(s|istic|istics|istical|istically|err|error|unc)?")
_UNCORRELATED = re.compile(r"\w*uncor(?!rec)\w*|noncorr(el\w*)?|indep(endent)?")
_CORRELATED = re.compile(r"\w*(?<!un)(?<!non)cor(?!rec)(r|rel\w*)?")
_NOT_CORRELATED = re.compile(r"\b(?:non|not) corr?(?:el\w*)?\b")
_EACH = re.compile(r"\b(bin|point|pt|p) (?:to|by) \1s?\b")
_BETWEEN = re.compile(r"\b(?:across|among|amongst|between|with)\b(?!.*\b(?:bins?|points?)\b)")
_COMPONENT = re.compile(r"nps?|npcor\w*|nuisance|eigen\w*")
_NUMBERED = re.compile(r"(.*?)[\s_,:-]*\d+")


class Decision(NamedTuple):
    """What a source is taken for."""

    independent: bool  #: from bin to bin; else it moves all bins of its object together
    why: str  #: in words: what of the label, or of the user's words, says so


class Opinion(NamedTuple):
    """What a user says of the sources of a file, by label; `*` stands for anything, `?` for one letter."""

    independent: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    said: str = "as you say"  #: where, for results


#: labels alone decide
NO_OPINION = Opinion()


def decide(labels: Collection[str], opinion: Opinion = NO_OPINION) -> dict[str, Decision]:
    """Label -> decision, for the sources of one object.

    >>> {label: decided.independent for label, decided in decide(["Data stat.", "sys,uncorr", "sys,lumi"]).items()}
    {'Data stat.': True, 'sys,uncorr': True, 'sys,lumi': False}
    """
    stems = Counter(_stem(label) for label in labels)
    decided = {}
    for label in labels:
        said = _said(label, opinion)
        components = stems[_stem(label)] if _stem(label) != label else 0
        decided[label] = said if said is not None else _by_words(label, components)
    return decided


def check_opinion(opinion: Opinion, labels: Iterable[str], where: str) -> None:
    """Compare what a user says with the labels that there are.

    Raises:
        InputError: for a label that no source has, or a source that is said to be both.
    """
    known = list(dict.fromkeys(labels))
    for pattern in (*opinion.independent, *opinion.shared):
        if not any(_matches(pattern, label) for label in known):
            near = nearest(pattern, known) if known else "; it splits its errors nowhere"
            raise InputError(f"{where}: no error source is labelled {pattern[:60]!r}{near}")
    for label in known:
        both = [next((p for p in listed if _matches(p, label)), None) for listed in opinion[:2]]
        if all(both):
            raise InputError(
                f"{where}: the source {label[:60]!r} is said to be independent ({both[0]!r}) and shared ({both[1]!r})"
            )


def _said(label: str, opinion: Opinion) -> Decision | None:
    for independent, patterns in ((True, opinion.independent), (False, opinion.shared)):
        if any(_matches(pattern, label) for pattern in patterns):
            return Decision(independent, opinion.said)
    return None


def _matches(pattern: str, label: str) -> bool:
    return pattern == label or fnmatchcase(label.lower(), pattern.lower().replace("[", "[[]"))


def _by_words(label: str, components: int) -> Decision:
    words = _words(label)
    if any(_COMPONENT.fullmatch(word) for word in words):
        return Decision(False, "a component of a covariance matrix, by its label")
    said = _of_correlation(words)
    if said is not None:
        return said
    if any(_STATISTICAL.fullmatch(word) for word in words):
        naming = [word for word in words if not _says_nothing(word)]
        if naming:
            return Decision(False, f"the statistics of a source that its label names: {' '.join(naming)}"[:120])
        if components > _TWICE:
            return Decision(False, f"one of {components} numbered components")
        return Decision(True, "statistical, by its label")
    if words and all(_ALL_OF_IT.fullmatch(word) for word in words):
        return Decision(True, "all of the error, by its label")
    return Decision(False, "its label says neither statistical nor uncorrelated")


def _of_correlation(words: list[str]) -> Decision | None:
    """What a label says of correlation itself."""
    text, negated = _NOT_CORRELATED.subn("uncorrelated", " ".join(words))
    words = text.split() if negated else words
    if not (any(_UNCORRELATED.fullmatch(word) for word in words) or _EACH.search(text)):
        return None
    if any(_CORRELATED.fullmatch(word) for word in words):
        return Decision(False, "its label says correlated")
    if _BETWEEN.search(text):
        return Decision(False, "its label says uncorrelated between others than bins")
    return Decision(True, "its label says uncorrelated")


def _says_nothing(word: str) -> bool:
    return any(known.fullmatch(word) for known in (_ALL_OF_IT, _NEUTRAL, _STATISTICAL, _SYSTEMATIC))


def _words(label: str) -> list[str]:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", label)
    return [word.lower() for word in re.findall(r"[^\W\d_]+", parts)]


def _stem(label: str) -> str:
    found = _NUMBERED.fullmatch(label)
    return found[1] if found else label
