"""The annotations of a YODA block: one YAML mapping, of which only single lines `key: value` matter here.

The YODA 1 library writes values without quoting them, and then cannot read some of its own files. So reading goes
line by line: what YAML understands is understood as YAML does (quotes, comments, `~`), and what YAML would refuse
is kept as it stands. Writing quotes whatever a YAML reader could take for something else.
"""

import json
import re
from typing import Any

_LINE = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|\S.*?)\s*:(?:\s+(.*))?""")
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
_FLOW_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[\w.+\-/()$]+(?: [\w.+\-/()$]+)*|: |, |[\[\]{}]')


class Raw(str):
    """YAML text that is written as it stands."""

    __slots__ = ()


def parse(text: str) -> dict[str, str]:
    r"""Read the annotation lines of a block (version 2 or 3). Values are text; empty for YAML's null.

    >>> parse('Title: "a: b" # note\nIsRef: 1\nStar: *x')
    {'Title': 'a: b', 'IsRef': '1', 'Star': '*x'}
    """
    pairs: list[list[str]] = []
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = None if line[0] in " \t" else _LINE.fullmatch(line.rstrip())
        if match:
            pairs.append([match[1], match[2] or ""])
        elif pairs:  # a value that goes on in the next line
            pairs[-1][1] = f"{pairs[-1][1]} {line.strip()}"
    return {scalar(key): scalar(value) for key, value in pairs}


def parse_old(line: str) -> tuple[str, str] | None:
    """Read one annotation `Key=Value` or `Key: Value` of version 1; None if the line is not one."""
    places = [place for place in (line.find("="), line.find(":")) if place >= 0]
    if not places:
        return None
    return line[: min(places)].strip(), scalar(line[min(places) + 1 :])


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
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPES.get(code, code)


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
    plain = _PLAIN.fullmatch(text) and text.isprintable() and text not in NULLS
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


def _flow_end(tokens: list[str], at: int) -> int:
    """Index after the value that begins at token `at`; -1 if it is no value."""
    if at >= len(tokens) or tokens[at] in (": ", ", ", "]", "}"):
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
        at = _flow_end(tokens, at)
        if at < 0 or at >= len(tokens):
            return -1
        if tokens[at] == close:
            return at + 1
        if tokens[at] != ", ":
            return -1
        at += 1
