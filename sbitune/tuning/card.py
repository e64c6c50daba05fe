"""The run card: everything that determines a tune, in one file."""

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from sbitune.data.errors import InputError, naming_file
from sbitune.data.names import is_name
from sbitune.data.numbers import quoted
from sbitune.data.scan import Parameter
from sbitune.data.selection import Rule, parse_rule, read_weights
from sbitune.fitting.config import FitConfig
from sbitune.fitting.frame import ROUNDED
from sbitune.generators.config import EventCount, GeneratorConfig, ParameterConfig, PythiaConfig, ScanConfig
from sbitune.tuning.surrogates.config import AutoConfig, SurrogateConfig
from sbitune.tuning.yamlfile import Places, read_with_places

#: entries of a card, at most: a thousand analyses have fewer, and these are read in a second
MOST_ENTRIES = 50_000


class ValidationConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Runs of the generator at the tune and, for comparison, at the values before it."""

    events: EventCount = 50_000
    """Events at each of the two points."""
    split: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """Number of runs with different seeds that share the events of a point and are merged."""


class FileConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="file"):
    """A surrogate that is there already; nothing is run or trained, and `scan` and `parameters` are left out."""

    path: str
    """surrogate.npz of `sbitune train`, or an `ipol.dat` of Professor, relative to the card."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "file"


class ReferenceConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Measured data with what is known of their error sources; labels of sources may hold `*`, which is anything."""

    file: str
    """A YODA file, a directory of them, or the name of an embedded measurement."""
    independent: tuple[str, ...] = ()
    """Labels of the error sources that are independent from bin to bin; `["*"]` is all of them."""
    shared: tuple[str, ...] = ()
    """Labels of the error sources that move all bins of an observable together."""


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A tuning card."""

    title: str
    """What is tuned to what, in one line."""
    reference: tuple[str | ReferenceConfig, ...] = ()
    """YODA files (relative to the card), directories of them, Apprentice's data JSON, or names of embedded
    measurements, or sections that also say which of their error sources are correlated; `sbitune scan` and `sbitune
    train` need none."""
    scan: ScanConfig = ScanConfig()
    """How the parameters are sampled, or a scan that exists; needed unless the surrogate is one that exists."""
    generator: GeneratorConfig | None = None
    """Pythia, or a command. Without one an existing scan is fitted and not validated."""
    parameters: dict[str, ParameterConfig] = {}
    """Parameters by the generator's own names. For an existing scan those whose range is to be narrower than what its
    runs span; the others are taken as they are."""
    observables: dict[str, float] = {}
    """What enters the fit. Selector -> weight: `/ANALYSIS/d01-x01-y01`, `...#a:b` (bins), `...@lo:hi` (interval); the
    path is a regular expression matched at its start. The weight multiplies the residual, as in Professor."""
    weights: str | None = None
    """A Professor weight file, relative to the card, instead of `observables`."""
    surrogate: SurrogateConfig | FileConfig = AutoConfig()
    """How every bin's response is learnt, or a surrogate that exists."""
    fit: FitConfig = FitConfig()
    """How the parameters are fitted."""
    validation: ValidationConfig = ValidationConfig()
    """Runs at the answer."""


class LoadedCard(msgspec.Struct, frozen=True):
    """A card with the place it was read from."""

    card: Card
    path: Path
    lines: dict[tuple[str | int, ...], int] = {}
    """Steps to a key -> line in the file, from 1."""

    @property
    def directory(self) -> Path:
        """Where the card lies and the results go."""
        return self.path.parent

    @property
    def work(self) -> Path:
        """Where runs and the trained surrogate are kept."""
        return self.output("work")

    def output(self, name: str) -> Path:
        """Where a result goes: beside the card; cards of other names than `card.yaml` put their own before it."""
        return self.directory / (name if self.path.name == "card.yaml" else f"{self.path.stem}.{name}")

    @property
    def stored(self) -> Path | None:
        """The file of the surrogate, if the card names one in place of a scan."""
        surrogate = self.card.surrogate
        return self.directory / surrogate.path if isinstance(surrogate, FileConfig) else None

    @property
    def unread(self) -> bool:
        """Whether the card names a scan that exists and was not read yet."""
        return self.card.scan.directory is not None and not (self.work / "scan.npz").is_file()

    @property
    def learnt(self) -> SurrogateConfig:
        """What is to be trained. Raises `InputError` if the card names a surrogate's file: it has no runs then."""
        surrogate = self.card.surrogate
        if isinstance(surrogate, FileConfig):
            raise InputError(
                f"{self.place('surrogate', 'path')}: this needs the runs of a scan, of which a surrogate that is read "
                "from a file knows nothing; name the scan and the kind of surrogate instead"
            )
        return surrogate

    def place(self, *steps: str | int) -> str:
        """Where a key stands, for messages: `place("scan", "runs")` gives `card.yaml:10: scan.runs`."""
        return Places(self.path, self.lines)(*steps)

    def rules(self) -> tuple[Rule, ...]:
        """The selected bins with their weights, in the order of the card.

        Raises:
            InputError: for a selector or weight file that cannot be read.
        """
        if self.card.weights is not None:
            try:
                return read_weights(self.directory / self.card.weights)
            except InputError as error:
                raise InputError(f"{self.place('weights')}: {error}") from error
        return tuple(
            parse_rule(selector, weight, self.place("observables", selector))
            for selector, weight in self.card.observables.items()
        )


def load_card(place: str | Path) -> LoadedCard:
    """Read a card, given as a file or as the directory that holds `card.yaml`.

    Raises:
        InputError: naming file, line and key of whatever is wrong with it.
    """
    path = Path(place)
    if path.is_dir():
        path = path / "card.yaml"
    if not path.is_file():
        raise InputError(f"{path}: no such card; give a card or a directory with a card.yaml")
    card, places = read_with_places(path.resolve(), Card, most=MOST_ENTRIES)
    loaded = LoadedCard(card, places.path, dict(places.lines))
    _check(loaded)
    return loaded


def _check(loaded: LoadedCard) -> None:
    card, place = loaded.card, loaded.place
    if loaded.stored is not None:
        _check_stored(loaded)
    elif card.scan.directory is None:
        _check_runs(loaded)
    elif card.scan.runs or card.scan.events:
        raise InputError(
            f"{place('scan')}: runs and events belong to a scan that is made; take them away or scan.directory"
        )
    for name, parameter in card.parameters.items():
        _check_parameter(loaded, name, parameter)
    if card.observables and card.weights is not None:
        raise InputError(f"{place('weights')}: give either observables or weights, not both")
    if not card.observables and card.weights is None and card.reference:
        raise InputError(f"{loaded.path}: give either observables or weights: an empty selection leaves nothing to fit")
    if card.observables:
        loaded.rules()
    if isinstance(card.generator, PythiaConfig):
        _check_lines(loaded, card.generator.settings)
    if isinstance(card.generator, PythiaConfig) and not card.generator.analyses:
        raise InputError(f"{place('generator', 'analyses')}: name at least one analysis (`sbitune ls analyses`)")
    _check_fit(loaded)


def _check_lines(loaded: LoadedCard, settings: Sequence[str]) -> None:
    """Refuse a setting that is more than a line: in files of settings it would write lines of its own."""
    for number, line in enumerate(settings):
        if not is_name(line.strip()):
            raise InputError(
                f"{loaded.place('generator', 'settings', number)}: {quoted(line)}: a line break, or another "
                "character that is not seen, in a setting; write one line for each"
            )


def _check_parameter(loaded: LoadedCard, name: str, parameter: ParameterConfig) -> None:
    low, high = parameter.low, parameter.high
    where = loaded.place("parameters", name)
    if not name:
        raise InputError(f"{loaded.place('parameters')}: a parameter needs a name")
    if not low < high:
        raise InputError(f"{where}: low {low:g} is not below high {high:g}")
    for key in ("low", "high", "default"):
        value = getattr(parameter, key)
        if value is not None and not math.isfinite(value):
            raise InputError(f"{loaded.place('parameters', name, key)}: {value} is not a finite number")
    with naming_file(where):
        Parameter(name, low, high, parameter.default, parameter.unit)


def _check_fit(loaded: LoadedCard) -> None:
    card = loaded.card
    # a scan that exists may have more parameters than the card names
    check_limits(loaded, {name: (p.low, p.high) for name, p in card.parameters.items()} if card.scan.runs else {})
    if not math.isfinite(card.fit.student_dof):
        raise InputError(f"{loaded.place('fit', 'student_dof')}: it is not finite; `loss: gauss` is its limit")
    for name, error in card.fit.theory_error.items():
        if error != "fitted" and not math.isfinite(error):
            raise InputError(f"{loaded.place('fit', 'theory_error', name)}: {error} is no error; it must be finite")


def check_limits(loaded: LoadedCard, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Compare the limits and fixed values of the fit with the ranges (low, high) of the parameters, before anything is
    run or learnt: with those of the card or, as soon as they are known, of a scan that exists. Without ranges only what
    needs none is checked.

    Raises:
        InputError: with the place in the card, for a name that is no parameter, an interval that is empty or not inside
            the range, or if all parameters are fixed.
    """
    fit = loaded.card.fit
    for name, ends in fit.limits.items():
        where = loaded.place("fit", "limits", name)
        _check_inside(where, name, ends, ranges)
        if not ends[0] < ends[1]:
            raise InputError(f"{where}: {ends[0]:g} is not below {ends[1]:g}")
    for name, value in fit.fixed.items():
        _check_inside(loaded.place("fit", "fixed", name), name, (value,), ranges)
    if ranges and set(ranges) <= set(fit.fixed):
        raise InputError(f"{loaded.place('fit', 'fixed')}: every parameter is fixed; nothing is left to fit")


def _check_inside(where: str, name: str, values: tuple[float, ...], ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse an unknown name, and values that are not inside the range of the parameter."""
    if ranges and name not in ranges:
        near = difflib.get_close_matches(name, ranges, n=1)
        hint = f"did you mean {near[0]}? There" if near else "there"
        raise InputError(f"{where}: no such parameter; {hint} are {', '.join(ranges)}")
    words = ", ".join(f"{value:g}" for value in values)
    words = f"[{words}]" if len(values) > 1 else words
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"{where}: {words} is not finite")
    low, high = ranges.get(name, (-math.inf, math.inf))
    slack = ROUNDED * (high - low)  # ends are printed with six digits
    if not low - slack <= min(values) <= max(values) <= high + slack:
        raise InputError(f"{where}: {words} is not inside the parameter's range [{low:g}, {high:g}]")


def _check_stored(loaded: LoadedCard) -> None:
    """Refuse what a surrogate's file decides."""
    card, place = loaded.card, loaded.place
    for key in ("runs", "events", "directory", "extra"):
        if getattr(card.scan, key):
            raise InputError(
                f"{place('scan', key)}: nothing is run or read where the surrogate is that of a file; take scan.{key} "
                "away, or name another kind of surrogate"
            )
    if card.parameters:
        raise InputError(
            f"{place('parameters')}: a surrogate's file has its parameters and ranges; take them away, and narrow the "
            "ranges with fit.limits"
        )


def _check_runs(loaded: LoadedCard) -> None:
    card, place = loaded.card, loaded.place
    if card.generator is None:
        raise InputError(f"{loaded.path}: give a generator, or an existing scan as scan.directory")
    if not card.parameters:
        raise InputError(f"{place('parameters')}: give at least one parameter with low and high")
    for key in ("runs", "events"):
        if not getattr(card.scan, key):
            raise InputError(f"{place('scan', key)}: give the number of {key}, or an existing scan as scan.directory")


def parameters_of(card: Card, defaults: dict[str, float]) -> tuple[Parameter, ...]:
    """The parameters with their ranges; a default in the card wins over the generator's own."""
    return tuple(
        Parameter(name, p.low, p.high, p.default if p.default is not None else defaults.get(name), p.unit)
        for name, p in card.parameters.items()
    )
