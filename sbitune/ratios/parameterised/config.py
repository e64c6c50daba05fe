"""How a parameterised ratio is learned."""

from typing import Annotated

import msgspec

from sbitune.learning.training import TrainingConfig
from sbitune.ratios.parameterised.kinds.kind import NetworkConfig


class RatioTraining(TrainingConfig, frozen=True, forbid_unknown_fields=True):
    """How networks of a ratio are trained."""

    epochs: Annotated[int, msgspec.Meta(description="Passes over the training events, at most.")] = 15
    batch_size: Annotated[int, msgspec.Meta(description="Events per step; more than there are means all.")] = 512
    patience: Annotated[
        int, msgspec.Meta(description="A member stops after so many epochs without a better validation loss.")
    ] = 15
    validation_fraction: Annotated[
        float, msgspec.Meta(description="Part of the events on which no step is taken, for choosing the best epoch.")
    ] = 0.1


class RatioConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings; see `kinds.registry` and `losses.registry` for what there is."""

    kind: Annotated[
        str,
        msgspec.Meta(
            description="How x and theta come together in the network: `factorised`, a dot product of functions of "
            "both, `joint`, `components` of a density that is a polynomial of the parameters, `local` to the reference."
        ),
    ] = "factorised"
    loss: Annotated[
        str,
        msgspec.Meta(
            description="What is minimised: `binary`, `contrastive`, or with the joint ratio or score of a simulator "
            "`alice`, `alices`, `rolr`, `rascal`, `cascal`, `sally`."
        ),
    ] = "binary"
    members: Annotated[
        int, msgspec.Meta(ge=1, description="Networks whose ratios are averaged, each from another start.")
    ] = 3
    network: Annotated[NetworkConfig, msgspec.Meta(description="Sizes of networks.")] = NetworkConfig()
    training: Annotated[RatioTraining, msgspec.Meta(description="How they are trained.")] = RatioTraining()
