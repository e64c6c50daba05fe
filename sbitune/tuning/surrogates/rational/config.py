"""The section of a card for rational functions."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec

from sbitune.data.errors import InputError
from sbitune.tuning.surrogates.kindconfig import Folds, KindConfig, Order, RunRequirement, Scale, runs_for_folds
from sbitune.tuning.surrogates.rational.positive import is_provable
from sbitune.tuning.surrogates.regression.basis import count_terms


class RationalConfig(KindConfig, frozen=True, forbid_unknown_fields=True, tag="rational"):
    """A ratio of two polynomials for every bin, without a pole in the box."""

    numerator: Annotated[
        Order | Literal["auto"],
        msgspec.Meta(
            description="Highest total degree of the numerator; `auto` chooses 1 to 5 by cross-validation, as the runs "
            "allow."
        ),
    ] = "auto"
    denominator: Annotated[
        Order | Literal["auto"],
        msgspec.Meta(
            description="Highest total degree of the denominator; `auto` chooses 1 or 2 by cross-validation, as the "
            "runs allow."
        ),
    ] = "auto"
    folds: Annotated[Folds, msgspec.Meta(description="With `auto`: parts of the cross-validation.")] = 3
    components: Annotated[
        bool,
        msgspec.Meta(
            description="Learn the few combinations of bins that respond to the parameters; off: every bin alone, as "
            "Apprentice does."
        ),
    ] = True
    log_inputs: Annotated[
        bool,
        msgspec.Meta(
            description="With `scale: log`: log(theta) stands in the place of parameters whose box begins close to 0."
        ),
    ] = True
    scale: Annotated[
        Scale,
        msgspec.Meta(
            description="`log` fits the logarithm of all bins that are positive in every run, `linear` contents, as "
            "Apprentice does."
        ),
    ] = "log"

    ORDERS: ClassVar[int] = 2

    def with_orders(self, *orders: Any) -> Self:
        """The same with these orders of numerator and denominator, numbers or `auto`."""
        return msgspec.structs.replace(self, numerator=orders[0], denominator=orders[1])

    def run_requirements(self, dimensions: int) -> Iterator[RunRequirement]:
        """Both polynomials of given orders must leave a degree of freedom; with `auto` the first orders must leave one
        to all folds but one. Denominators that could not be shown to be positive are refused, too.
        """
        above = 1 if self.numerator == "auto" else self.numerator
        below = 1 if self.denominator == "auto" else self.denominator
        if not is_provable(dimensions, below):
            raise InputError(
                f"that a denominator of order {below} in {dimensions} parameters has no zero in the box cannot be "
                "shown; lower the order of the denominator, or take another kind of surrogate",
                code="surrogate-denominator",
            )
        # the constant of the denominator is 1
        terms = count_terms(dimensions, above) + count_terms(dimensions, below) - 1
        if "auto" in (self.numerator, self.denominator):
            needed = runs_for_folds(terms, self.folds)
            what = f"to choose the orders of a rational function in {dimensions} parameters with {self.folds} folds"
        else:
            needed, what = terms + 1, f"a rational function of orders {above}/{below} in {dimensions} parameters"
        yield RunRequirement(needed, f"{what} needs at least {needed} runs, not {{runs}}", " or lower its orders")


CONFIG = RationalConfig
