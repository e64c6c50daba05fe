"""The section of a card that describes the inverse model."""

from typing import Annotated

import msgspec

from sbitune.learning.density.config import FlowConfig, Layers


class InverseConfig(FlowConfig, frozen=True, forbid_unknown_fields=True):
    """An ensemble of conditional flows from bins to parameters."""

    directions_per_parameter: Annotated[
        Layers, msgspec.Meta(description="The bins are projected to so many directions per parameter, at most.")
    ] = 3
    points: Annotated[
        int,
        msgspec.Meta(
            ge=100,
            description="With a surrogate: points in the box at which it is asked for training; without one the runs "
            "are all.",
        ),
    ] = 20000
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
