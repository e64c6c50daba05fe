"""What a surrogate answers that has none of the abilities which only some kinds have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.protocols import Arrays, Meta
from sbitune.tuning.surrogates.wording import sentences


class BaseSurrogate:
    """Errors of every point are known, all of them are learnt, and nothing is known of how they came about.

    What a kind must add: `tag`, `predict`, `predict_many`, `covariance`, `covariances`, `wider`, `describe`, `phrase`,
    `pack`, `layout` and `unpack` (see `protocols.TrainedSurrogate`).
    """

    tag: ClassVar[str]
    version: ClassVar[int] = 1
    takes_point: ClassVar[bool] = False

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """See `TrainedSurrogate`."""
        raise NotImplementedError

    def learnt_covariances(self, theta: np.ndarray, bins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `wider` multiplies of the covariance (k, k) of bins (k,) at theta (n, n_parameters), and the rest."""
        for whole in self.covariances(theta, bins):
            yield whole, np.zeros_like(whole)

    def near(self, theta: np.ndarray) -> Self:
        """Itself."""
        return self

    def unknown_parameters(self, indices: np.ndarray) -> list[str]:
        """None."""
        return []

    @classmethod
    def in_words(cls, about: Mapping[str, Any]) -> str:
        """A few sentences on what `describe` gave."""
        return sentences(cls.phrase(about), about)

    @classmethod
    def phrase(cls, about: Mapping[str, Any]) -> str:
        """What is learnt of bins or components, as in "polynomials of order 3"."""
        return cls.tag

    def listed(self) -> dict[str, Any]:
        """What `sbitune ls` says of its file."""
        return {"surrogate": type(self).__name__.removesuffix("Surrogate").lower()}

    def cautions(self, name: str) -> list[str]:
        """None."""
        return []

    def legendre(self) -> tuple[int, np.ndarray] | None:
        """None: the means are no polynomials."""
        return None

    def kernel_form(self, bins: np.ndarray) -> Any:
        """None: the means have no such form."""
        return None

    def independent_outputs(self, scan: Scan) -> tuple[Any, ...]:
        """None: what a run would change cannot be foretold."""
        return ()

    @classmethod
    def sizes(cls, meta: Meta, arrays: Arrays) -> dict[str, int]:
        """None."""
        return {}

    @classmethod
    def part_names(cls, meta: Meta) -> Sequence[str]:
        """None: there are no surrogates inside."""
        return ()
