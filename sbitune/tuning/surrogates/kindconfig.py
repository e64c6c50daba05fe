"""What the sections of all kinds of surrogates in a card have in common. Free of JAX, as cards are."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import msgspec

from sbitune.data.errors import InputError

#: what is learnt: the contents of bins, or the logarithms of those that are positive in every run
Scale = Literal["linear", "log"]
#: the key of kinds that learn either
LearntScale = Annotated[
    Scale,
    msgspec.Meta(
        description="`log` learns the logarithm of all bins that are positive in every run, `linear` the contents."
    ),
]
#: more terms than this has no polynomial that a machine can fit, whatever the runs
Order = Annotated[int, msgspec.Meta(ge=0, le=100)]
Folds = Annotated[int, msgspec.Meta(ge=2, le=10_000)]


class RunRequirement(NamedTuple):
    """How many runs something needs."""

    runs: int  #: at least
    what: str  #: for the message: what needs them, with `{runs}` where the number stands that there are
    remedy: str = ""  #: for the message: what helps beside more runs


class SurrogateSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What a card says of the surrogate: the method, or how it is chosen."""

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return str(self.__struct_config__.tag)

    def run_requirements(self, dimensions: int) -> Iterator[RunRequirement]:
        """How many runs are needed to learn so many parameters, the most telling first.

        Raises `InputError` for what no number of runs makes possible.
        """
        yield requirement_for_parameters(dimensions, dimensions + 2)


class KindConfig(SurrogateSection, frozen=True, forbid_unknown_fields=True):
    """How a surrogate of one kind is trained."""

    #: how many orders the option `--order` names: 0 for a kind that has none
    ORDERS: ClassVar[int] = 0

    def reduced(self, n_runs: int, n_parameters: int) -> Self:
        """What so few runs allow, where the runs of a scan share measurements: a lower order, or fewer folds."""
        return self

    def with_orders(self, *orders: Any) -> Self:
        """The same with these orders, each of them a number or `auto`."""
        raise InputError(f"surrogate.kind: {self.kind} has no order")

    def bin_by_bin(self) -> Self:
        """The same for every bin alone. Raises `InputError` for a kind that cannot."""
        if "components" not in self.__struct_fields__:
            raise InputError(f"surrogate.kind: {self.kind} knows only one way to learn bins")
        return msgspec.structs.replace(self, **{"components": False})

    def on_scale(self, scale: Scale) -> Self:
        """The same on this scale. Raises `InputError` for a kind that has one only."""
        if "scale" not in self.__struct_fields__:
            raise InputError(f"surrogate.kind: {self.kind} has no scale to choose")
        return msgspec.structs.replace(self, **{"scale": scale})


def requirement_for_parameters(dimensions: int, runs: int, remedy: str = "") -> RunRequirement:
    """So many runs at least, to learn so many parameters."""
    what = f"{{runs}} runs are too few to learn {dimensions} parameters from, at least {runs} runs are needed"
    return RunRequirement(runs, what, remedy)


def runs_for_folds(terms: int, folds: int) -> int:
    """Runs of which all folds but one are more than the terms."""
    needed = folds
    while needed - -(-needed // folds) <= terms:
        needed += 1
    return needed
