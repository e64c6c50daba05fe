"""Products of Legendre polynomials up to a total degree: the basis of the polynomial surrogate.

On the box scaled to [-1, 1] they are nearly orthogonal for runs spread over the box, which keeps the least-squares
problem well conditioned where monomials of order 6 lose all digits.
"""

import math
from typing import Any

import numpy as np

from sbitune.data.errors import InputError


def count_terms(n_parameters: int, order: int) -> int:
    """Return the number of terms of a polynomial: binomial(n_parameters + order, order)."""
    return math.comb(n_parameters + order, order)


def list_exponents(n_parameters: int, order: int) -> np.ndarray:
    """Return the degree of every term in every parameter (n_terms, n_parameters), lowest total degree first."""
    rows = [[]]
    for _ in range(n_parameters):
        rows = [[*row, degree] for row in rows for degree in range(order + 1 - sum(row))]
    exponents = np.array(rows, dtype=np.int64).reshape(-1, n_parameters)
    return exponents[np.argsort(exponents.sum(axis=1), kind="stable")]


def evaluate_basis(unit: Any, exponents: np.ndarray, xp: Any = np) -> Any:
    """Return every term at points of the unit box.

    Args:
        unit: (..., n_parameters) points, the box being [-1, 1].
        exponents: (n_terms, n_parameters) from `list_exponents`.
        xp: `numpy`, or `jax.numpy` to trace the evaluation.

    Returns:
        (..., n_terms) in the precision of `unit`.
    """
    table = _legendre_table(unit, int(exponents.max(initial=0)), xp)
    terms = xp.ones_like(unit[..., :1])
    # one factor after the other: the gradient of a product over an axis costs more and is awkward at zeros
    for column in range(exponents.shape[1]):
        terms = terms * table[..., column, :][..., exponents[:, column]]
    return terms


def _legendre_table(unit: Any, order: int, xp: Any) -> Any:
    """Return P_k(unit) (..., n_parameters, order + 1): NumPy's, and where JAX traces it, which has none, by
    (k+1) P_k+1 = (2k+1) x P_k - k P_k-1.
    """
    if xp is np:
        return np.polynomial.legendre.legvander(unit, order)
    rows = [xp.ones_like(unit), unit]
    for k in range(1, order):
        rows.append(((2 * k + 1) * unit * rows[k] - k * rows[k - 1]) / (k + 1))
    return xp.stack(rows[: order + 1], axis=-1)


#: covariances of coefficients hold no more numbers than this (2 GB): one of n_terms^2 for every bin
MOST_NUMBERS = 250_000_000
#: orders that are only tried take no more multiplications than this in one step of a fit: some seconds
MOST_STEPS = 3_000_000_000


def spread_evenly(n: int, most: int) -> np.ndarray:
    """Indices (min(n, most),) of so many out of n."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def in_blocks(n_bins: int, numbers: int, most: int) -> list[slice]:
    """All bins in blocks of so many that work of so many numbers for each holds `most` together, at least one bin."""
    size = max(1, most // numbers)
    return [slice(start, start + size) for start in range(0, n_bins, size)]


def has_time(n_bins: int, n_terms: int) -> bool:
    """Whether so many coefficients of so many bins are found soon enough for an order that is only tried."""
    return n_bins * n_terms**3 <= MOST_STEPS


def has_room(n_bins: int, n_terms: int) -> bool:
    """Whether the covariances of so many coefficients of so many bins fit into memory."""
    return n_bins * n_terms**2 <= MOST_NUMBERS


def check_room(n_bins: int, n_terms: int, what: str) -> None:
    """Raise `InputError` unless the covariances of so many coefficients of so many bins fit into memory."""
    if not has_room(n_bins, n_terms):
        raise InputError(
            f"{what} has {n_terms} terms; the covariances of {n_bins} bins would take "
            f"{8e-9 * n_bins * n_terms**2:.0f} GB: lower the order, learn components or take Gaussian processes"
        )
