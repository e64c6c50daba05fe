"""From a card to a scan: the points, the runs, and their histograms in one array."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sbitune.data.apprentice import read_scan as read_apprentice
from sbitune.data.errors import InputError
from sbitune.data.paths import analysis_of
from sbitune.data.professor import RECORD, Reading, collect, read_runs
from sbitune.data.reference import Reference, read_reference
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Parameter, Scan
from sbitune.data.selection import weights_of
from sbitune.generators.campaign import Means, run_campaign
from sbitune.generators.command import check_command
from sbitune.generators.config import PythiaConfig
from sbitune.generators.designs import run_names, run_seed, stretch, unit_points
from sbitune.generators.pythia import check_ranges, check_settings
from sbitune.generators.runs import Task
from sbitune.tuning.card import Card, LoadedCard, load_card, parameters_of


def check(loaded: LoadedCard) -> tuple[tuple[Parameter, ...], Reference]:
    """Check all that can be checked before the first event; gives the parameters and the measured data.

    Raises:
        InputError: for settings, ranges, templates, references or observables that cannot work.
    """
    card = loaded.card
    reference = read_reference(card.reference, loaded.directory)
    weights = weights_of(reference.bins, loaded.rules())
    if not np.any(weights > 0):
        raise InputError(f"{loaded.path}: observables: every weight is 0; nothing is left to fit")
    return parameters_of(card, _check_generator(loaded, reference, weights)), reference


def _check_generator(loaded: LoadedCard, reference: Reference, weights: np.ndarray) -> dict[str, float]:
    """Check what is to be run; gives the parameters' values before tuning."""
    card = loaded.card
    ranges = {name: (p.low, p.high) for name, p in card.parameters.items()}
    if isinstance(card.generator, PythiaConfig):
        check_settings(card.generator.settings)
        _check_analyses(loaded, reference, weights)
        return check_ranges(ranges, card.generator.settings)
    if card.generator is not None:
        check_command(card.generator, ranges, loaded.directory)
    return {}


def _check_analyses(loaded: LoadedCard, reference: Reference, weights: np.ndarray) -> None:
    from sbitune.generators.observables import load, register

    card = loaded.card
    assert isinstance(card.generator, PythiaConfig)
    for name in card.generator.analysis_files:
        register(loaded.directory / name)
    for name in card.generator.analyses:
        load(name)
    for path in reference.bins.take(np.flatnonzero(weights > 0)).paths():
        if analysis_of(path) not in card.generator.analyses:
            raise InputError(
                f"observable {path}: its analysis is not run; add {analysis_of(path)} to generator.analyses"
            )


def design(card: Card) -> np.ndarray:
    """(n_runs, n_parameters) points of the scan, in the generator's units."""
    u = unit_points(card.scan.design, card.scan.runs, len(card.parameters), card.scan.seed)
    columns = [
        stretch(u[:, i], p.low, p.high, p.bias, f"parameters.{name}.bias")
        for i, (name, p) in enumerate(card.parameters.items())
    ]
    return np.stack(columns, axis=1)


def tasks_at(
    loaded: LoadedCard, parameters: Sequence[str], points: np.ndarray, names: list[str], events: int, stream: int = 0
) -> list[Task]:
    """Runs to be made at given points (n, n_parameters) of the named parameters, with seeds from the card's."""
    card = loaded.card
    assert card.generator is not None
    return [
        Task(
            name=name,
            generator=card.generator,
            values={key: float(x) for key, x in zip(parameters, theta, strict=True)},
            events=events,
            seed=run_seed(card.scan.seed, number, stream),
            card=str(loaded.directory),
        )
        for number, (name, theta) in enumerate(zip(names, points, strict=True))
    ]


def means(card: Card) -> Means:
    """How the card wants its runs to be made."""
    scan = card.scan
    return Means(scan.workers, scan.time_limit, scan.scheduler, scan.bad_runs == "drop")


def make_scan(loaded: LoadedCard, reporter: Reporter = QUIET) -> Scan:
    """Make (or complete) the scan of a card and write it to `work/scan.npz`.

    Raises:
        InputError: for a card that cannot work, before anything is run.
        ComputationError: if runs failed and the card does not say to drop them.
    """
    card = loaded.card
    parameters, _ = check(loaded)
    if card.scan.directory is not None:
        scan = _existing(loaded, parameters, reporter)
        scan.save(loaded.work / "scan.npz")
        return scan
    tasks = tasks_at(loaded, list(card.parameters), design(card), list(run_names(card.scan.runs)), card.scan.events)
    made = run_campaign(
        tasks, loaded.work / "scan", means(card), lambda done, total: reporter.progress("runs", done, total)
    )
    for name, reason in made.failures.items():
        reporter.say(f"left out: run {name} failed: {reason}")
    scan = _collect(loaded, made.runs, parameters, reporter)
    scan.save(loaded.work / "scan.npz")
    return scan


def _existing(loaded: LoadedCard, parameters: tuple[Parameter, ...], reporter: Reporter) -> Scan:
    """Read the scan that the card points to, its selected bins and, if the card names some, its parameters."""
    scan = loaded.card.scan
    reading = Reading(loaded.rules(), scan.bad_runs, scan.bad_bins, tell=reporter.say)
    found = load_scan(loaded.directory / str(scan.directory), reading)
    if not parameters:
        return _with_defaults(loaded, found)
    names = [p.name for p in found.parameters]
    if sorted(names) != sorted(p.name for p in parameters):
        raise InputError(
            f"{loaded.path}: parameters: the scan has {', '.join(names)}, the card "
            f"{', '.join(p.name for p in parameters)}; name all of them, or none to take the range that the runs span"
        )
    order = [names.index(p.name) for p in parameters]
    return replace(found, parameters=parameters, theta=found.theta[:, order])


def _with_defaults(loaded: LoadedCard, scan: Scan) -> Scan:
    """Fill in the values before tuning, which Pythia knows."""
    generator = loaded.card.generator
    if not isinstance(generator, PythiaConfig):
        return scan
    defaults = check_ranges({p.name: (p.low, p.high) for p in scan.parameters}, generator.settings)
    return replace(scan, parameters=tuple(replace(p, default=defaults[p.name]) for p in scan.parameters))


def stored_scan(loaded: LoadedCard) -> Scan:
    """Read the scan that `make_scan` left.

    Raises:
        InputError: if it is not there, or the card's parameters are not those it was made with.
    """
    path = loaded.work / "scan.npz"
    if not path.is_file():
        raise InputError(f"{path}: not made yet; run `sbitune scan {loaded.path}` first")
    scan = Scan.load(path)
    card = {name: (p.low, p.high) for name, p in loaded.card.parameters.items()}
    if card and list(card.items()) != [(p.name, (p.low, p.high)) for p in scan.parameters]:
        raise InputError(f"{path}: the card's parameters have changed; run `sbitune scan {loaded.path}` again")
    return scan


def _collect(loaded: LoadedCard, runs: list[Path], parameters: tuple[Parameter, ...], reporter: Reporter) -> Scan:
    scan = loaded.card.scan
    reading = Reading(loaded.rules(), scan.bad_runs, scan.bad_bins, tell=reporter.say)
    return collect(runs, parameters, reading, lambda done, total: reporter.progress("histograms", done, total))


def timing(directory: Path, runs: Sequence[str]) -> dict[str, float]:
    """Events and seconds of generation and analysis, added up over the named runs of a campaign.

    `timed` counts the events that the latter two are of: all but the first batch of a run.
    """
    sums = {"events": 0.0, "cpu_seconds": 0.0, "generation": 0.0, "analysis": 0.0, "timed": 0.0}
    for record in (directory / run / RECORD for run in runs):
        content = json.loads(record.read_text())
        sums["events"] += content["events"]
        sums["cpu_seconds"] += content["cpu_seconds"]
        for part, seconds in content.get("seconds", {}).items():
            sums["timed" if part == "events" else part] += seconds
    return sums


def _selected(scan: Scan, reading: Reading) -> Scan:
    return scan.take_bins(weights_of(scan.bins, reading.rules) > 0) if reading.rules else scan


def load_scan(place: str | Path, reading: Reading = Reading()) -> Scan:
    """Read a scan from what there is: `scan.npz`, an Apprentice HDF5 file, a directory of runs, or a card's directory.

    Raises:
        InputError: if the place holds none of these.
    """
    path = Path(place)
    if path.is_dir() and (path / "card.yaml").is_file():
        return _selected(stored_scan(load_card(path)), reading)
    if path.is_dir():
        return read_runs(path, reading=reading)
    if not path.is_file():
        raise InputError(f"scan {path}: no such file or directory")
    if path.suffix == ".npz":
        return _selected(Scan.load(path), reading)
    if path.suffix in (".h5", ".hdf5"):
        drop = "bins" if reading.bad_bins == "drop" else "runs" if reading.bad_runs == "drop" else None
        return _selected(read_apprentice(path, drop_bad=drop), reading)
    raise InputError(f"scan {path}: expected a directory of runs, a scan.npz or an Apprentice .h5 file")
