"""The section of a card for networks."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

import msgspec

from sbitune.tuning.surrogates.kindconfig import Folds, KindConfig, LearntScale, RunRequirement

Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Many = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class NetworkConfig(KindConfig, frozen=True, forbid_unknown_fields=True, tag="network"):
    """An ensemble of networks, trained and calibrated by cross-validation."""

    hidden: Annotated[tuple[Width, ...], msgspec.Meta(max_length=16, description="Width of every hidden layer.")] = (
        32,
        32,
    )
    activation: Annotated[
        Literal["gelu", "relu", "silu", "tanh"],
        msgspec.Meta(description="Activation function; all but relu give smooth predictions, as minimisers want."),
    ] = "silu"
    sharing: Annotated[
        Literal["shared", "per_bin"],
        msgspec.Meta(
            description="`shared`: each member is one network with an output per bin; `per_bin`: one network per "
            "member and bin."
        ),
    ] = "shared"
    folds: Annotated[
        Folds,
        msgspec.Meta(description="The runs are dealt to so many parts; each part is held out by one group of members."),
    ] = 5
    members_per_fold: Annotated[
        int,
        msgspec.Meta(
            ge=2,
            le=1000,
            description="Networks in a group. They share their runs and differ in initial weights and batches.",
        ),
    ] = 4
    bootstrap: Annotated[bool, msgspec.Meta(description="Draw every member's training runs with replacement.")] = False
    epochs: Annotated[Many, msgspec.Meta(description="Passes over the training runs, at most.")] = 1500
    batch_size: Annotated[Many, msgspec.Meta(description="Runs per step.")] = 64
    learning_rate: Annotated[
        float, msgspec.Meta(gt=0, le=10, description="Step size of Adam at the start; it falls to 0 as a cosine.")
    ] = 5e-3
    patience: Annotated[
        Many,
        msgspec.Meta(description="A member stops after so many epochs without a better loss on its held-out runs."),
    ] = 500
    log_inputs: Annotated[
        bool,
        msgspec.Meta(
            description="Show the networks also log(theta) of parameters whose box begins close to 0, next to theta."
        ),
    ] = True
    scale: LearntScale = "log"

    def bin_by_bin(self) -> Self:
        """With networks for every bin."""
        return msgspec.structs.replace(self, sharing="per_bin")

    def reduced(self, n_runs: int, n_parameters: int) -> Self:
        """With folds of two runs at least."""
        return msgspec.structs.replace(self, folds=max(2, min(self.folds, n_runs // 2)))

    def run_requirements(self, dimensions: int) -> Iterator[RunRequirement]:
        """Two runs for every fold."""
        needed = 2 * self.folds
        what = f"a network with {self.folds} folds needs at least {needed} runs, not {{runs}}"
        yield RunRequirement(needed, what, " or lower surrogate.folds")
        yield from super().run_requirements(dimensions)


CONFIG = NetworkConfig
