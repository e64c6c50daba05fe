"""The settings of flows and ratios that are trained on pairs."""

from typing import Annotated, Literal

import msgspec

from sbitune.learning.training import TrainingConfig

Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Members = Annotated[
    int, msgspec.Meta(ge=1, le=1000, description="Networks in the ensemble; densities and ratios are averaged.")
]
Hidden = Annotated[tuple[Width, ...], msgspec.Meta(description="Widths of the hidden layers.")]
Epochs = Annotated[int, msgspec.Meta(ge=1, le=1_000_000, description="Passes over the simulations, at most.")]
Batch = Annotated[int, msgspec.Meta(ge=1, le=10_000_000, description="Pairs per step.")]
Rate = Annotated[float, msgspec.Meta(gt=0, description="Step size of Adam at the start; it falls to 0 as a cosine.")]
Patience = Annotated[
    int, msgspec.Meta(ge=1, description="A network stops after so many epochs without a better validation loss.")
]


class _Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    members: Members = 3
    hidden: Hidden = (48, 48)
    activation: Annotated[Literal["gelu", "relu", "silu", "tanh"], msgspec.Meta(description="Activation function.")] = (
        "silu"
    )
    epochs: Epochs = 60
    batch_size: Batch = 256
    learning_rate: Rate = 4e-3
    patience: Patience = 20
    validation_fraction: Annotated[
        float,
        msgspec.Meta(gt=0, lt=1, description="Part of the simulations that chooses the best epoch, without steps."),
    ] = 0.1

    def training(self) -> TrainingConfig:
        """The same, as the training loop reads it."""
        names = ("epochs", "batch_size", "learning_rate", "patience", "validation_fraction")
        return TrainingConfig(**{name: getattr(self, name) for name in names})


class DensityConfig(_Common, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A conditional flow, of NPE and NLE."""

    # width 64, knots 12, 90 epochs at 3e-3 and two members narrow the crescents of `two_moons` (C2ST .52 in place of
    # .53), but learn too much by heart of `slcp` (.89 in place of .85)
    layers: Annotated[int, msgspec.Meta(ge=1, le=100, description="Autoregressive layers.")] = 4
    width: Annotated[Width, msgspec.Meta(description="Hidden units of every layer.")] = 32
    knots: Annotated[int, msgspec.Meta(ge=2, le=1000, description="Intervals of every spline.")] = 8


class RatioConfig(_Common, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A classifier of pairs, of NRE."""

    differences: Annotated[
        Width, msgspec.Meta(description="Numbers of theta and of x whose differences are shown to the last network.")
    ] = 8
    hidden_pair: Annotated[
        tuple[Width, ...], msgspec.Meta(description="Widths of the last network, which runs for every pair of a block.")
    ] = (32, 32)
    choices: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="Thetas of other pairs with which each is compared.")
    ] = 63
    gamma: Annotated[float, msgspec.Meta(gt=0, description="Odds of a pair among the thetas to none (NRE-C).")] = 1.0
    members: Members = 1
    hidden: Hidden = (64, 64)
    epochs: Epochs = 30
    batch_size: Batch = 64
    learning_rate: Rate = 2e-3
