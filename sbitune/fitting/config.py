"""What a card says about the fit."""

from typing import Annotated, Literal

import msgspec

#: what a choice of weights minimises at the tune, by the names of arXiv:2103.05751, see `autoweights`
OuterObjective = Literal["portfolio", "meanscore", "medianscore"]


class FitConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the parameters are fitted."""

    starts: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 8
    """Number of starting points of the minimiser: the middle of the box and points spread over it."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 1
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
    theory_error: dict[str, Annotated[float, msgspec.Meta(ge=0, le=1000)] | Literal["fitted"]] = {}
    """Observable -> error of the prediction itself, independent from bin to bin, as a part of the prediction: 0.05 is
    5 %, `fitted` finds it from the scatter of the data. The observable is a regular expression matched at the start of
    its path; the last match wins."""
    loss: Literal["gauss", "student"] = "gauss"
    """Whether bins far from the fit pull as a Gaussian says, or less and less, as Student's t does (robust)."""
    student_dof: Annotated[float, msgspec.Meta(ge=0.1, le=1e6)] = 4.0
    """Degrees of freedom of Student's t: fewer have longer tails."""
    automatic_weights: bool | OuterObjective = False
    """Whether to choose the weights of the observables, and what makes the choice; true is `portfolio`."""
    toys: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100
    """Toys that judge the fit: how often data are described no better, how often errors hold the truth; 0 for none."""
    weight_fits: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 200
    """Number of fits that the choice of weights may take."""
