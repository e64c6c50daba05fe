"""How a parameterised ratio is learned."""

from typing import Annotated

import msgspec

from sbitune.learning.training import TrainingConfig
from sbitune.ratios.parameterised.kinds.kind import NetworkConfig


class RatioConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings; see `kinds.registry` and `losses.registry` for what there is."""

    kind: Annotated[str, msgspec.Meta(description="How x and theta come together in the network.")] = "factorised"
    loss: Annotated[str, msgspec.Meta(description="What is minimised.")] = "binary"
    members: Annotated[
        int, msgspec.Meta(ge=1, description="Networks whose ratios are averaged, each from another start.")
    ] = 3
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig(
        epochs=15, batch_size=512, learning_rate=3e-3, patience=15, validation_fraction=0.1
    )
