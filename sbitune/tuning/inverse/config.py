"""The section of a card that describes the inverse model."""

from typing import Annotated, Literal

import msgspec

Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Many = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Layers = Annotated[int, msgspec.Meta(ge=1, le=100)]


class InverseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ensemble of conditional flows from bins to parameters."""

    directions_per_parameter: Layers = 3
    """The bins are projected to so many directions per parameter, at most."""
    layers: Layers = 3
    """Autoregressive layers of every flow."""
    hidden: tuple[Width, ...] = (64, 64)
    """Widths of the network that reads the projected bins."""
    width: Width = 32
    """Outputs of that network, and hidden units of every layer."""
    knots: Annotated[int, msgspec.Meta(ge=2)] = 8
    """Intervals of every spline."""
    activation: Literal["gelu", "relu", "silu", "tanh"] = "silu"
    """Activation function."""
    members: Annotated[int, msgspec.Meta(ge=2)] = 4
    """Flows in the ensemble; the posterior is their equal mixture."""
    points: Annotated[int, msgspec.Meta(ge=100)] = 20000
    """With a surrogate: points in the box at which it is asked for training; without one the runs are all."""
    steps: Many = 2000
    """Steps of Adam, at most. The data's errors are drawn anew in every one."""
    batch_size: Many = 256
    """Pairs per step."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 5e-3
    """Step size of Adam at the start; it falls to 0 as a cosine."""
    held_out: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.2
    """Without a surrogate: part of the runs that trains no member and calibrates the ensemble."""
    checks: Annotated[int, msgspec.Meta(ge=100)] = 4000
    """Pairs, not used in training, with which the data are compared."""
    calibration_pairs: Annotated[int, msgspec.Meta(ge=20)] = 500
    """Pairs, not used in training, for simulation-based calibration; without a surrogate, at most the held-out runs."""
    calibration_draws: Annotated[int, msgspec.Meta(ge=20)] = 100
    """Draws from the posterior of each of them."""
