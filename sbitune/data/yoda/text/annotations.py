"""The annotations of a YODA block: one YAML mapping, of which only single lines `key: value` matter here.

The YODA 1 library writes values without quoting them, and then cannot read some of its own files. So reading goes
line by line: what YAML understands is understood as YAML does (quotes, comments, `~`), and what YAML would refuse
is kept as it stands. Writing quotes whatever a YAML reader could take for something else.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from sbitune.data.errors import InputError

_QUOTED_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*:(?=\s|$)""")
_COLON = re.compile(r":(?=\s|$)")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s+#.*)?')
_SINGLE = re.compile(r"'((?:[^']|'')*)'(?:\s+#.*)?")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_COMMENT = re.compile(r"\s#")
NULLS = ("~", "null", "Null", "NULL")
# one plain word or line that no YAML reader takes for anything but text or a number
_PLAIN = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`=<]|-(?=[\d.]))(?:.*\S)?")
#: lists in lists: what is nested more deeply stands in quotes, which mean the same to a reader of text
_DEEPEST = 20
_FLOW_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[\w.+\-/()$]+(?: [\w.+\-/()$]+)*|: |, |[\[\]{}]')


class Raw(str):
    """YAML text that is written as it stands."""

    __slots__ = ()


def _refuse(message: str, offset: int, code: str) -> NoReturn:
    raise InputError(f"annotations: {message}", code=code)


def parse(text: str, fail: Callable[[str, int, str], NoReturn] = _refuse) -> dict[str, str]:
    r"""Read the annotation lines of a block (version 2 or 3). Values are text; empty for YAML's null.

    Args:
        text: The lines.
        fail: Raises the error for a line that is no annotation, or one that is given twice, its place in
            the text, and the code of the fault.

    >>> parse('Title: "a: b" # note\nIsRef: 1\nStar: *x')
    {'Title': 'a: b', 'IsRef': '1', 'Star': '*x'}
    """
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    offset = 0
    for line in text.split("\n"):
        if line.strip() and not line.lstrip().startswith("#"):
            # a key begins its line: after a separator such as U+001F, which is blank to Python, stands none
            pair = None if line[0].isspace() else _split(line.rstrip())
            if pair is None:  # a value that goes on in the next line
                if lines is None or line[0] not in " \t" or _is_row(line) or _is_pair(line, lines[0]):
                    fail(
                        f"'{line.strip()[:60]}' is no annotation KEY: VALUE; is a line out of its place?",
                        offset,
                        "yoda-no-annotation",
                    )
                lines.append(line.strip())
            else:
                key = scalar(pair[0])
                if key in found:
                    fail(
                        f"the annotation {key[:60]} is given twice; keep one of the two",
                        offset,
                        "yoda-repeated-annotation",
                    )
                lines = found[key] = [pair[1]]
        offset += len(line) + 1
    return {key: scalar(" ".join(lines)) for key, lines in found.items()}


def _split(line: str) -> tuple[str, str] | None:
    """Key and value as they stand; None for a line without, and for a key with braces, which is a map that was cut."""
    match = _QUOTED_KEY.match(line)
    if match:
        return match[1], line[match.end() :]
    colon = _COLON.search(line)
    if not colon or not line[: colon.start()].strip() or "{" in line[: colon.start()]:
        return None
    return line[: colon.start()].rstrip(), line[colon.end() :]


def _is_pair(line: str, value: str) -> bool:
    """Whether a line that seems to go on a value is an annotation of its own: YAML has no `: ` in plain text."""
    return value.strip()[:1] not in tuple("\"'[{") and _COLON.search(line) is not None


def _is_row(line: str) -> bool:
    """Whether a line is one of data: all of its words are numbers."""
    words = line.split()
    return len(words) > 1 and all(word[0] in "+-.0123456789" for word in words)


def parse_old(line: str) -> tuple[str, str]:
    """Read one annotation `Key=Value` or `Key: Value` of version 1, a line with one of the two signs."""
    place = min(place for place in (line.find("="), line.find(":")) if place >= 0)
    return line[:place].strip(), scalar(line[place + 1 :])


def scalar(text: str) -> str:
    """The text that one YAML scalar stands for; the characters themselves where YAML would refuse them."""
    text = text.strip()
    if not text or text in NULLS or text[0] == "#":
        return ""
    if text[0] == '"' and (match := _DOUBLE.fullmatch(text)):
        return _ESCAPE.sub(_unescape, match[1]) if "\\" in text else match[1]
    if text[0] == "'" and (match := _SINGLE.fullmatch(text)):
        return match[1].replace("''", "'")
    if text[0] in "[{\"'*&!@`%|>" or ": " in text or text.endswith(":"):
        return text
    comment = _COMMENT.search(text)
    return text[: comment.start()].rstrip() if comment else text


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 1:
        return _ESCAPES.get(code, code)
    number = int(code[1:], 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else match[0]  # what no text can hold stays


def dump(annotations: dict[str, Any]) -> str:
    """Annotation lines in alphabetical order, each ending in a newline; together one YAML mapping."""
    return "".join(f"{_text(key)}: {_value(annotations[key])}\n" for key in sorted(annotations))


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Raw):
        return value
    if isinstance(value, float):
        return f"{value:.17e}"
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return text if not text or _is_flow(text) else _text(text)


def _text(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.isprintable() and text not in NULLS and "{" not in text
    if plain and ": " not in text and not text.endswith(":") and " #" not in text:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Text in double quotes, for YAML."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_flow(text: str) -> bool:
    """Whether the text is surely a YAML list or map like `[1, 2]` or `{a: 1}`; then it may stand unquoted."""
    if text[0] not in "[{" or text[-1] not in "]}":
        return False
    if "".join(tokens := _FLOW_TOKEN.findall(text)) != text:
        return False
    return _flow_end(tokens, 0) == len(tokens)


def _flow_end(tokens: list[str], at: int, depth: int = 0) -> int:
    """Index after the value that begins at token `at`; -1 if it is no value, or nested too deeply."""
    if depth > _DEEPEST or at >= len(tokens) or tokens[at] in (": ", ", ", "]", "}"):
        return -1
    if tokens[at] not in "[{":
        return at + 1
    mapping, close = tokens[at] == "{", "}" if tokens[at] == "{" else "]"
    at += 1
    if at < len(tokens) and tokens[at] == close:
        return at + 1
    while True:
        if mapping:
            if at + 1 >= len(tokens) or tokens[at][0] in "[{]}:," or tokens[at + 1] != ": ":
                return -1
            at += 2
        at = _flow_end(tokens, at, depth + 1)
        if at < 0 or at >= len(tokens):
            return -1
        if tokens[at] == close:
            return at + 1
        if tokens[at] != ", ":
            return -1
        at += 1
