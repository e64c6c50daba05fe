"""What is written behind `NAME =` in a line that Pythia reads, as its writer means it.

Pythia reads the first word behind the name as far as it can and drops the rest without a word: `0.3_35` is 0.3 to it,
`0,5` is 0, `1d-1` is 1, `12.7` is 12 as a mode, `maybe` is off, `my events.lhe` is `my`. Here a value is either plain,
or refused; what a plain one means is compared with what Pythia holds after reading.
"""

import re
from collections.abc import Callable
from typing import Any

from sbitune.data.text.numbers import finite, quoted

_FLAGS = {"true": True, "on": True, "yes": True, "ok": True, "1": True}
_FLAGS |= {"false": False, "off": False, "no": False, "0": False}
#: zeros before a number; C reads them as decimal
_ZEROS = re.compile(r"^([+-]?)0+(?=[0-9])")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_ONMODES = {"on", "off", "true", "false", "0", "1", "2", "3"}


def real(text: str) -> float:
    """A finite real number. Raises `ValueError`."""
    try:
        return finite(_ZEROS.sub(r"\1", text))
    except ValueError as error:
        raise ValueError(f"needs a number, not {quoted(text)}") from error


def whole(text: str) -> int:
    """A whole number. Raises `ValueError`."""
    if not _WHOLE.fullmatch(text) or len(text) > 18:
        raise ValueError(f"needs a whole number, not {quoted(text)}")
    return int(text)


def flag(text: str) -> bool:
    """A flag in one of the words that Pythia's manual gives. Raises `ValueError`."""
    if text.lower() not in _FLAGS:
        raise ValueError(f"is a flag; write on or off, not {quoted(text)}")
    return _FLAGS[text.lower()]


def word(text: str) -> str:
    """A word; Pythia takes the first one alone. Raises `ValueError`."""
    if re.search(r"[\s={}]", text):
        raise ValueError(f"needs one word without blanks, '=' or braces, not {quoted(text)}")
    return text


def vector(element: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """The reader of a vector, `{1, 2}` or `1,2`, with the reader of one element."""

    def read(text: str) -> list[Any]:
        inside = text[1:-1] if text.startswith("{") and text.endswith("}") else text
        if re.search(r"[{}\n]", inside) or (inside == text and re.search(r"\s", text)):
            raise ValueError(f"needs values with commas between them in braces, not {quoted(text)}")
        return [element(part.strip()) for part in inside.split(",")] if inside.strip() else []

    return read


def _text(text: str) -> str:
    return text


#: how values of a kind of setting are read
VALUES: dict[str, Callable[[str], Any]] = {
    "flag": flag,
    "mode": whole,
    "parm": real,
    "word": word,
    "fvec": vector(flag),
    "mvec": vector(whole),
    "pvec": vector(real),
    "wvec": vector(_text),
}


def on_mode(text: str) -> str:
    """Which of a particle's decays are on. Raises `ValueError`."""
    if text.lower() not in _ONMODES:
        raise ValueError(f"must be on, off or 0 to 3, not {quoted(text)}")
    return text


def codes(text: str) -> list[int]:
    """Codes of particles. Raises `ValueError`."""
    if not all(_WHOLE.fullmatch(part) for part in text.split()):
        raise ValueError(f"needs codes of particles with blanks between them, not {quoted(text)}")
    return [int(part) for part in text.split()]


def row(*elements: Callable[[str], Any], least: int = 1) -> Callable[[str], list[Any]]:
    """The reader of several values with blanks between them; the last element's reader serves what follows."""

    def read(text: str) -> list[Any]:
        parts = text.split()
        if len(parts) < least:
            raise ValueError(f"needs {least} or more values, not {quoted(text)}")
        readers = [*elements, *[elements[-1]] * len(parts)]
        return [reader(part) for reader, part in zip(readers, parts, strict=False)]

    return read


_PARTICLE_ROW = row(word, word, whole, whole, whole, real)
_CHANNEL_ROW = row(whole, real, whole, whole, least=3)
#: how properties of particles are read, names in small letters
PROPERTIES: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("m0", "mwidth", "mmin", "mmax", "tau0", "bratio", "rescalebr"), real),
    **dict.fromkeys(("spintype", "chargetype", "coltype", "memode"), whole),
    **dict.fromkeys(
        ("isresonance", "maydecay", "taucalc", "doexternaldecay", "varwidth", "isvisible", "doforcewidth"), flag
    ),
    **dict.fromkeys(("name", "antiname"), word),
    **dict.fromkeys(("names",), row(word, word)),
    **dict.fromkeys(("all", "new"), _PARTICLE_ROW),
    **dict.fromkeys(("onechannel", "addchannel"), _CHANNEL_ROW),
    "onmode": on_mode,
    "products": codes,
    **{
        f"{switch}{side}if{which}": codes
        for switch in ("on", "off")
        for side in ("", "pos", "neg")
        for which in ("any", "all", "match")
    },
}
