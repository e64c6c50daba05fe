"""The section of a card that describes the surrogate; `kind` chooses the method."""

from typing import Annotated, Literal

import msgspec

from sbitune.tuning.surrogates.regression.outputs import Scale

#: more terms than this has no polynomial that a machine can fit, whatever the runs
Order = Annotated[int, msgspec.Meta(ge=0, le=100)]
Folds = Annotated[int, msgspec.Meta(ge=2, le=10_000)]
Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Many = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class PolynomialConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="polynomial"):
    """Polynomials."""

    order: Order | Literal["auto"] = "auto"
    """Highest total degree; `auto` chooses it by cross-validation."""
    max_order: Order = 6
    """With `auto`: the highest order to try. Orders that need more runs than there are, are not tried."""
    folds: Folds = 5
    """With `auto`: parts of the cross-validation."""
    components: bool = True
    """Learn the few combinations of bins that respond to the parameters; off: every bin alone, as Professor does; with
    a given `order` errors are then not tested on runs that are held out."""
    scale: Scale = "linear"
    """`linear` fits the bin contents, `log` their logarithm in all bins that are positive in every run."""
    shrinkage: bool = True
    """Shrink the terms that the runs cannot tell from zero, degree by degree; off: plain least squares."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "polynomial"


class NetworkConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="network"):
    """An ensemble of networks, trained and calibrated by cross-validation."""

    hidden: Annotated[tuple[Width, ...], msgspec.Meta(max_length=16)] = (32, 32)
    """Width of every hidden layer."""
    activation: Literal["gelu", "relu", "silu", "tanh"] = "silu"
    """Activation function; all but relu give smooth predictions, as minimisers want."""
    sharing: Literal["shared", "per_bin"] = "shared"
    """`shared`: each member is one network with an output per bin; `per_bin`: one network per member and bin."""
    folds: Folds = 5
    """The runs are dealt to so many parts; each part is held out by one group of members."""
    members_per_fold: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 4
    """Networks in a group. They share their runs and differ in initial weights and batches."""
    bootstrap: bool = False
    """Draw every member's training runs with replacement."""
    epochs: Many = 1500
    """Passes over the training runs, at most."""
    batch_size: Many = 64
    """Runs per step."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=10)] = 5e-3
    """Step size of Adam at the start; it falls to 0 as a cosine."""
    patience: Many = 500
    """A member stops after so many epochs without a better loss on its held-out runs."""
    log_inputs: bool = True
    """Show the networks also log(theta) of parameters whose box begins close to 0, next to theta."""
    scale: Scale = "log"
    """`log` learns the logarithm of all bins that are positive in every run, `linear` the contents."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "network"


class GaussianConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="gaussian"):
    """Gaussian processes."""

    components: bool = True
    """Learn the few combinations of bins that respond to the parameters; off: every bin, after its neighbours' share of
    the Monte Carlo noise is taken off, so that the errors of bins are correlated as their noise is."""
    groups: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    """Groups of bins that share the lengths of their kernel, at most."""
    runs_for_lengths: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 250
    """Lengths are learnt from so many runs, at most; all runs are used to predict."""
    log_inputs: bool = True
    """Use also log(theta) of parameters whose box begins close to 0, next to theta."""
    scale: Scale = "log"
    """`log` learns the logarithm of all bins that are positive in every run, `linear` the contents."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "gaussian"


class RationalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rational"):
    """A ratio of two polynomials for every bin, without a pole in the box."""

    numerator: Order | Literal["auto"] = "auto"
    """Highest total degree of the numerator; `auto` chooses 1 to 5 by cross-validation, as the runs allow."""
    denominator: Order | Literal["auto"] = "auto"
    """Highest total degree of the denominator; `auto` chooses 1 or 2 by cross-validation, as the runs allow."""
    folds: Folds = 3
    """With `auto`: parts of the cross-validation."""
    components: bool = True
    """Learn the few combinations of bins that respond to the parameters; off: every bin alone, as Apprentice does."""
    log_inputs: bool = True
    """With `scale: log`: log(theta) stands in the place of parameters whose box begins close to 0."""
    scale: Scale = "log"
    """`log` fits the logarithm of all bins that are positive in every run, `linear` contents, as Apprentice does."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "rational"


class AutoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="auto"):
    """The kind that predicts held-out runs best."""

    holdout: Annotated[float, msgspec.Meta(gt=0, lt=0.5)] = 0.2
    """Part of the runs that the kinds are judged on; the one that is chosen is then trained on all."""
    good: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1.3
    """Every bin alone and a network, which take longest, are tried only if the rms pull of held-out runs exceeds this
    in some observable for all others."""
    polynomial: PolynomialConfig = PolynomialConfig(folds=3)
    """What is tried as a polynomial."""
    gaussian: GaussianConfig = GaussianConfig()
    """What is tried as Gaussian processes."""
    rational: RationalConfig = RationalConfig()
    """What is tried as rational functions."""
    network: NetworkConfig = NetworkConfig()
    """What is tried as a network."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "auto"


SurrogateConfig = PolynomialConfig | GaussianConfig | RationalConfig | NetworkConfig | AutoConfig
