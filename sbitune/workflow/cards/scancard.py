"""Sections of cards whose events come from scans: measurements, generator, parameters, scan and selected bins."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError, naming_file
from sbitune.data.formats.selection import Rule, parse_rule, read_weights
from sbitune.data.parameter import Parameter
from sbitune.data.text.names import is_name
from sbitune.data.text.numbers import quoted
from sbitune.generators.config import GeneratorConfig, ParameterConfig, PythiaConfig, ScanConfig
from sbitune.workflow.cards.cardfile import CardFile


class ReferenceConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Measured data with what is known of their error sources; labels of sources may hold `*`, which is anything."""

    file: Annotated[
        str, msgspec.Meta(description="A YODA file, a directory of them, or the name of an embedded measurement.")
    ]
    independent: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description='Labels of the error sources that are independent from bin to bin; `["*"]` is all of them.'
        ),
    ] = ()
    shared: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Labels of the error sources that move all bins of an observable together."),
    ] = ()


class ScanCard(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a card says of its scan."""

    title: Annotated[str, msgspec.Meta(description="What is done with which data, in one line.")]
    reference: Annotated[
        tuple[str | ReferenceConfig, ...],
        msgspec.Meta(
            description="YODA files (relative to the card), directories of them, Apprentice's data JSON, or names of "
            "embedded measurements, or sections that also say which of their error sources are correlated; `sbitune "
            "scan` and `sbitune train` need none."
        ),
    ] = ()
    scan: Annotated[
        ScanConfig,
        msgspec.Meta(description="How the parameters are sampled, or a scan that exists."),
    ] = ScanConfig()
    generator: Annotated[
        GeneratorConfig | None,
        msgspec.Meta(description="Pythia, or a command. Without one an existing scan is fitted and not validated."),
    ] = None
    parameters: Annotated[
        dict[str, ParameterConfig],
        msgspec.Meta(
            description="Parameters by the generator's own names. For an existing scan those whose range is to be "
            "narrower than what its runs span; the others are taken as they are."
        ),
    ] = {}
    observables: Annotated[
        dict[str, float],
        msgspec.Meta(
            description="What enters the fit. Selector -> weight: `/ANALYSIS/d01-x01-y01`, `...#a:b` (bins), "
            "`...@lo:hi` (interval); the path is a regular expression matched at its start. The weight multiplies the "
            "residual, as in Professor."
        ),
    ] = {}
    weights: Annotated[
        str | None, msgspec.Meta(description="A Professor weight file, relative to the card, instead of `observables`.")
    ] = None


S = TypeVar("S", bound=ScanCard)


class ScanCardFile(CardFile[S], Generic[S], frozen=True):
    """A card with a scan, and the file that it stands in.

    Families that ask more of their scans say so in `need_scan`, `check_runs`, `check_ranges`, `check_measured` and
    `known_parameters`.
    """

    @property
    def unread(self) -> bool:
        """Whether the card names a scan that exists and was not read yet."""
        return self.card.scan.directory is not None and not (self.work / "scan.npz").is_file()

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

    @property
    def has_scan(self) -> bool:
        """Whether there is a scan at all."""
        return True

    def need_scan(self) -> None:
        """Raise `InputError` if the card has no scan."""

    def check_runs(self, runs: int, dimensions: int, where: str, more: str = "raise scan.runs") -> None:
        """Raise `InputError` if so many runs are too few for what is learnt from them; `more` says how to get more."""

    def check_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Raise `InputError` if the card asks for what is outside the ranges (low, high) of the parameters."""

    def check_measured(self, selected: Bins) -> None:
        """Raise `InputError` if the card asks for what the selected measured bins do not have."""

    def known_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are known before a scan is read, with the card's own defaults."""
        return parameters_of(self.card, {})

    def known_ranges(self) -> dict[str, tuple[float, float]]:
        """Ranges (low, high) of the parameters that are known before a scan is read."""
        return {p.name: (p.low, p.high) for p in self.known_parameters()}


def check_scan_card(loaded: ScanCardFile) -> None:
    """Check sections of a scan against one another.

    Raises:
        InputError: with the place in the card.
    """
    card, place = loaded.card, loaded.place
    if loaded.has_scan:
        _check_scan(loaded)
    for name, parameter in card.parameters.items():
        _check_parameter(loaded, name, parameter)
    if card.observables and card.weights is not None:
        raise InputError(
            f"{place('weights')}: give either observables or weights, not both", code="card-selection-twice"
        )
    if not card.observables and card.weights is None and card.reference:
        raise InputError(
            f"{loaded.path}: give either observables or weights: an empty selection leaves nothing to fit",
            code="card-selection-missing",
        )
    if card.observables:
        loaded.rules()
    if isinstance(card.generator, PythiaConfig):
        _check_lines(loaded, card.generator.settings)
    if isinstance(card.generator, PythiaConfig) and not card.generator.analyses:
        raise InputError(
            f"{place('generator', 'analyses')}: name at least one analysis (`sbitune ls analyses`)",
            code="card-analyses-missing",
        )


def _check_scan(loaded: ScanCardFile) -> None:
    card, place = loaded.card, loaded.place
    if card.scan.directory is not None:
        if card.scan.runs or card.scan.events:
            raise InputError(
                f"{place('scan')}: runs and events belong to a scan that is made; take them away or scan.directory",
                code="card-scan-made-and-read",
            )
        return
    if card.generator is None:
        raise InputError(
            f"{loaded.path}: give a generator, or an existing scan as scan.directory", code="card-generator-missing"
        )
    if not card.parameters:
        raise InputError(
            f"{place('parameters')}: give at least one parameter with low and high", code="card-parameters-missing"
        )
    for key in ("runs", "events"):
        if not getattr(card.scan, key):
            raise InputError(
                f"{place('scan', key)}: give the number of {key}, or an existing scan as scan.directory",
                code="card-scan-size-missing",
            )


def _check_lines(loaded: ScanCardFile, settings: Sequence[str]) -> None:
    """Refuse a setting that is more than a line: in files of settings it would write lines of its own."""
    for number, line in enumerate(settings):
        if not is_name(line.strip()):
            raise InputError(
                f"{loaded.place('generator', 'settings', number)}: {quoted(line)}: a line break, or another "
                "character that is not seen, in a setting; write one line for each",
                code="card-setting-lines",
            )


def _check_parameter(loaded: ScanCardFile, name: str, parameter: ParameterConfig) -> None:
    low, high = parameter.low, parameter.high
    where = loaded.place("parameters", name)
    if not name:
        raise InputError(f"{loaded.place('parameters')}: a parameter needs a name", code="card-parameter-unnamed")
    if not low < high:
        raise InputError(f"{where}: low {low:g} is not below high {high:g}", code="card-empty-range")
    for key in ("low", "high", "default"):
        value = getattr(parameter, key)
        if value is not None and not math.isfinite(value):
            raise InputError(
                f"{loaded.place('parameters', name, key)}: {value} is not a finite number", code="card-not-finite"
            )
    with naming_file(where):
        Parameter(name, low, high, parameter.default, parameter.unit)


def parameters_of(card: ScanCard, defaults: dict[str, float]) -> tuple[Parameter, ...]:
    """The parameters with their ranges; a default in the card wins over the generator's own."""
    return tuple(
        Parameter(name, p.low, p.high, p.default if p.default is not None else defaults.get(name), p.unit)
        for name, p in card.parameters.items()
    )
