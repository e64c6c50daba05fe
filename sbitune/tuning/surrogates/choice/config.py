"""The section of a card that leaves the kind of surrogate to the runs."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from sbitune.tuning.surrogates.gaussian.config import GaussianConfig, of_lengths
from sbitune.tuning.surrogates.kindconfig import KindConfig, RunRequirement, SurrogateSection
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig


class AutoConfig(SurrogateSection, frozen=True, forbid_unknown_fields=True, tag="auto"):
    """The kind that predicts held-out runs best."""

    holdout: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            lt=0.5,
            description="Part of the runs that the kinds are judged on; the one that is chosen is then trained on all.",
        ),
    ] = 0.2
    good: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            le=1e6,
            description="Every bin alone and a network, which take longest, are tried only if the rms pull of held-out "
            "runs exceeds this in some observable for all others.",
        ),
    ] = 1.3
    polynomial: Annotated[PolynomialConfig, msgspec.Meta(description="What is tried as a polynomial.")] = (
        PolynomialConfig(folds=3)
    )
    gaussian: Annotated[GaussianConfig, msgspec.Meta(description="What is tried as Gaussian processes.")] = (
        GaussianConfig()
    )
    rational: Annotated[RationalConfig, msgspec.Meta(description="What is tried as rational functions.")] = (
        RationalConfig()
    )
    network: Annotated[NetworkConfig, msgspec.Meta(description="What is tried as a network.")] = NetworkConfig()

    def run_requirements(self, dimensions: int) -> Iterator[RunRequirement]:
        """Enough for Gaussian processes, without which there is little to choose from."""
        yield of_lengths(dimensions)

    def of_kind(self, config: type[KindConfig]) -> KindConfig:
        """What is tried of a kind: the section of its name, or what the kind takes by itself."""
        own = getattr(self, str(config.__struct_config__.tag), None)
        return own if isinstance(own, config) else config()
