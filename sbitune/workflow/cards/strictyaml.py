"""YAML in which every reader sees the same: numbers as people write them, no tags, no nesting without an end.

YAML 1.1, which PyYAML reads, takes `010` for 8, `1:30` for 90, `1_0.` for 10 and `1e-3` for text; YAML 1.2 for 10,
text, text and 0.001. What both read alike, and exponents, are numbers here; what only 1.1 takes for one is refused.
Dates are text: no card has any.
"""

import re
import unicodedata
from typing import Any, ClassVar

import yaml

from sbitune.data.text.names import shorten

#: sections inside sections, beyond which no file has a meaning here
_DEEPEST = 30
#: digits of a whole number: more are no machine's
_DIGITS = 100
_TAG = "tag:yaml.org,2002:"
_ODD = "tag:sbitune,2026:odd"
_NUMBER_STARTS = list("-+.0123456789")


class RefusedError(yaml.MarkedYAMLError):
    """What YAML has, and the files here may not have; `code` is what kind of fault it is."""

    def __init__(self, problem: str, mark: yaml.Mark, *, code: str) -> None:
        super().__init__(None, None, problem, mark)
        self.code = code


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the rules above.

    Raises `RefusedError` for a tag, a number that readers read differently, half of a pair of surrogates,
    sections that are nested too deeply, and for files that people write, whose entries are counted, for more than
    `most` of them and for control characters.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def __init__(self, text: str, most: int | None = None) -> None:
        super().__init__(text)
        self._most, self._seen, self._deep = most, 0, 0
        self.by_hand = most is not None

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose the next node."""
        event: Any = self.peek_event()
        self._seen += 1
        if self._most is not None and self._seen > self._most:
            raise RefusedError(f"it has more than {self._most} entries", event.start_mark, code="yaml-too-large")
        if self._deep >= _DEEPEST:
            problem = f"sections inside sections, more than {_DEEPEST}: is a bracket not closed?"
            raise RefusedError(problem, event.start_mark, code="yaml-too-deep")
        if getattr(event, "tag", None) is not None:
            problem = f"the tag {shorten(event.tag)}; write text, numbers, lists and sections as they are"
            raise RefusedError(problem, event.start_mark, code="yaml-tag")
        self._deep += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._deep -= 1


def _construct_odd(loader: StrictLoader, node: yaml.ScalarNode) -> None:
    problem = (
        f"{shorten(node.value)} is not the same number to every reader; write it in plain decimal digits, without "
        "leading zeros, underscores, colons or another base, or as text in quotes"
    )
    raise RefusedError(problem, node.start_mark, code="yaml-ambiguous-number")


def _construct_text(loader: StrictLoader, node: yaml.ScalarNode) -> str:
    kinds = ("Cc", "Cs") if loader.by_hand else ("Cs",)
    odd = next((c for c in node.value if unicodedata.category(c) in kinds and c not in "\n\t"), None)
    if odd is not None:
        problem = f"the character {odd!r} in a text; take it out"
        raise RefusedError(problem, node.start_mark, code="yaml-odd-character")
    return node.value


def _construct_whole(loader: StrictLoader, node: yaml.ScalarNode) -> int:
    if len(node.value.lstrip("-+")) > _DIGITS:
        problem = f"a number of {len(node.value)} digits: {shorten(node.value)}"
        raise RefusedError(problem, node.start_mark, code="yaml-long-number")
    return int(node.value)


def _like(kind: str) -> list[tuple[re.Pattern[str], list[str]]]:
    """The patterns of a kind in YAML 1.1, with the letters that they may begin with."""
    found: dict[re.Pattern[str], list[str]] = {}
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items():
        for tag, pattern in rules:
            if tag == _TAG + kind:
                found.setdefault(pattern, []).append(first)
    return list(found.items())


for _kind in ("bool", "null", "merge"):
    for _pattern, _starts in _like(_kind):
        StrictLoader.add_implicit_resolver(_TAG + _kind, _pattern, _starts)
StrictLoader.add_implicit_resolver(_TAG + "int", re.compile(r"[-+]?(0|[1-9][0-9]*)\Z"), _NUMBER_STARTS)
_decimal = r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z|[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"
StrictLoader.add_implicit_resolver(_TAG + "float", re.compile(_decimal), _NUMBER_STARTS)
for _kind in ("int", "float"):
    for _pattern, _starts in _like(_kind):
        StrictLoader.add_implicit_resolver(_ODD, _pattern, _starts)
StrictLoader.add_constructor(_ODD, _construct_odd)
StrictLoader.add_constructor(_TAG + "str", _construct_text)
StrictLoader.add_constructor(_TAG + "int", _construct_whole)
