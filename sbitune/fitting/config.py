"""What a card says about the fit."""

from typing import Annotated

import msgspec


class FitConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the parameters are fitted."""

    starts: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Number of starting points of the minimiser: the middle of the box and points spread over it."""
    seed: Annotated[int, msgspec.Meta(ge=0)] = 1
    """Seed of the starting points."""
    limits: dict[str, tuple[float, float]] = {}
    """Range of a parameter in the fit; by default that of the scan, outside of which the surrogate knows nothing."""
    fixed: dict[str, float] = {}
    """Parameters held at a value."""
    minos: bool = True
    """Whether to find the asymmetric MINOS errors."""
    surrogate_error: bool = True
    """Whether the surrogate's own error counts in chi2."""
    correlations: bool = True
    """Whether named error sources of the reference move its bins together."""
