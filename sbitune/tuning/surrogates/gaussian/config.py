"""The section of a card for Gaussian processes."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from sbitune.tuning.surrogates.kindconfig import KindConfig, LearntScale, RunRequirement, requirement_for_parameters


class GaussianConfig(KindConfig, frozen=True, forbid_unknown_fields=True, tag="gaussian"):
    """Gaussian processes."""

    components: Annotated[
        bool,
        msgspec.Meta(
            description="Learn the few combinations of bins that respond to the parameters; off: every bin, after its "
            "neighbours' share of the Monte Carlo noise is taken off, so that the errors of bins are correlated as "
            "their noise is."
        ),
    ] = True
    groups: Annotated[
        int, msgspec.Meta(ge=1, le=1000, description="Groups of bins that share the lengths of their kernel, at most.")
    ] = 8
    runs_for_lengths: Annotated[
        int,
        msgspec.Meta(
            ge=1, le=10_000, description="Lengths are learnt from so many runs, at most; all runs are used to predict."
        ),
    ] = 250
    log_inputs: Annotated[
        bool, msgspec.Meta(description="Use also log(theta) of parameters whose box begins close to 0, next to theta.")
    ] = True
    scale: LearntScale = "log"

    def run_requirements(self, dimensions: int) -> Iterator[RunRequirement]:
        """Enough to learn lengths from."""
        yield of_lengths(dimensions)


def of_lengths(dimensions: int) -> RunRequirement:
    """Runs that lengths of so many parameters can be learnt from."""
    return requirement_for_parameters(
        dimensions,
        2 * dimensions + 10,
        ", or name a polynomial of low order as surrogate: `surrogate: {kind: polynomial, order: 2}`",
    )


CONFIG = GaussianConfig
