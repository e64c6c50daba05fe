"""Rows of `sbitune ls`: numbers for `--json`, one line of words for a terminal."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sbitune.cli.shared.common import Said

if TYPE_CHECKING:
    from sbitune.data.bins import Bins
    from sbitune.data.parameter import Parameter
    from sbitune.workflow.cards.documentation import Key
    from sbitune.workflow.cards.scancard import ScanCardFile

T = TypeVar("T")


def matching(rows: Mapping[str, T], pattern: str, what: str) -> dict[str, T]:
    """The rows whose names have the pattern in them. Raises `InputError` with the nearest names if there is none."""
    from sbitune.data.errors import InputError
    from sbitune.data.text.names import nearest

    found = {name: row for name, row in rows.items() if pattern in name}
    if pattern and not found:
        raise InputError(f"ls: no {what} has {pattern!r} in its name{nearest(pattern, rows)}")
    return found


def setting_row(setting: Any) -> Said:
    """One of Pythia's settings."""
    limits = "" if setting.low is None and setting.high is None else f", range [{setting.low}, {setting.high}]"
    words = f"{setting.kind}, default {setting.default}{limits}"
    return Said(words, kind=setting.kind, default=setting.default, low=setting.low, high=setting.high)


def key_row(key: "Key") -> Said:
    """A key of a card."""
    figures = {"type": key.type, "required": key.required, "default": key.value, "low": key.low, "high": key.high}
    return Said(str(key), **figures, excluded=key.excluded, text=key.text)


def range_rows(parameters: Iterable["Parameter"]) -> dict[str, Said]:
    """Parameters with their ranges and, if it is known, the value before tuning."""
    rows = {}
    for p in parameters:
        default = "" if p.default is None else f", default {p.default:g}"
        rows[p.name] = Said(f"{p.low:g} to {p.high:g}{default}", low=p.low, high=p.high, default=p.default)
    return rows


def observable_rows(bins: "Bins", pattern: str, titles: Mapping[str, str]) -> dict[str, Said]:
    """Observables with the number of their bins and, if it is known, their title; and where what an analysis fills is
    not what was measured, a note.
    """
    rows = {}
    for path in matching({path: path for path in bins.paths()}, pattern, "observable"):
        n, title, note = len(bins.of(path)), title_of(path, titles), _annotation(path, "Note")
        words = f"{n} bin{'s' if n > 1 else ''}{f', {title}' if title else ''}{f' ({note})' if note else ''}"
        rows[path] = Said(words, bins=n, title=title, **({"note": note} if note else {}))
    return rows


def titles_of_card(loaded: "ScanCardFile") -> dict[str, str]:
    """Titles in the reference data of a card; none where its data are not there."""
    from sbitune.data.errors import InputError
    from sbitune.workflow.runs.checking import reference_of

    with contextlib.suppress(InputError):
        return titles_in(reference_of(loaded))
    return {}


def titles_in(reference: Any) -> dict[str, str]:
    """Titles of measured data, by path."""
    return {path: label["Title"] for path, label in reference.labels.items() if "Title" in label}


def title_of(path: str, titles: Mapping[str, str] = {}) -> str | None:
    """The title of an observable: the one given, else that of the embedded measurement; None if there is none."""
    from sbitune.data.text.paths import reference_key

    title = titles.get(path) or titles.get(reference_key(path)) or _annotation(path, "Title")
    return " ".join(title.split()) if title else None


def _annotation(path: str, key: str) -> str:
    """What the embedded measurement of an observable says under `key`; nothing if there is none."""
    from sbitune.data import measured
    from sbitune.data.text.paths import analysis_of, reference_key

    analysis = analysis_of(path)
    if analysis not in measured.names() or path.startswith("/RAW"):
        return ""
    item = measured.load(analysis).get(f"/REF{reference_key(path)}")
    return "" if item is None else str(item.annotations.get(key) or "")
