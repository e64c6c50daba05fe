"""The card of a posterior: simulations with their parameters, a prior, and an observation."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from sbitune.data.errors import InputError, naming
from sbitune.ratios.posteriors.config import DensityConfig, RatioConfig
from sbitune.ratios.posteriors.prior import Normal, Prior, Shape, Uniform, make_prior
from sbitune.workflow.cards.cardfile import CardFile, read_card_file
from sbitune.workflow.cards.yamlfile import Parsed

FAMILY = "posteriors"
Positive = Annotated[float, msgspec.Meta(gt=0)]


class PriorConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The prior of a parameter: uniform from `low` to `high`, or Gaussian with `mean` and `deviation`."""

    low: Annotated[float | None, msgspec.Meta(description="Lower end of a uniform prior.")] = None
    high: Annotated[float | None, msgspec.Meta(description="Its upper end.")] = None
    mean: Annotated[float | None, msgspec.Meta(description="Mean of a Gaussian prior.")] = None
    deviation: Annotated[Positive | None, msgspec.Meta(description="Its standard deviation.")] = None
    unit: Annotated[str, msgspec.Meta(description="Unit for axes and tables.")] = ""

    def __post_init__(self) -> None:
        given = [name for name in ("low", "high", "mean", "deviation") if getattr(self, name) is not None]
        if given not in (["low", "high"], ["mean", "deviation"]):
            raise ValueError("a prior has `low` and `high`, or `mean` and `deviation`")

    @property
    def shape(self) -> Shape:
        """As `make_prior` takes it."""
        if self.low is not None and self.high is not None:
            return Uniform(self.low, self.high)
        assert self.mean is not None
        assert self.deviation is not None
        return Normal(self.mean, self.deviation)


class ChecksConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the posterior is judged, on simulations that no network has seen."""

    held: Annotated[
        float, msgspec.Meta(ge=0.01, le=0.5, description="Part of the simulations that no network sees.")
    ] = 0.1
    pairs: Annotated[
        int, msgspec.Meta(ge=0, le=100_000, description="Held simulations whose posteriors are sampled; 0 for none.")
    ] = 200
    draws: Annotated[int, msgspec.Meta(ge=20, le=100_000, description="Draws from each of these posteriors.")] = 200
    permutations: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=10_000,
            description="Classifiers that say by how much the test at the observation is off by chance; 0 for none.",
        ),
    ] = 100


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="family", tag=FAMILY):
    """A posterior of the parameters of a simulator, given an observation."""

    title: Annotated[str, msgspec.Meta(description="What is inferred from what, in one line.")]
    columns: Annotated[
        tuple[str, ...],
        msgspec.Meta(min_length=1, description="Columns that are observed, of simulations and observation."),
    ]
    parameters: Annotated[
        dict[str, PriorConfig],
        msgspec.Meta(min_length=1, description="Priors, by the names of the columns with the parameters."),
    ]
    simulations: Annotated[
        str | tuple[str, ...],
        msgspec.Meta(
            description="Tables of simulations, relative to the card, a row each: parameters drawn from the prior, and "
            "what was simulated with them."
        ),
    ]
    observation: Annotated[
        str,
        msgspec.Meta(
            description="Table with the observation, relative to the card; of nle and nre several rows may be "
            "independent observations of the same parameters."
        ),
    ]
    method: Annotated[
        Literal["npe", "nle", "nre"],
        msgspec.Meta(
            description="What is learned: the posterior (npe), the likelihood (nle), or its ratio to that of all (nre)."
        ),
    ] = "npe"
    density: Annotated[DensityConfig | None, msgspec.Meta(description="The flow of npe and nle.")] = None
    ratio: Annotated[RatioConfig | None, msgspec.Meta(description="The classifier of nre.")] = None
    draws: Annotated[
        int, msgspec.Meta(ge=100, le=10_000_000, description="Draws from the posterior of the observation.")
    ] = 10_000
    derive: Annotated[
        dict[str, str], msgspec.Meta(description="Further columns by formulas of columns, `pt: hypot(px, py)` say.")
    ] = {}
    checks: Annotated[ChecksConfig, msgspec.Meta(description="How the posterior is judged.")] = ChecksConfig()
    seed: Annotated[
        int, msgspec.Meta(ge=0, le=2**63 - 1, description="Seed of the split, the networks and the draws.")
    ] = 1

    @property
    def select(self) -> str:
        """Nothing: a simulation that is left out changes the posterior."""
        return ""


class PosteriorsCardFile(CardFile[Card], frozen=True):
    """A card of a posterior, and the file that it stands in."""

    def file(self, name: str) -> Path:
        """A table, relative to the card."""
        return self.directory / name

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the tables of simulations."""
        given = self.card.simulations
        return (given,) if isinstance(given, str) else given

    @property
    def prior(self) -> Prior:
        """Of the parameters."""
        return make_prior({name: p.shape for name, p in self.card.parameters.items()})

    @property
    def config(self) -> Any:
        """Settings of the method."""
        return (self.card.ratio or RatioConfig()) if self.card.method == "nre" else self.card.density or DensityConfig()


def load_card(place: str | Path | Parsed) -> PosteriorsCardFile:
    """Read a card, given as a file or as the directory that holds `card.yaml`, or as what was parsed of it.

    Raises:
        InputError: naming file, line and key of whatever is wrong with it.
    """
    loaded = read_card_file(place, Card, PosteriorsCardFile, FAMILY)
    card = loaded.card
    with naming(loaded.place("parameters")):
        _ = loaded.prior
    key, other = ("density", "npe and nle") if card.method == "nre" else ("ratio", "nre")
    if getattr(card, key) is not None:
        raise InputError(
            f"{loaded.place(key)}: this is of {other}, and the method is {card.method}; take it away, or change the "
            "method",
            code="posterior-other-method",
        )
    both = sorted(set(card.columns) & set(card.parameters))
    if both:
        raise InputError(
            f"{loaded.place('columns')}: {both[0]} is a parameter, and not observed", code="posterior-columns"
        )
    return loaded
