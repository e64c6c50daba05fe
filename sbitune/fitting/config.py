"""What a card says about the fit."""

from typing import Annotated, Literal

import msgspec

#: what a choice of weights minimises at the fit, by the names of arXiv:2103.05751, see `autoweights`
OuterObjective = Literal["portfolio", "meanscore", "medianscore"]


class FitConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the parameters are fitted."""

    starts: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=10_000,
            description="Number of starting points of the minimiser: the middle of the box and points spread over it.",
        ),
    ] = 8
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1, description="Seed of the starting points.")] = 1
    limits: Annotated[
        dict[str, tuple[float, float]],
        msgspec.Meta(
            description="Range of a parameter in the fit; by default that of the model, which knows nothing outside."
        ),
    ] = {}
    fixed: Annotated[dict[str, float], msgspec.Meta(description="Parameters held at a value.")] = {}
    minos: Annotated[bool, msgspec.Meta(description="Whether to find the asymmetric MINOS errors.")] = True
    toys: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=1_000_000,
            description="Toys that judge the fit: how often data are described no better, how often errors hold the "
            "truth; 0 for none.",
        ),
    ] = 100


class BinnedFitConfig(FitConfig, forbid_unknown_fields=True, frozen=True):
    """How the parameters are fitted."""

    surrogate_error: Annotated[
        bool, msgspec.Meta(description="Whether the model's own error, that of a surrogate say, counts in chi2.")
    ] = True
    correlations: Annotated[
        bool, msgspec.Meta(description="Whether named error sources of the reference move its bins together.")
    ] = True
    theory_error: Annotated[
        dict[str, Annotated[float, msgspec.Meta(ge=0, le=1000)] | Literal["fitted"]],
        msgspec.Meta(
            description="Observable -> error of the prediction itself, independent from bin to bin, as a part of the "
            "prediction: 0.05 is 5 %, `fitted` finds it from the scatter of the data. The observable is a regular "
            "expression matched at the start of its path; the last match wins."
        ),
    ] = {}
    loss: Annotated[
        Literal["gauss", "student"],
        msgspec.Meta(
            description="Whether bins far from the fit pull as a Gaussian says, or less and less, as Student's t does "
            "(robust)."
        ),
    ] = "gauss"
    student_dof: Annotated[
        float, msgspec.Meta(ge=0.1, le=1e6, description="Degrees of freedom of Student's t: fewer have longer tails.")
    ] = 4.0
    automatic_weights: Annotated[
        bool | OuterObjective,
        msgspec.Meta(
            description="Whether to choose the weights of the observables, and what makes the choice; true is "
            "`portfolio`."
        ),
    ] = False
    weight_fits: Annotated[
        int, msgspec.Meta(ge=1, le=1_000_000, description="Number of fits that the choice of weights may take.")
    ] = 200
