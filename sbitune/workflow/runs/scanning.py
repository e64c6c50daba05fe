"""From a card to a scan: the points, the runs, and their histograms in one array."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from sbitune.data.errors import InputError, naming, naming_file
from sbitune.data.formats import mcnntunes
from sbitune.data.formats.apprentice import read_scan as read_apprentice
from sbitune.data.formats.professor import Reading, collect, read_runs
from sbitune.data.formats.recognition import HDF5, layout_of
from sbitune.data.formats.selection import weights_of
from sbitune.data.parameter import Parameter
from sbitune.data.reference import Reference
from sbitune.data.reporting import QUIET, LeftOut, Reporter, Telling
from sbitune.data.scan import Scan
from sbitune.data.storage.files import plain_file
from sbitune.data.text.names import list_names, nearest
from sbitune.data.text.numbers import quoted
from sbitune.generators.campaigns.campaign import run_campaign
from sbitune.generators.command import check_command, read_templates
from sbitune.generators.config import CommandConfig
from sbitune.generators.designs import run_names
from sbitune.generators.templates import RULES
from sbitune.workflow.cards.scancard import ScanCardFile, parameters_of
from sbitune.workflow.opening import open_scan_card
from sbitune.workflow.results.findings import Noting
from sbitune.workflow.runs.binning import check_measured
from sbitune.workflow.runs.checking import check_scan, undone_settings, with_defaults
from sbitune.workflow.runs.effects import check_effects
from sbitune.workflow.runs.notes import SCAN, check_scan_note, write_scan_note
from sbitune.workflow.runs.origins import changed_runs, hash_scan_files, is_inside
from sbitune.workflow.runs.settling import settle_scan
from sbitune.workflow.runs.tasks import design, means, tasks_at
from sbitune.workflow.stages import StaleError, writing


def make_scan(loaded: ScanCardFile, reporter: Reporter = QUIET, own_analyses: bool = True) -> Scan:
    """Make (or complete) the scan of a card and write it to `work/scan.npz`.

    Args:
        loaded: the card, which the user has named: it may import the Python files of its own analyses.
        reporter: receives what is done.
        own_analyses: of a scan that is read, whether these files are imported for checks; where events are made they
            must be.

    Raises:
        InputError: for a card that cannot work, before anything is run, and for a parameter that changes no event.
        ComputationError: if runs failed and the card does not say to drop them.
    """
    card = loaded.card
    loaded.need_scan()
    parameters, reference, _ = check_scan(loaded, own_analyses or card.scan.directory is None)
    reporter = Noting(reporter)
    reporter.note(undone_settings(loaded))
    if card.scan.directory is not None:
        if card.scan.extra is not None:
            raise InputError(
                f"{loaded.place('scan', 'extra')}: extra runs belong to a scan that is made", code="card-extra-points"
            )
        with naming(loaded.place("scan", "directory")):
            read_from = hash_scan_files(loaded)  # before it is read: what changes meanwhile is read again
        return _settled(loaded, _existing(loaded, parameters, reporter), reference, reporter, read_from)
    _tell_rules(loaded, reporter)
    points = design(loaded)
    check_effects(loaded, reporter)
    tasks = tasks_at(loaded, list(card.parameters), points, list(run_names(len(points))), card.scan.events)
    how = means(card)._replace(place=loaded.place("generator", "settings"))
    made = run_campaign(tasks, loaded.work / "scan", how, partial(reporter.progress, "runs"))
    if made.unchecked:
        reporter.say(
            f"{made.unchecked} runs were made by an older sbitune, which kept no hashes of their files: that they are "
            "what they were could not be checked; from now on it is"
        )
    for name, reason in made.failures.items():
        reporter.say(LeftOut(f"run {name} failed: {reason}"))
    return _settled(loaded, _collect(loaded, made.runs, parameters, reporter), reference, reporter)


def _tell_rules(loaded: ScanCardFile, reporter: Reporter) -> None:
    """Say by which tool's rule templates are filled, if that is not sbitune's own."""
    generator = loaded.card.generator
    if isinstance(generator, CommandConfig):
        for one in read_templates(generator, list(loaded.card.parameters), loaded.directory, loaded.place):
            if one.rule != "plain":
                reporter.say(f"template {one.name}: {RULES[one.rule]}; `generator.template_rule` says another")


def _settled(
    loaded: ScanCardFile,
    scan: Scan,
    reference: Reference | None,
    reporter: Noting,
    read_from: dict[str, str] | None = None,
) -> Scan:
    """The scan as it is kept: examined, and compared with the measured bins."""
    if reference is not None:
        check_measured(loaded, scan.bins, reference.bins)
    scan, found = settle_scan(loaded, scan, reporter)
    with writing(loaded):
        scan.save(loaded.work / SCAN)
        write_scan_note(loaded, found, read_from)
    return scan


def _existing(loaded: ScanCardFile, parameters: tuple[Parameter, ...], reporter: Reporter) -> Scan:
    """Read the scan that the card points to, its selected bins and, if the card names some, its parameters."""
    scan = loaded.card.scan
    reading = Reading(loaded.rules(), scan.bad_runs, scan.bad_bins, tell=reporter.say, weight=scan.weight)
    with naming(loaded.place("scan", "directory")):
        found = load_scan(loaded.directory / str(scan.directory), reading, asked_by=loaded.path)
    names = [p.name for p in found.parameters]
    named = {p.name: p for p in parameters}
    for name in named:
        if name not in names:
            raise InputError(
                f"{loaded.place('parameters', name)}: the scan has no such parameter{nearest(name, names)}",
                code="card-parameter-unknown",
            )
        _check_range(loaded, named[name], found, names.index(name))
    # in the order of the card, if that has all of them
    order = [names.index(name) for name in named] if len(named) == len(names) else list(range(len(names)))
    others = {p.name: p for p in with_defaults(loaded, found.parameters)}
    settled = tuple((others | named)[names[column]] for column in order)
    if isinstance(loaded.card.generator, CommandConfig):
        check_command(loaded.card.generator, names, loaded.directory, loaded.place)
    return replace(found, parameters=settled, theta=found.theta[:, order], known_copies=None)


def _scan_of_data(loaded: ScanCardFile, asked_by: Path) -> Scan:
    """The scan of a card that another card names, as it is or as it is read from the card's own directory.

    Raises:
        InputError: if the card is the one that asks, or names files outside its directory.
    """
    if loaded.path.samefile(asked_by):
        raise InputError(
            f"{loaded.directory} is the card's own directory; name one that holds a scan", code="card-own-directory"
        )
    if not loaded.unread:
        return stored_scan(loaded)
    card = loaded.card
    for key, name in (("scan.directory", card.scan.directory), ("weights", card.weights)):
        if name is not None and not is_inside(loaded.directory, name):
            raise InputError(
                f"{loaded.path}: {key}: {quoted(name)} is no file inside the directory of this card, which is read "
                "here as a scan: name the files themselves, or read them first with `sbitune scan` of that card",
                code="card-leads-outside",
            )
    if isinstance(card.generator, CommandConfig):  # its files are none of the scan
        loaded = msgspec.structs.replace(loaded, card=msgspec.structs.replace(card, generator=None))
    return _existing(loaded, parameters_of(card, {}), QUIET)


def _check_range(loaded: ScanCardFile, parameter: Parameter, found: Scan, column: int) -> None:
    """Refuse a range beyond that of an existing scan: there its runs teach nothing.

    Where the scan does not tell the range that its points were drawn from, this is what they span and a little more: n
    points leave 1/n of a range free at an end on average, and 5/n in e^-5 of all cases.
    """
    span, known = found.theta[:, column], found.parameters[column]
    slack = min(5 / len(span), 0.1) * np.ptp(span)
    low, high = min(known.low, span.min() - slack), max(known.high, span.max() + slack)
    if parameter.low < low or parameter.high > high:
        raise InputError(
            f"{loaded.place('parameters', parameter.name)}: [{parameter.low:g}, {parameter.high:g}] is wider than the "
            f"scan, whose runs span [{span.min():.6g}, {span.max():.6g}]; take a range inside, or leave the "
            "parameter out to take the scan's",
            code="card-outside-range",
        )


def stored_scan(loaded: ScanCardFile, reporter: Reporter = QUIET) -> Scan:
    """Read the scan that `make_scan` left.

    The reporter is told of runs of the card whose files are not what they left: the scan has what they were.

    Raises:
        StaleError: if it is damaged, not what the card asks for by now, or not what it was read from.
        InputError: if it is not there, or does not allow the card's limits and fixed values of the fit.
    """
    path, again = loaded.work / SCAN, f"run `sbitune scan {loaded.path}` again"
    if not path.is_file():
        raise InputError(f"{path}: not made yet; run `sbitune scan {loaded.path}` first")
    try:
        scan = Scan.load(path)
    except InputError as error:
        raise StaleError(f"{error}; {again}") from error
    card = {name: (p.low, p.high) for name, p in loaded.card.parameters.items()}
    made = [(p.name, (p.low, p.high)) for p in scan.parameters]
    partly = loaded.card.scan.directory is not None and set(card.items()) <= set(made) and len(card) < len(made)
    if card and not partly and list(card.items()) != made:
        raise StaleError(f"{path}: the card's parameters have changed; {again}")
    check_scan_note(loaded)
    loaded.check_ranges({p.name: (p.low, p.high) for p in scan.parameters})
    if loaded.card.scan.directory is None:
        _tell_changed_runs(loaded, scan, reporter)
    return scan


def _tell_changed_runs(loaded: ScanCardFile, scan: Scan, reporter: Reporter) -> None:
    directory = loaded.work / "scan"
    changed = changed_runs(directory, scan.runs)
    if changed:
        reporter.say(
            f"{directory}: files of {len(changed)} of {len(scan.runs)} runs were damaged, changed or replaced since "
            f"the scan was made of them: {list_names(changed)}; {loaded.work / SCAN} holds what they were and is used. "
            f"Delete the directories of these runs and start `sbitune scan {loaded.path}`, and they are made again"
        )


def scan_at_hand(loaded: ScanCardFile, reporter: Reporter = QUIET) -> Scan:
    """The scan of `stored_scan`; one that the card names is read first if it was not yet. If what was read is damaged
    or stale it is read again, and the reporter is told why. Raises as `make_scan` and `stored_scan` do.
    """
    if not loaded.unread:
        try:
            return stored_scan(loaded, reporter)
        except StaleError as error:
            if loaded.card.scan.directory is None:
                raise
            why = str(error).rpartition("; run `")[0]  # what is done here
            reporter.say(f"the scan is read again: {why}")
    return make_scan(loaded, reporter, own_analyses=False)


def _collect(loaded: ScanCardFile, runs: list[Path], parameters: tuple[Parameter, ...], reporter: Reporter) -> Scan:
    scan = loaded.card.scan
    how = {"tell": reporter.say, "weight": scan.weight}
    reading = Reading(loaded.rules(), scan.bad_runs, scan.bad_bins, made_here=True, **how)
    return collect(runs, parameters, reading, lambda done, total: reporter.progress("histograms", done, total))


def _tell_of_nothing_to_drop(place: Path, reading: Reading) -> None:
    """Say where `bad_runs` and `bad_bins` do nothing: what sbitune has written holds sound runs and bins alone."""
    asked = [name for name in ("bad_runs", "bad_bins") if getattr(reading, name) == "drop"]
    if asked:
        reading.tell(
            f"{' and '.join(asked)}: drop does nothing for {place}: a scan that was read once has no fault; what is "
            "left out is decided where it is made"
        )


def _selected(scan: Scan, reading: Reading) -> Scan:
    return scan.take_bins(weights_of(scan.bins, reading.rules) > 0) if reading.rules else scan


def load_scan(place: str | Path, reading: Reading = Reading(), asked_by: Path | None = None) -> Scan:
    """Read a scan from what there is: `scan.npz`, an Apprentice HDF5 file, or a directory: of a card, of runs, of
    MCNNTunes' files, or one that holds one of the files.

    Args:
        place: named by the user, or by a card.
        reading: which bins, and what is done about faults.
        asked_by: the card that names the place. The scan of another card there is data: nothing of it is run or
            imported, it leads to nothing outside its own directory, and nothing is written there.

    Raises:
        InputError: if the place holds none of these.
    """
    path = Path(place)
    if path.is_dir():
        return _load_directory(path, reading, asked_by)
    if not path.is_file():
        raise InputError(f"scan {path}: no such file or directory", code="scan-absent")
    with naming_file(path):
        if path.suffix == ".npz":
            _tell_of_nothing_to_drop(path, reading)
            return _selected(Scan.load(path), reading)
        if path.suffix in HDF5:
            if reading.bad_bins == reading.bad_runs == "drop":
                reading.tell(
                    f"bad_runs: drop does nothing for {path}: numbers that are no number take their bins along"
                )
            drop = "bins" if reading.bad_bins == "drop" else "runs" if reading.bad_runs == "drop" else None
            return _selected(read_apprentice(path, drop_bad=drop, tell=reading.tell), reading)
    raise InputError(
        f"scan {path}: expected a scan.npz, an Apprentice .h5 file, or a directory of runs or of MCNNTunes' YODA files",
        code="scan-unknown-format",
    )


def _load_directory(path: Path, reading: Reading, asked_by: Path | None) -> Scan:
    layout = layout_of(path)
    if layout == "card":
        loaded = open_scan_card(path)
        loaded.need_scan()
        _tell_of_nothing_to_drop(loaded.path, reading)
        found = scan_at_hand(loaded, Telling(reading.tell)) if asked_by is None else _scan_of_data(loaded, asked_by)
        return _selected(found, reading)
    with naming_file(path):
        if layout == "runs":
            return read_runs(path, reading=reading)
        if layout == "mcnntunes":
            return mcnntunes.read_scan(path, reading=reading)
    return load_scan(plain_file(layout, path, "scan"), reading)
