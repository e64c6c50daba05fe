"""`sbitune ls`: what there is."""

from pathlib import Path

import click

from sbitune.cli.common import Figures, TerminalReporter, reports


@click.command("ls")
@click.argument("what")
@click.argument("pattern", default="")
@reports
def command(reporter: TerminalReporter, what: str, pattern: str) -> Figures:
    """List `analyses`, embedded `measurements`, Pythia's `settings` that begin with PATTERN, or the content of a YODA
    file, a scan or a card's directory.

    Example: sbitune ls settings StringZ
    """
    if what == "analyses":
        from sbitune.generators.observables import available, load

        return {"analyses": {name: load(name).description for name in available() if pattern in name}}
    if what == "measurements":
        return {"measurements": _measurements(pattern)}
    if what == "settings":
        return {"settings": _settings(pattern)}
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


def _content(place: str, pattern: str) -> Figures:
    from sbitune.data import yoda
    from sbitune.tuning.scanning import load_scan

    path = Path(place)
    if path.is_file() and path.name.endswith((".yoda", ".yoda.gz")):
        objects = yoda.read(path, lambda name: pattern in name)
        return {"objects": {name: type(item).__name__ for name, item in objects.items()}}
    scan = load_scan(place)
    bins = scan.bins
    return {
        "runs": len(scan.runs),
        "parameters": {p.name: f"{p.low:g} to {p.high:g}" for p in scan.parameters},
        "observables": {path: f"{len(bins.of(path))} bins" for path in bins.paths() if pattern in path},
    }
