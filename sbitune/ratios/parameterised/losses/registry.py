"""The losses with their usual settings, one line each."""

from collections.abc import Callable
from typing import Any, Protocol

import jax

from sbitune.data.errors import InputError
from sbitune.data.text.names import list_names, shorten
from sbitune.ratios.parameterised.losses.binary import Binary
from sbitune.ratios.parameterised.losses.contrastive import Contrastive
from sbitune.ratios.parameterised.losses.mined import Alice, Rolr, Score


class RatioLoss(Protocol):
    """A frozen dataclass, so that it is compiled once for its settings."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What the simulator must tell: `log_ratio`, `score` of events, `log_ratio_ref` of those of the reference."""
        ...

    def __call__(self, network: Any, batch: dict[str, Any], key: jax.Array) -> Any:
        """(n,) of every row of a batch, see `samples.Rows`; weights of events are in it."""
        ...


LOSSES: dict[str, Callable[[], RatioLoss]] = {
    "binary": Binary,
    "binary with fixed pairs": lambda: Binary(pairs=0),
    "contrastive": Contrastive,
    "alice": Alice,
    "alices": lambda: Score(Alice(), 0.1),
    "rolr": Rolr,
    "rascal": lambda: Score(Rolr(), 0.1),
    "cascal": lambda: Score(Binary(), 0.1),
    "sally": Score,
}


def loss_of(name: str) -> RatioLoss:
    """A loss with its usual settings. Raises `InputError` with all names for one that there is not."""
    if name not in LOSSES:
        raise InputError(f"there is no loss {shorten(repr(name))}; there are {list_names(LOSSES)}")
    return LOSSES[name]()
