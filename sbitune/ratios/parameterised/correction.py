"""A polynomial of theta by which log r is corrected, so that r is a ratio of normalised densities."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np


class Correction(NamedTuple):
    """log E_ref[r] as a polynomial of theta scaled to [-1, 1], counted from the reference where that is a point."""

    powers: Any  #: (n_terms, n_parameters) exponents
    coefficients: Any  #: (n_terms,)
    errors: Any  #: (n_terms,) Monte Carlo errors of what was found, whether it was kept or not
    n_kept: int  #: independent parts that are larger than their errors; the others are 0
    covariance: Any  #: (n_terms, n_terms) Monte Carlo covariance of the coefficients; 0 along what was not kept
    slopes: Any  #: (n_terms, n_phi) of the coefficients in what combines the members; n_phi is 0 if nothing does

    def terms(self, scaled: Any, point: Any = None) -> Any:
        """Products (..., n_terms) of scaled theta (..., n_parameters), less those at the scaled point."""
        found = _products(scaled, self.powers)
        return found if point is None else found - _products(point, self.powers)

    def at(self, scaled: Any, point: Any = None) -> Any:
        """Log E_ref[r] (...,)"""
        terms = self.terms(scaled, point)
        return terms @ jnp.asarray(self.coefficients, terms.dtype)


def _products(scaled: Any, powers: Any) -> Any:
    """By multiplication: the derivatives of a power are not finite at 0."""
    x = jnp.asarray(scaled)
    rising = [jnp.ones_like(x)]
    for _ in range(int(np.max(powers, initial=0))):
        rising.append(rising[-1] * x)
    table, found = jnp.stack(rising, axis=-1), jnp.ones((*x.shape[:-1], len(powers)), x.dtype)
    for i in range(x.shape[-1]):
        found = found * table[..., i, powers[:, i]]
    return found
