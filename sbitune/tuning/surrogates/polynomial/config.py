"""The section of a card for polynomials."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec

from sbitune.tuning.surrogates.kindconfig import (
    Folds,
    KindConfig,
    Order,
    RunRequirement,
    Scale,
    runs_for_folds,
)
from sbitune.tuning.surrogates.regression.basis import count_terms


class PolynomialConfig(KindConfig, frozen=True, forbid_unknown_fields=True, tag="polynomial"):
    """Polynomials."""

    order: Annotated[
        Order | Literal["auto"],
        msgspec.Meta(description="Highest total degree; `auto` chooses it by cross-validation."),
    ] = "auto"
    max_order: Annotated[
        Order,
        msgspec.Meta(
            description="With `auto`: the highest order to try. Orders that need more runs than there are, are not "
            "tried."
        ),
    ] = 6
    folds: Annotated[Folds, msgspec.Meta(description="With `auto`: parts of the cross-validation.")] = 5
    components: Annotated[
        bool,
        msgspec.Meta(
            description="Learn the few combinations of bins that respond to the parameters; off: every bin alone, as "
            "Professor does; with a given `order` errors are then not tested on runs that are held out."
        ),
    ] = True
    scale: Annotated[
        Scale,
        msgspec.Meta(
            description="`linear` fits the bin contents, `log` their logarithm in all bins that are positive in every "
            "run."
        ),
    ] = "linear"
    shrinkage: Annotated[
        bool,
        msgspec.Meta(
            description="Shrink the terms that the runs cannot tell from zero, degree by degree; off: plain least "
            "squares."
        ),
    ] = True

    ORDERS: ClassVar[int] = 1

    def with_orders(self, *orders: Any) -> Self:
        """The same with this order, a number or `auto`."""
        return msgspec.structs.replace(self, order=orders[0])

    def reduced(self, n_runs: int, n_parameters: int) -> Self:
        """With the highest order up to the one that is given for which so many runs leave a degree of freedom."""
        if self.order == "auto":
            return self
        order = self.order
        while order and count_terms(n_parameters, order) >= n_runs:
            order -= 1
        return msgspec.structs.replace(self, order=order)

    def run_requirements(self, dimensions: int) -> Iterator[RunRequirement]:
        """An order that is given must leave a degree of freedom; with `auto` the first at least must leave one to all
        folds but one.
        """
        if self.order != "auto":
            needed = count_terms(dimensions, self.order) + 1
            what = f"a polynomial of order {self.order} in {dimensions} parameters"
            yield RunRequirement(needed, f"{what} needs at least {needed} runs, not {{runs}}", " or lower its order")
            return
        needed = runs_for_folds(count_terms(dimensions, min(1, self.max_order)), self.folds)
        yield RunRequirement(
            needed,
            f"to choose the order of a polynomial in {dimensions} parameters with {self.folds} folds at least {needed} "
            "runs are needed, not {runs}",
        )


def polynomial_of(section: object, order: int) -> PolynomialConfig:
    """A polynomial of this order, for the rest as the card has it if its surrogate is one."""
    base = section if isinstance(section, PolynomialConfig) else PolynomialConfig()
    return msgspec.structs.replace(base, order=order)


CONFIG = PolynomialConfig
