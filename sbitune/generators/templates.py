"""Templates of run cards, filled by the rule of the tool that they were written for.

| rule | places of values | other braces |
|---|---|---|
| `plain`, sbitune's own | `{NAME}` | stay as they are; `${NAME}` is the shell's |
| `professor`, as prof2-sample and app-sample fill | `{NAME}`, `{NAME:.3f}` | `{{` and `}}` become `{` and `}` |
| `mcnntunes`, as mcnntemplate fills | `{{NAME}}`, `{{ NAME }}` | stay as they are |

Professor and Apprentice fill with Python's `str.format` (`tmpl.format(**p)`), MCNNTunes with Jinja
(`Template(template).render(setup)`), of which places of values are understood here and nothing else. Sources:
`bin/prof2-sample` of github.com/iamholger/professor, `bin/app-sample` of github.com/HEPonHPC/apprentice,
`scripts/mcnntemplate.py` of github.com/N3PDF/mcnntunes.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten

Rule = Literal["plain", "professor", "mcnntunes"]
#: what a rule does, for messages
RULES: dict[Rule, str] = {
    "plain": "{NAME} is a place, other braces stay",
    "professor": "{NAME} is a place, {{ and }} become { and }, as Professor and Apprentice fill",
    "mcnntunes": "{{NAME}} is a place, other braces stay, as MCNNTunes fills",
}
#: what may stand in braces beside the parameters; N is Professor's name of RUN, unless a parameter is called so
BUILT_IN = ("SEED", "EVENTS", "RUN", "CARD")
RUN_NUMBER = "N"
_NAME = r"[A-Za-z_][\w:.\-]*"
#: `${HOME}` is the shell's
_SINGLE = re.compile(rf"(?<!\$)\{{({_NAME})\}}")
#: a place of Jinja, perhaps with a filter
_DOUBLE = re.compile(rf"(?<!\{{)\{{\{{\s*({_NAME})\s*(?:\}}\}}(?!\}})|\|)")
_JINJA = re.compile(r"\{\{(.*?)\}\}|\{[%#]", re.DOTALL)
#: a format of a number, as `str.format` knows them, without widths that nobody can read
_FORMAT = re.compile(r"[<>=^]?[-+ ]?0?\d{0,2}(?:\.\d{1,2})?[eEfFgGn]?")
#: how alike a word in braces and a name must be for one to be the other, misspelt
_ALIKE = 0.5
#: the same in double braces, which of Professor's templates are text
_MUCH_ALIKE = 0.8


class Piece(NamedTuple):
    """A part of a template: text, or the place of a value."""

    text: str
    name: str | None = None  #: whose value stands here; None: `text` does
    form: str = ""  #: format of the value


class _NotThisRuleError(Exception):
    """The text is none that the rule could fill."""


def rule_of(text: str, names: Iterable[str], where: str, remedy: str) -> Rule:
    """Tell by a template's braces which tool it was written for.

    Args:
        text: the template.
        names: what may stand in braces.
        where: place of the template, for messages.
        remedy: where the rule can be said.

    Raises:
        InputError: for braces of two tools, or for double braces that could be Professor's but for a name that is none.

    >>> [rule_of(text, ["a"], "", "") for text in ("{a} {b: 1}", "{a} {{b: 1}}", "{{a}}")]
    ['plain', 'professor', 'mcnntunes']
    """
    known = set(names)
    words = _DOUBLE.findall(text)
    double = [name for name in words if name in known]
    single = [name for name in _SINGLE.findall(_DOUBLE.sub("", text)) if name in known]
    if double and single:
        raise InputError(
            f"{where}: {{{{{double[0]}}}}} is a place for MCNNTunes, {{{single[0]}}} for Professor and Apprentice; "
            f"write one of both, or say whose template this is {remedy}",
            code="template-mixed-rules",
        )
    if double:
        return "mcnntunes"
    for word in words:
        if difflib.get_close_matches(word, known - {*BUILT_IN, RUN_NUMBER}, n=1, cutoff=_MUCH_ALIKE):
            raise InputError(
                f"{_no_name(where, word, known)}; or say whose template this is {remedy}", code="template-unknown-name"
            )
    if "{{" not in text and "}}" not in text and not _formatted(text, known):
        return "plain"
    try:
        _split_format(text, known, where)
    except _NotThisRuleError:
        return "plain"
    except InputError as error:
        raise InputError(f"{error}; or say whose template this is {remedy}") from error
    return "professor"


def _formatted(text: str, known: set[str]) -> bool:
    """Whether a name has a format behind it, as `{alpha:.3f}`."""
    fields = re.findall(r"(?<!\$)\{([^{}]+)\}", text)
    return any(field not in known and _field(field, known) is not None for field in fields)


def split(text: str, known: Iterable[str], rule: Rule, where: str) -> list[Piece]:
    """Cut a template into texts and places of values.

    Raises:
        InputError: for a word in braces that is meant for a name and is none.
    """
    names = set(known)
    if rule == "professor":
        try:
            return _split_format(text, names, where)
        except _NotThisRuleError as error:
            raise InputError(
                f"{where}: {shorten(error)}: Professor and Apprentice could not fill this; write {{{{ and }}}} for "
                "braces that are no places",
                code="template-bad-place",
            ) from error
    pieces, end = [], 0
    for match in (_JINJA if rule == "mcnntunes" else _SINGLE).finditer(text):
        name = (match[1] or "").strip()
        if name in names:
            pieces += [Piece(text[end : match.start()]), Piece(match[0], name)]
            end = match.end()
        elif rule == "mcnntunes":
            raise InputError(
                f"{where}: {shorten(match[0])}: of Jinja places {{{{NAME}}}} alone are understood; "
                f"{_nearby(name, names)}",
                code="template-bad-place",
            )
        elif _misspelt(name, names):
            raise _no_name(where, name, names)
    return [*pieces, Piece(text[end:])]


def _split_format(text: str, names: set[str], where: str) -> list[Piece]:
    """Cut as `str.format` does. Raises `_NotThisRuleError` where that could not fill any text like this."""
    pieces, unknown, i = [], [], 0
    for match in re.finditer(r"\{\{|\}\}|\{[^{}]*\}|[{}]", text):
        token = match[0]
        pieces.append(Piece(text[i : match.start()]))
        i = match.end()
        if token in ("{{", "}}"):
            pieces.append(Piece(token[0]))
            continue
        field = _field(token[1:-1], names) if len(token) > 2 else None
        if field is None:
            unknown.append(token[1:-1])
            if not re.fullmatch(_NAME, unknown[-1]) or text[: match.start()].endswith("$"):
                raise _NotThisRuleError(token)
            continue
        pieces.append(Piece(token, *field))
    if unknown:
        raise _no_name(where, unknown[0], names)
    return [*pieces, Piece(text[i:])]


def _field(word: str, names: set[str]) -> tuple[str, str] | None:
    """Name and format of a field of `str.format`; names may have colons, too."""
    if word in names:
        return word, ""
    for colon in (i for i, letter in enumerate(word) if letter == ":"):
        if word[:colon] in names and _FORMAT.fullmatch(word[colon + 1 :]):
            return word[:colon], word[colon + 1 :]
    return None


def _misspelt(word: str, names: set[str]) -> bool:
    # braces are the shell's and the generator's, too: only what looks like a misspelt name is refused
    return bool(difflib.get_close_matches(word, names, n=1, cutoff=_ALIKE))


def _no_name(where: str, word: str, names: set[str]) -> InputError:
    return InputError(
        f"{where}: {{{shorten(word)}}} names no parameter; {_nearby(word, names)}", code="template-unknown-name"
    )


def _nearby(word: str, names: set[str]) -> str:
    own = [name for name in names if name not in (*BUILT_IN, RUN_NUMBER)]
    return f"there are {', '.join([*sorted(own), *BUILT_IN])}"


def fill(pieces: Iterable[Piece], values: Mapping[str, object]) -> str:
    """Put values into their places."""
    return "".join(
        piece.text if piece.name is None else format(values[piece.name], piece.form) if piece.form else
        str(values[piece.name])
        for piece in pieces
    )  # fmt: skip
