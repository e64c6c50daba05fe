"""How an ensemble of conditional flows in a box is built and trained."""

from typing import Annotated, Literal

import msgspec

Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Many = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Layers = Annotated[int, msgspec.Meta(ge=1, le=100)]


class FlowConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ensemble of conditional flows from data to parameters."""

    layers: Annotated[Layers, msgspec.Meta(description="Autoregressive layers of every flow.")] = 3
    hidden: Annotated[tuple[Width, ...], msgspec.Meta(description="Widths of the network that reads the data.")] = (
        64,
        64,
    )
    width: Annotated[Width, msgspec.Meta(description="Outputs of that network, and hidden units of every layer.")] = 32
    knots: Annotated[int, msgspec.Meta(ge=2, description="Intervals of every spline.")] = 8
    activation: Annotated[Literal["gelu", "relu", "silu", "tanh"], msgspec.Meta(description="Activation function.")] = (
        "silu"
    )
    members: Annotated[
        int, msgspec.Meta(ge=2, description="Flows in the ensemble; the posterior is their equal mixture.")
    ] = 4
    steps: Annotated[
        Many, msgspec.Meta(description="Steps of Adam, at most. Noise that is known is drawn anew in every one.")
    ] = 2000
    batch_size: Annotated[Many, msgspec.Meta(description="Pairs per step.")] = 256
    learning_rate: Annotated[
        float, msgspec.Meta(gt=0, description="Step size of Adam at the start; it falls to 0 as a cosine.")
    ] = 5e-3
