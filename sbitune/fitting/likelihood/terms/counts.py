"""Poisson counts in bins.

With the expected counts lambda(p) and the observed ones n,

    2 sum_b [lambda_b(p) - n_b + n_b log(n_b / lambda_b(p))]

is -2 log of the Poisson likelihood over that of a perfect description (S. Baker, R. D. Cousins, Nucl. Instrum. Meth.
221 (1984) 437). Counts need not be whole numbers: those of an Asimov data set are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.terms.term import Named, generator


@dataclass(frozen=True, eq=False)
class CountedBins:
    """Poisson counts."""

    name: str
    counts: np.ndarray  #: (n_bins,) observed
    expected: Callable[[Named], Any]  #: from parameters to (n_bins,) expected counts

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts, float)
        if counts.ndim != 1 or not (np.isfinite(counts).all() and (counts >= 0).all()):
            raise InputError(f"{self.name}: counts are numbers (n_bins,), 0 at least")

    @property
    def data(self) -> np.ndarray:
        """(n_bins,)"""
        return np.asarray(self.counts, float)

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """Twice the logarithm of the likelihood ratio to a perfect description."""
        return deviance(self.expected(given), data)

    def draw(self, key: jax.Array, given: Named, n: int) -> np.ndarray:
        """(n, n_bins) counts."""
        expected = self.asimov(given)
        return generator(key).poisson(expected, (n, *expected.shape)).astype(float)

    def asimov(self, given: Named) -> np.ndarray:
        """(n_bins,) expected counts."""
        return np.asarray(jax.jit(self.expected)(dict(given)), float)


def deviance(expected: Any, counts: Any) -> Any:
    """The sum above for expected and observed counts (n_bins,); NaN if less than nothing is expected."""
    expected = jnp.asarray(expected)
    # in a bin without a count the logarithm has no derivative where nothing is expected, and no part in the sum
    safe = jnp.where(counts > 0, expected, 1.0)
    terms = expected - counts + jax.scipy.special.xlogy(counts, counts) - counts * jnp.log(safe)
    return 2 * jnp.sum(jnp.where(expected < 0, jnp.nan, terms))
