"""What can be known of a card before the first event: whatever cannot work is refused here, with its place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sbitune.data.checks.examination import Finding
from sbitune.data.error_sources import Opinion
from sbitune.data.errors import InputError, naming
from sbitune.data.formats.parameters import read_points
from sbitune.data.formats.selection import wanted_by, weights_of
from sbitune.data.parameter import Parameter
from sbitune.data.reference import Reference, Source, read_reference
from sbitune.generators.command import check_command
from sbitune.generators.config import PythiaConfig
from sbitune.generators.pythia8.catalogue import Beams, Catalogue, check_ranges
from sbitune.generators.pythia8.lines import check_settings, find_undone
from sbitune.workflow.cards.scancard import ScanCardFile, parameters_of
from sbitune.workflow.runs.binning import check_coverage, check_rules, check_rules_of_scan
from sbitune.workflow.runs.booked import Booked, book


class Checked(NamedTuple):
    """What was found when a card was checked."""

    parameters: tuple[Parameter, ...]
    reference: Reference | None  #: None: the card names none
    booked: Booked | None  #: None: what the generator fills is not known before it runs


def check(loaded: ScanCardFile) -> tuple[tuple[Parameter, ...], Reference]:
    """Check all that can be checked of a card with measured data before the first event; gives parameters and data.

    Raises:
        InputError: as `check_scan`, and for a card without a reference.
    """
    need_reference(loaded)
    checked = check_scan(loaded, own_analyses=True)
    assert checked.reference is not None
    return checked.parameters, checked.reference


def need_reference(loaded: ScanCardFile) -> None:
    """Raise `InputError` if the card names no measured data."""
    if not loaded.card.reference:
        raise InputError(
            f"{loaded.place('reference')}: give the measured data to fit to (YODA files, or names of `sbitune ls "
            "measurements`); without them there is no more than `sbitune scan` and `sbitune train`",
            code="card-reference-missing",
        )


def check_scan(loaded: ScanCardFile, own_analyses: bool = False) -> Checked:
    """Check all that can be checked before the first event of a scan. It may be made without measured data, to see what
    an analysis gives, and then have any number of runs.

    Args:
        loaded: the card.
        own_analyses: import the Python files that the card names as `generator.analysis_files`: only for a card that
            the user has named, and where events are made or analysed. Else what they fill is not known.

    Raises:
        InputError: for settings, ranges, templates, analyses, references or observables that cannot work, and for
            fewer runs than what is learnt from them needs.
    """
    reference = reference_of(loaded) if loaded.card.reference else None
    before, booked = _check_generator(loaded, own_analyses)
    if reference is not None:
        check_rules(loaded, reference.bins, booked)
        loaded.check_measured(reference.bins.take(np.flatnonzero(weights_of(reference.bins, loaded.rules()) > 0)))
        if booked is not None:
            check_coverage(loaded, reference.bins, booked)
        if loaded.card.scan.directory is None and loaded.has_scan:
            runs = loaded.card.scan.runs + len(extra_points(loaded))
            loaded.check_runs(runs, len(loaded.card.parameters), loaded.place("scan", "runs"))
    elif booked is not None:
        check_rules_of_scan(loaded, booked)
    return Checked(parameters_of(loaded.card, before), reference, booked)


def reference_of(loaded: ScanCardFile) -> Reference:
    """Read the measured data of a card. Raises `InputError` with the place in the card of the source that is wrong."""
    need_reference(loaded)
    sources = [_source(loaded, number) for number in range(len(loaded.card.reference))]
    wants = wanted_by(loaded.rules())
    try:
        return read_reference(sources, loaded.directory, wants)
    except InputError as error:
        for number, source in enumerate(sources):  # which of them it was
            with naming(loaded.place("reference", number)):
                read_reference([source], loaded.directory, wants)
        raise InputError(f"{loaded.place('reference')}: {error}") from error


def _source(loaded: ScanCardFile, number: int) -> Source:
    """One entry of `reference`."""
    entry = loaded.card.reference[number]
    if isinstance(entry, str):
        return Source(entry)
    return Source(entry.file, Opinion(entry.independent, entry.shared, f"the card says so: reference[{number}]"))


def _check_generator(loaded: ScanCardFile, own_analyses: bool) -> tuple[dict[str, float], Booked | None]:
    """Check what is to be run; gives the generator's own values of parameters and, if that can be known, the bins."""
    card = loaded.card
    ranges = {} if card.generator is None else loaded.known_ranges()
    if isinstance(card.generator, PythiaConfig):
        catalogue = check_settings(card.generator.settings, loaded.place)
        defaults = {name: p.default for name, p in card.parameters.items() if p.default is not None}
        before = check_ranges(ranges, catalogue, loaded.place, defaults)
        return before, _check_analyses(loaded, catalogue, own_analyses)
    if card.generator is not None and card.scan.directory is None:
        check_command(card.generator, ranges, loaded.directory, loaded.place)
    return {}, None


def undone_settings(loaded: ScanCardFile) -> list[Finding]:
    """Lines of Pythia's settings that later ones undo."""
    generator = loaded.card.generator
    if not isinstance(generator, PythiaConfig):
        return []
    kind = "settings undone by later ones"
    done = "Pythia takes lines in their order: put it behind, or take it away"
    return [Finding(kind, words, (), done) for words in find_undone(generator.settings, loaded.place)]


def with_defaults(loaded: ScanCardFile, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Fill in the generator's own values, which Pythia knows.

    Raises `InputError` for a parameter that it does not know, or a range beyond its own.
    """
    generator = loaded.card.generator
    if not isinstance(generator, PythiaConfig):
        return parameters
    ranges = {p.name: (p.low, p.high) for p in parameters}
    defaults = check_ranges(ranges, check_settings(generator.settings, loaded.place), loaded.place)
    return tuple(replace(p, default=defaults[p.name]) for p in parameters)


def _check_analyses(loaded: ScanCardFile, catalogue: Catalogue, own_analyses: bool) -> Booked | None:
    """Compare the analyses with the beams at both ends of the ranges; book what they fill at the settings' energy."""
    generator = loaded.card.generator
    assert isinstance(generator, PythiaConfig)
    names = _known_analyses(loaded, own_analyses)
    _check_columns(loaded, own_analyses, catalogue.beams())
    beams = catalogue.beams()
    if beams is None:
        return None
    _check_beams(loaded, names, beams)
    for end in ("low", "high"):  # an energy may be varied, too
        for name, parameter in loaded.card.parameters.items():
            if name.lower().startswith("beams:"):
                catalogue.read(f"{name} = {getattr(parameter, end)!r}", loaded.place("parameters", name, end))
        _check_beams(loaded, names, catalogue.beams() or beams)
    if len(names) < len(generator.analyses):
        return None
    booked = Booked.nothing(beams)
    for number, name in names.items():
        with naming(loaded.place("generator", "analyses", number)):
            booked = booked.joined(book(name, beams))
    return booked


def _known_analyses(loaded: ScanCardFile, own_analyses: bool) -> dict[int, str]:
    """Number in the card -> name of the analyses that can be looked at: without those of the user's own files, unless
    these may be imported.
    """
    from sbitune.generators.columns import register_file
    from sbitune.generators.observables import available, load

    generator, place = loaded.card.generator, loaded.place
    assert isinstance(generator, PythiaConfig)
    for number, name in enumerate(generator.analysis_files):
        with naming(place("generator", "analysis_files", number)):
            if own_analyses:
                register_file(loaded.directory / name)
            elif not (loaded.directory / name).is_file():
                raise InputError(f"analysis file {loaded.directory / name}: no such Python file", code="analysis-file")
    of_files = bool(generator.analysis_files) and not own_analyses
    names = {i: name for i, name in enumerate(generator.analyses) if not (of_files and name not in available())}
    for number, name in names.items():
        with naming(place("generator", "analyses", number)):
            load(name)
    return names


def _check_columns(loaded: ScanCardFile, own_columns: bool, beams: Beams | None) -> None:
    """Refuse columns that there are not, or not for these beams; those of the user's own files, unless these may be
    imported, are not known.
    """
    generator = loaded.card.generator
    assert isinstance(generator, PythiaConfig)
    if not generator.columns:
        return
    from sbitune.data.events import Origin
    from sbitune.data.events.tables.parquet_table import import_pyarrow
    from sbitune.generators.columns import ColumnsRun, available_columns, load_columns

    of_files = bool(generator.analysis_files) and not own_columns
    known = {i: name for i, name in enumerate(generator.columns) if not of_files or name in available_columns()}
    for number, name in known.items():
        with naming(loaded.place("generator", "columns", number)):
            a_set = load_columns(name)
            if beams is not None:
                a_set.check_beams(beams.codes)
    with naming(loaded.place("generator", "columns")):
        import_pyarrow()
        ColumnsRun(list(known.values()), Origin())


def _check_beams(loaded: ScanCardFile, names: Mapping[int, str], beams: Beams) -> None:
    from sbitune.generators.observables import load

    remedy = "; change Beams:idA, Beams:idB and Beams:eCM in generator.settings, or take the analysis away"
    for number, name in names.items():
        with naming(loaded.place("generator", "analyses", number), remedy):
            load(name).window(beams.codes, beams.energy)


def extra_points(loaded: ScanCardFile) -> np.ndarray:
    """(n, n_parameters) points that the card adds to its design, in the order of its parameters; none without a file.

    Raises:
        InputError: with file and line, for other parameters than the card's or a point outside the box.
    """
    parameters = loaded.card.parameters
    if loaded.card.scan.extra is None:
        return np.empty((0, len(parameters)))
    path = loaded.directory / loaded.card.scan.extra
    with naming(loaded.place("scan", "extra")):
        table = read_points(path)
        if sorted(table.names) != sorted(parameters):
            raise InputError(
                f"{path}: points of {', '.join(table.names)}; the card has {', '.join(parameters)}",
                code="card-extra-points",
            )
        points = table.points[:, [table.names.index(name) for name in parameters]]
        for line, point in zip(table.lines, points, strict=True):
            for (name, p), value in zip(parameters.items(), point, strict=True):
                if not p.low <= value <= p.high:
                    raise InputError(
                        f"{path}:{line}: {name} = {value:g} is not inside [{p.low:g}, {p.high:g}]",
                        code="card-extra-points",
                    )
    return points
