"""`sbitune ls`: what there is."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sbitune.cli.common import Figures, TerminalReporter, reports

if TYPE_CHECKING:
    from sbitune.data.bins import Bins


@click.command("ls")
@click.argument("what")
@click.argument("pattern", default="")
@reports
def command(reporter: TerminalReporter, what: str, pattern: str) -> Figures:
    """List `analyses`, embedded `measurements`, Pythia's `settings` that begin with PATTERN, the keys of a `card`, or
    the content of a measurement, a YODA file, a scan, a card's directory, a surrogate.npz, or Professor's ipol.dat,
    results.txt, weight, limits and parameter files. PATTERN is a part of the names.

    Example: sbitune ls settings StringZ
    """
    if what == "analyses":
        from sbitune.generators.observables import available, load

        return {"analyses": {name: load(name).description for name in available() if pattern in name}}
    if what == "measurements":
        return {"measurements": _measurements(pattern)}
    if what == "settings":
        return {"settings": _settings(pattern)}
    if what == "card":
        return _card_keys(pattern)
    return _content(what, pattern)


def _measurements(pattern: str) -> dict[str, str]:
    from sbitune.data import measured

    return {
        name: f"{len(measured.load(name))} histograms; {measured.citation(name)}"
        for name in measured.names()
        if pattern in name
    }


def _settings(pattern: str) -> dict[str, str]:
    from sbitune.generators.catalogue import Catalogue

    rows = {}
    for setting in Catalogue().beginning_with(pattern):
        limits = "" if setting.low is None and setting.high is None else f", range [{setting.low}, {setting.high}]"
        rows[setting.name] = f"{setting.kind}, default {setting.default}{limits}"
    return rows


def _card_keys(pattern: str) -> Figures:
    from sbitune.data.errors import InputError
    from sbitune.tuning.carddoc import card_sections

    found = {}
    for section, keys in card_sections().items():
        named = {key.name: str(key) for key in keys if pattern in f"{section}.{key.name}"}
        found |= {section: named} if named else {}
    if not found:
        raise InputError(f"ls card: no key of a card has {pattern!r} in its name")
    return found


def _content(place: str, pattern: str) -> Figures:
    from sbitune.data import measured
    from sbitune.data.errors import InputError
    from sbitune.data.examination import examine
    from sbitune.data.reference import read_reference
    from sbitune.tuning.scanning import load_scan

    path = Path(place)
    if path.is_file() and path.name.endswith((".yoda", ".yoda.gz")):
        return {"objects": _objects(path, pattern)}
    if not path.exists() and place in measured.names():
        bins = read_reference([place]).bins
        return {"citation": measured.citation(place), "observables": _observables(bins, pattern, {})}
    if not path.exists():
        raise InputError(
            f"{place}: no such file or directory, and none of `analyses`, `measurements`, `settings`, `card` or the "
            "measurements' names"
        )
    if (other := _other_file(path, pattern)) is not None:
        return other
    scan = load_scan(place)
    found = {"found": [str(finding) for finding in examine(scan)]}
    return {
        "runs": len(scan.runs),
        "parameters": {p.name: f"{p.low:g} to {p.high:g}" for p in scan.parameters},
        "observables": _observables(scan.bins, pattern, _titles_of_card(path)),
    } | (found if found["found"] else {})


def _other_file(path: Path, pattern: str) -> Figures | None:
    """The content of a file that is neither YODA nor a scan; None for these."""
    from sbitune.data.formats import recognise

    kind = recognise(path)
    if kind in ("surrogate", "ipol"):
        from sbitune.tuning.models import open_model

        model = open_model(path).model
        return {
            "kind": kind,
            **_orders(model),
            "parameters": {p.name: f"{p.low:g} to {p.high:g}" for p in model.parameters},
            "observables": _observables(model.bins, pattern, {}),
        }
    readers = {
        "result": _result, "results": _results, "weights": _weights, "limits": _limits, "parameters": _values,
        "data": _data,
    }  # fmt: skip
    return {"kind": kind, **readers[kind](path, pattern)} if kind in readers else None


def _orders(model: Any) -> Figures:
    from sbitune.tuning.surrogates.ipol import IpolSurrogate

    if not isinstance(model, IpolSurrogate):
        return {"surrogate": type(model).__name__.removesuffix("Surrogate").lower()}
    value, error = model.interpolation.orders.max(axis=0).tolist()
    return {"order": value, "error_order": error if error >= 0 else None, "runs": len(model.interpolation.runs)}


def _result(path: Path, pattern: str) -> Figures:
    from sbitune.cli.figures import of_fit
    from sbitune.tuning.record import read_record

    return of_fit(read_record(path))


def _results(path: Path, pattern: str) -> Figures:
    from sbitune.data.professor_results import read_result

    result = read_result(path)
    found: Figures = {"chi2": result.gof, "ndf": result.ndof, "chi2_unit": result.unit_gof}
    rows = {
        name: {"value": value} | ({"error": result.errors[name]} if name in result.errors else {"status": "fixed"})
        for name, value in result.values.items()
        if pattern in name
    }
    return {key: value for key, value in found.items() if value is not None} | {"parameters": rows}


def _weights(path: Path, pattern: str) -> Figures:
    from sbitune.data.selection import read_weights

    rules = [rule for rule in read_weights(path) if pattern in rule.path]
    return {"rules": [_rule(rule) for rule in rules]}


def _rule(rule: Any) -> str:
    bins = "" if rule.first is None and rule.last is None else f", bins by {rule.by} {rule.first} to {rule.last}"
    extra = f", extra error {rule.extra_error:g}{' of the value' if rule.relative else ''}" if rule.extra_error else ""
    return f"{rule.path}: weight {rule.weight:g}{bins}{extra}"


def _limits(path: Path, pattern: str) -> Figures:
    from sbitune.data.parameters import read_limits

    ranges, fixed = read_limits(path)
    words = {name: f"{low:g} to {high:g}" for name, (low, high) in ranges.items()}
    words |= {name: f"fixed at {value:g}" for name, value in fixed.items()}
    return {"parameters": {name: text for name, text in words.items() if pattern in name}}


def _values(path: Path, pattern: str) -> Figures:
    from sbitune.data.parameters import read_values

    return {"parameters": {name: value for name, value in read_values(path).items() if pattern in name}}


def _data(path: Path, pattern: str) -> Figures:
    from sbitune.data.apprentice import read_data

    labels, values, errors = read_data(path)
    rows = zip(labels, values, errors, strict=True)
    return {"bins": {label: f"{value:g} +- {error:g}" for label, value, error in rows if pattern in label}}


def _objects(path: Path, pattern: str) -> dict[str, str]:
    from sbitune.data import yoda

    objects = yoda.read(path, lambda name: pattern in name)
    return {
        name: type(item).__name__ + _title(name, {name: str(item.annotations.get("Title") or "")})
        for name, item in objects.items()
    }


def _observables(bins: "Bins", pattern: str, titles: Mapping[str, str]) -> dict[str, str]:
    counts = {path: len(bins.of(path)) for path in bins.paths() if pattern in path}
    return {path: f"{n} bin{'s' if n > 1 else ''}{_title(path, titles)}" for path, n in counts.items()}


def _titles_of_card(place: Path) -> dict[str, str]:
    """Titles in the reference data of a card's directory; none where there is no card, or its data are not there."""
    from sbitune.data.errors import InputError
    from sbitune.data.reference import read_reference
    from sbitune.tuning.card import load_card

    if not (place / "card.yaml").is_file():
        return {}
    with contextlib.suppress(InputError):
        loaded = load_card(place)
        labels = read_reference(loaded.card.reference, loaded.directory).labels
        return {path: label["Title"] for path, label in labels.items() if "Title" in label}
    return {}


def _title(path: str, titles: Mapping[str, str]) -> str:
    """The title of an observable behind a comma: the one given, else that of the embedded measurement."""
    from sbitune.data import measured
    from sbitune.data.paths import analysis_of, reference_key

    key, analysis = reference_key(path), analysis_of(path)
    title = titles.get(path) or titles.get(key)
    if not title and analysis in measured.names() and not path.startswith("/RAW"):
        item = measured.load(analysis).get(f"/REF{key}")
        title = str(item.annotations.get("Title") or "") if item is not None else ""
    return f", {' '.join(title.split())}" if title else ""
