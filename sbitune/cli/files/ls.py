"""`sbitune ls`: what there is."""

from pathlib import Path
from typing import Any

import click

from sbitune.cli.shared.cards import card_figures, scan_figures
from sbitune.cli.shared.common import Figures, Said, TerminalReporter, reports
from sbitune.cli.shared.listing import (
    key_row,
    matching,
    observable_rows,
    range_rows,
    setting_row,
    title_of,
)


@click.command("ls")
@click.argument("what")
@click.argument("patterns", metavar="[FAMILY] [PATTERN]", nargs=-1)
@reports
def command(reporter: TerminalReporter, what: str, patterns: tuple[str, ...]) -> Figures:
    """List `analyses`, `columns` of events, embedded `measurements`, Pythia's `settings` that begin with PATTERN, the
    keys of a `card` (of a tune, or of the FAMILY that is named), or the content of a measurement, a YODA file, a scan,
    a card or its directory, a surrogate.npz, a table of events, or Professor's ipol.dat, results.txt, weight, limits
    and parameter files. PATTERN is a part of the names.

    Example: sbitune ls settings StringZ
    """
    family, pattern = _family_and_pattern(what, patterns)
    if what == "analyses":
        from sbitune.generators.observables import available, load

        names = matching({name: name for name in available()}, pattern, "analysis")
        return {"analyses": {name: load(name).description for name in names}}
    if what == "columns":
        return {"columns": _columns(pattern)}
    if what == "measurements":
        return {"measurements": _measurements(pattern)}
    if what == "settings":
        return {"settings": _settings(pattern)}
    if what == "card":
        return _card_keys(family, pattern)
    return _content(what, pattern, reporter)


def _columns(pattern: str) -> dict[str, Said]:
    from sbitune.generators.columns import available_columns, load_columns

    rows = {}
    for name in available_columns():
        a_set = load_columns(name)
        rows[name] = Said(a_set.description, description=a_set.description)
        for column, info in a_set.columns.items():
            words = f"{info.description}{f' ({info.unit})' if info.unit else ''}"
            rows[f"{name}.{column}"] = Said(words, description=info.description, unit=info.unit)
        if a_set.subset is not None:
            words = f"flag: {a_set.subset.description}"
            rows[f"{name}.{a_set.subset.flag}"] = Said(words, description=a_set.subset.description)
    return matching(rows, pattern, "set of columns")


def _measurements(pattern: str) -> dict[str, Said]:
    from sbitune.data import measured

    rows = {}
    for name in matching({name: name for name in measured.names()}, pattern, "measurement"):
        count, citation = len(measured.load(name)), measured.citation(name)
        rows[name] = Said(f"{count} histograms; {citation}", histograms=count, citation=citation)
    return rows


def _settings(pattern: str) -> dict[str, Said]:
    from sbitune.data.errors import InputError
    from sbitune.data.text.names import nearest
    from sbitune.generators.pythia8.catalogue import Catalogue

    catalogue = Catalogue()
    every = catalogue.beginning_with("")
    found = catalogue.beginning_with(pattern) or [s for s in every if pattern.lower() in s.name.lower()]
    if not found:
        names = [setting.name for setting in every]
        groups = [] if ":" in pattern else [name.split(":")[0] for name in names]
        raise InputError(
            f"ls settings: no setting of Pythia has {pattern!r} in its name{nearest(pattern, groups + names)}"
        )
    return {setting.name: setting_row(setting) for setting in found}


def _family_and_pattern(what: str, patterns: tuple[str, ...]) -> tuple[str, str]:
    """The family whose cards are meant, and a part of the names."""
    if what == "card" and patterns:
        from sbitune.workflow.families import FAMILIES, family_named

        if patterns[0] in FAMILIES or len(patterns) > 1:
            return family_named(patterns[0]).name, _only_one(patterns[1:])
    return "tune", _only_one(patterns)


def _only_one(patterns: tuple[str, ...]) -> str:
    if len(patterns) > 1:
        raise click.UsageError(f"one PATTERN at most, {len(patterns)} were given: {' '.join(patterns)}")
    return patterns[0] if patterns else ""


def _card_keys(family: str, pattern: str) -> Figures:
    from sbitune.data.errors import InputError
    from sbitune.data.text.names import nearest
    from sbitune.workflow.cards.documentation import card_sections
    from sbitune.workflow.families import family_named

    found, every = {}, []
    for section, keys in card_sections(family_named(family).card_type).items():
        named = {key.name: key_row(key) for key in keys if pattern in f"{section}.{key.name}"}
        found |= {section: named} if named else {}
        every += [f"{section}.{key.name}" for key in keys]
    if not found:
        raise InputError(f"ls card: no key of a card has {pattern!r} in its name{nearest(pattern, every)}")
    return found


def _content(place: str, pattern: str, reporter: TerminalReporter) -> Figures:
    from sbitune.data import measured
    from sbitune.data.errors import InputError
    from sbitune.data.formats.professor import Reading
    from sbitune.data.reference import read_reference
    from sbitune.workflow.opening import is_card
    from sbitune.workflow.runs.scanning import load_scan

    path = Path(place)
    if path.is_file() and path.name.endswith((".yoda", ".yoda.gz")):
        return {"objects": _objects(path, pattern)}
    if not path.exists() and place in measured.names():
        bins = read_reference([place]).bins
        return {"citation": measured.citation(place), "observables": observable_rows(bins, pattern, {})}
    if not path.exists():
        raise InputError(
            f"{place}: no such file or directory, and none of `analyses`, `columns`, `measurements`, `settings`, "
            "`card` or the measurements' names"
        )
    if is_card(path):
        return card_figures(path, pattern, reporter)
    if (other := _other_file(path, pattern)) is not None:
        return other
    try:
        return scan_figures(load_scan(place), {}, pattern)
    except InputError as error:  # to look at a scan with faults is no fault: it is shown with what is wrong
        told = [str(error)]
        try:
            scan = load_scan(place, Reading((), "drop", "drop", tell=lambda text: _note(told, text)))
        except InputError:
            raise error from None
    return scan_figures(scan, {}, pattern, told)


def _note(told: list[str], text: str) -> None:
    """Keep what a reader says of faults; that it was told to drop them was no wish of the user's."""
    if not text.startswith("bad_"):
        told.append(text)


def _other_file(path: Path, pattern: str) -> Figures | None:
    """The content of a file that is neither YODA nor a scan; None for these."""
    from sbitune.data.formats.recognition import recognise

    kind = recognise(path)
    if kind in ("surrogate", "ipol"):
        from sbitune.tuning.tools.models import open_model

        opened = open_model(path)
        return {
            "kind": kind,
            **_about(opened),
            "parameters": range_rows(opened.model.parameters),
            "observables": observable_rows(opened.model.bins, pattern, {}),
        }
    readers = {
        "result": _result, "results": _results, "weights": _weights, "limits": _limits, "parameters": _values,
        "data": _data, "events": _events,
    }  # fmt: skip
    return {"kind": kind, **readers[kind](path, pattern)} if kind in readers else None


def _about(opened: Any) -> Figures:
    """Kind or orders of a surrogate and, where its file tells, from how many runs it learnt."""
    about: Figures = opened.model.listed()
    return about | ({"runs": len(opened.runs)} if opened.runs else {})


def _result(path: Path, pattern: str) -> Figures:
    from sbitune.tuning.record.figures import of_fit
    from sbitune.tuning.record.result import read_record

    return of_fit(read_record(path))


def _results(path: Path, pattern: str) -> Figures:
    from sbitune.data.formats.professor_results import read_result

    result = read_result(path)
    found: Figures = {"chi2": result.gof, "ndf": result.ndof, "chi2_unit": result.unit_gof}
    rows = {
        name: {"value": value} | ({"error": result.errors[name]} if name in result.errors else {"status": "fixed"})
        for name, value in matching(result.values, pattern, "parameter").items()
    }
    return {key: value for key, value in found.items() if value is not None} | {"parameters": rows}


def _weights(path: Path, pattern: str) -> Figures:
    from sbitune.data.formats.selection import read_weights

    rules = read_weights(path)
    chosen = matching({rule.path: rule for rule in rules}, pattern, "rule")
    return {"rules": [_rule(rule) for rule in rules if rule.path in chosen]}


def _rule(rule: Any) -> str:
    bins = "" if rule.first is None and rule.last is None else f", bins by {rule.by} {rule.first} to {rule.last}"
    extra = f", extra error {rule.extra_error:g}{' of the value' if rule.relative else ''}" if rule.extra_error else ""
    return f"{rule.path}: weight {rule.weight:g}{bins}{extra}"


def _limits(path: Path, pattern: str) -> Figures:
    from sbitune.data.formats.parameters import read_limits

    ranges, fixed = read_limits(path)
    rows = {name: Said(f"{low:g} to {high:g}", low=low, high=high) for name, (low, high) in ranges.items()}
    rows |= {name: Said(f"fixed at {value:g}", fixed=value) for name, value in fixed.items()}
    return {"parameters": matching(rows, pattern, "parameter")}


def _values(path: Path, pattern: str) -> Figures:
    from sbitune.data.formats.parameters import read_values

    return {"parameters": matching(read_values(path), pattern, "parameter")}


def _data(path: Path, pattern: str) -> Figures:
    from sbitune.data.formats.apprentice import read_data

    labels, values, errors = read_data(path)
    rows = {
        label: Said(f"{value:g} +- {error:g}", value=value, error=error)
        for label, value, error in zip(labels, values, errors, strict=True)
    }
    return {"bins": matching(rows, pattern, "bin")}


def _events(path: Path, pattern: str) -> Figures:
    from sbitune.data.events import describe_table
    from sbitune.data.events.tables.plan import spell_form

    found = describe_table(path)
    rows = {name: form.fault or spell_form(form) for name, form in found.columns.items()}
    return {"events": found.n_events, "columns": matching(rows, pattern, "column")}


def _objects(path: Path, pattern: str) -> dict[str, str]:
    from sbitune.data import yoda

    names: list[str] = []
    objects = yoda.read(path, lambda name: names.append(name) or pattern in name)
    matching(dict.fromkeys(names), pattern, "object")
    rows = {}
    for name, item in objects.items():
        title = title_of(name, {name: str(item.annotations.get("Title") or "")})
        rows[name] = type(item).__name__ + (f", {title}" if title else "")
    return rows
