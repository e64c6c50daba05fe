"""The run card: everything that determines a tune, in one file."""

from pathlib import Path
from typing import Annotated

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.scan import Parameter
from sbitune.data.selection import Rule, read_weights, rules_from_mapping
from sbitune.fitting.config import FitConfig
from sbitune.generators.config import GeneratorConfig, ParameterConfig, PythiaConfig, ScanConfig
from sbitune.tuning.surrogates.config import PolynomialConfig, SurrogateConfig
from sbitune.tuning.yamlfile import read_card


class ValidationConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Runs of the generator at the tune and, for comparison, at the values before it."""

    events: Annotated[int, msgspec.Meta(ge=1)] = 50_000
    """Events at each of the two points."""
    split: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Number of runs with different seeds that share the events of a point and are merged."""


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A tuning card."""

    title: str
    """What is tuned to what, in one line."""
    scan: ScanConfig
    """How the parameters are sampled, or a scan that exists."""
    reference: tuple[str, ...]
    """YODA files (relative to the card), directories of them, or names of embedded measurements."""
    generator: GeneratorConfig | None = None
    """Pythia, or a command. Without one an existing scan is fitted and not validated."""
    parameters: dict[str, ParameterConfig] = {}
    """Parameters by the generator's own names. For an existing scan the default is all of its parameters, in the range
    that its runs span."""
    observables: dict[str, float] = {}
    """Selector -> weight: `/ANALYSIS/d01-x01-y01`, `...#a:b` (bins), `...@lo:hi` (interval); the path is a regular
    expression matched at its start. The weight multiplies the residual, as in Professor."""
    weights: str | None = None
    """A Professor weight file, relative to the card, instead of `observables`."""
    surrogate: SurrogateConfig = PolynomialConfig()
    """How every bin's response is learnt."""
    fit: FitConfig = FitConfig()
    """How the parameters are fitted."""
    validation: ValidationConfig = ValidationConfig()
    """Runs at the answer."""


class LoadedCard(msgspec.Struct, frozen=True):
    """A card with the place it was read from."""

    card: Card
    path: Path

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

    def rules(self) -> tuple[Rule, ...]:
        """The selected bins with their weights, in the order of the card."""
        if self.card.weights is not None:
            return read_weights(self.directory / self.card.weights)
        return rules_from_mapping(self.card.observables, f"{self.path}: observables")


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
    path = path.resolve()
    card = read_card(path, Card)
    _check(card, path)
    return LoadedCard(card, path)


def _check(card: Card, path: Path) -> None:
    if card.scan.directory is None:
        _check_runs(card, path)
    elif card.scan.runs or card.scan.events:
        raise InputError(
            f"{path}: scan: runs and events belong to a scan that is made; take them away or scan.directory"
        )
    for name, parameter in card.parameters.items():
        if not parameter.low < parameter.high:
            raise InputError(f"{path}: parameters.{name}: low {parameter.low:g} is not below high {parameter.high:g}")
    if bool(card.observables) == (card.weights is not None):
        raise InputError(f"{path}: give either observables or weights: an empty selection leaves nothing to fit")
    for kind in ("limits", "fixed"):
        for name in getattr(card.fit, kind):
            if card.parameters and name not in card.parameters:
                raise InputError(
                    f"{path}: fit.{kind}.{name}: no such parameter; there are {', '.join(card.parameters)}"
                )
    if isinstance(card.generator, PythiaConfig) and not card.generator.analyses:
        raise InputError(f"{path}: generator.analyses: name at least one analysis (`sbitune ls analyses`)")


def _check_runs(card: Card, path: Path) -> None:
    if card.generator is None:
        raise InputError(f"{path}: give a generator, or an existing scan as scan.directory")
    if not card.parameters:
        raise InputError(f"{path}: parameters: give at least one parameter with low and high")
    for key in ("runs", "events"):
        if not getattr(card.scan, key):
            raise InputError(f"{path}: scan.{key}: give the number of {key}, or an existing scan as scan.directory")


def parameters_of(card: Card, defaults: dict[str, float]) -> tuple[Parameter, ...]:
    """The parameters with their ranges; a default in the card wins over the generator's own."""
    return tuple(
        Parameter(name, p.low, p.high, p.default if p.default is not None else defaults.get(name), p.unit)
        for name, p in card.parameters.items()
    )
