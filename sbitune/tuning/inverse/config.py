"""The section of a card that describes the inverse model."""

from typing import Annotated, Literal

import msgspec

Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Many = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Layers = Annotated[int, msgspec.Meta(ge=1, le=100)]


class InverseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ensemble of conditional flows from bins to parameters."""

    directions_per_parameter: Annotated[
        Layers, msgspec.Meta(description="The bins are projected to so many directions per parameter, at most.")
    ] = 3
    layers: Annotated[Layers, msgspec.Meta(description="Autoregressive layers of every flow.")] = 3
    hidden: Annotated[
        tuple[Width, ...], msgspec.Meta(description="Widths of the network that reads the projected bins.")
    ] = (64, 64)
    width: Annotated[Width, msgspec.Meta(description="Outputs of that network, and hidden units of every layer.")] = 32
    knots: Annotated[int, msgspec.Meta(ge=2, description="Intervals of every spline.")] = 8
    activation: Annotated[Literal["gelu", "relu", "silu", "tanh"], msgspec.Meta(description="Activation function.")] = (
        "silu"
    )
    members: Annotated[
        int, msgspec.Meta(ge=2, description="Flows in the ensemble; the posterior is their equal mixture.")
    ] = 4
    points: Annotated[
        int,
        msgspec.Meta(
            ge=100,
            description="With a surrogate: points in the box at which it is asked for training; without one the runs "
            "are all.",
        ),
    ] = 20000
    steps: Annotated[
        Many, msgspec.Meta(description="Steps of Adam, at most. The data's errors are drawn anew in every one.")
    ] = 2000
    batch_size: Annotated[Many, msgspec.Meta(description="Pairs per step.")] = 256
    learning_rate: Annotated[
        float, msgspec.Meta(gt=0, description="Step size of Adam at the start; it falls to 0 as a cosine.")
    ] = 5e-3
    held_out: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            lt=1,
            description="Without a surrogate: part of the runs that trains no member and calibrates the ensemble.",
        ),
    ] = 0.2
    checks: Annotated[
        int, msgspec.Meta(ge=100, description="Pairs, not used in training, with which the data are compared.")
    ] = 4000
    calibration_pairs: Annotated[
        int,
        msgspec.Meta(
            ge=20,
            description="Pairs, not used in training, for simulation-based calibration; without a surrogate, at most "
            "the held-out runs.",
        ),
    ] = 500
    calibration_draws: Annotated[int, msgspec.Meta(ge=20, description="Draws from the posterior of each of them.")] = (
        100
    )
