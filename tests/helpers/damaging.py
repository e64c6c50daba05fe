"""Ways to damage a small text: bytes and lines lost, doubled, swapped or another, words that are odd numbers."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from sbitune.data.errors import InputError

#: what a byte may turn into: digits, signs, blanks and what holds a format together
BYTES = b"0159-+.eE_#:;, \t\n\r{}[]\"'\\/@*x\x00\x1f\xa0\xc2\xef"
#: words that Python takes for numbers, or that are none for a machine
WORDS = [b"1_2", b"012", b"1:30", "²".encode(), "٣".encode(), b"9" * 400, b"1e999", b"1e-400", b"nan", b"inf", b"-1",
         b"-inf", b"3000000000", b"1.9", b"0x1", b"", b"()", b"1d1", b"---"]  # fmt: skip


def each_damage(text: bytes, others: bytes = b"0-_ \n", step: int = 1) -> Iterator[bytes]:
    """Every byte and line lost, doubled, swapped with the next, every byte another, every end of the file lost: of
    bytes one in `step`.
    """
    for at in range(0, len(text), step):
        yield text[:at] + text[at + 1 :]
        yield text[: at + 1] + text[at:]
        yield text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        yield text[:at]
        for byte in others:
            yield text[:at] + bytes([byte]) + text[at + 1 :]
    lines = text.splitlines(keepends=True)
    for at in range(len(lines)):
        yield b"".join(lines[:at] + lines[at + 1 :])
        yield b"".join(lines[: at + 1] + lines[at:])
        yield b"".join(lines[:at] + lines[at + 1 : at + 2] + lines[at : at + 1] + lines[at + 2 :])
        yield b"".join([*lines[:at], lines[at].rstrip(b"\n"), *lines[at + 1 :]])
    for word in re.finditer(rb"[^\s,:\[\]{}]+", text):
        for odd in WORDS[:: min(step, 3)]:
            yield text[: word.start()] + odd + text[word.end() :]


@st.composite
def damaged(draw: st.DrawFn, text: bytes, most: int = 3) -> bytes:
    """A text with some damages, one after the other."""
    for _ in range(draw(st.integers(1, most))):
        at, length = draw(st.integers(0, max(len(text) - 1, 0))), draw(st.integers(0, 12))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            text = text[:at] + text[at + length :]
        elif kind == 1:
            text = text[: at + length] + text[at:]
        elif kind == 2:
            text = text[:at] + bytes([draw(st.sampled_from(BYTES))]) + text[at + draw(st.integers(0, 1)) :]
        elif kind == 3:
            words = list(re.finditer(rb"[^\s,:\[\]{}]+", text))
            if words:
                word = draw(st.sampled_from(words))
                other = draw(st.sampled_from([*WORDS, *(w[0] for w in words)]))
                text = text[: word.start()] + other + text[word.end() :]
        else:
            lines = text.splitlines(keepends=True)
            if lines:
                first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
                moved = lines.pop(first) if kind == 4 else lines[first]
                lines.insert(second, moved)
            text = b"".join(lines)
    return text


def outcome(read: Callable[[Any], Any], path: Any) -> tuple[str, Any]:
    """The message of the error that a reader raises on purpose, empty if it raises none, and what it reads."""
    try:
        return "", read(path)
    except InputError as error:
        return str(error), None


def strictly(read: Callable[[bytes], Any], content: bytes) -> Any:
    """What a strict reader finds in a file that was taken. It must find something."""
    try:
        return read(content)
    except (ValueError, KeyError, TypeError, re.error) as error:
        raise AssertionError(f"taken, though a strict reader refuses it ({error!r}): {content!r}") from error


def alike(mine: Any, other: Any) -> bool:
    """Whether two nested lists are equal, up to whole numbers as floats, zeros without a sign and the order of sums."""
    if isinstance(mine, dict):
        return mine.keys() == other.keys() and all(alike(mine[key], other[key]) for key in mine)
    if isinstance(mine, list | tuple):
        return len(mine) == len(other) and all(map(alike, mine, other))
    if isinstance(mine, str) or isinstance(other, str) or mine is None or other is None:
        return mine == other
    return mine == other or (mine != mine and other != other) or math.isclose(mine, other, rel_tol=1e-12)
