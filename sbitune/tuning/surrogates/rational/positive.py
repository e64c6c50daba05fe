r"""Proof that a denominator has no zero in the box: its Bernstein coefficients.

On [-1, 1]^p every polynomial of degree at most m in each parameter is q(x) = sum_i c_i B_i(x), with B_i the products
of Bernstein polynomials of degree m in t = (1 + x)/2. These are not negative in the box and sum to 1: q(x) is a mean of
the c_i, so min_i c_i <= q(x) <= max_i c_i there (for denominators: J. Chok, G. Vasil, arXiv:2310.12053). If all
c_i >= delta > 0, q has no zero, and p/q no pole. The c_i are linear in the coefficients of q, so that denominators that
pass are a convex set, around q = 1. For a denominator of first order they are its values in the corners: no denominator
without a zero is refused but for delta. For higher orders the degree is raised above that of q while there is room,
which brings the c_i closer to values of q and refuses fewer.
"""

import functools
import math

import numpy as np

from sbitune.data.errors import InputError
from sbitune.tuning.surrogates.regression.basis import list_exponents

#: denominators, which are 1 on average over the box, stay above this everywhere in it
DELTA = 0.02
#: the degree is raised while there are no more coefficients than this, by this many at most
_ROOM, _RAISE = 2048, 3
#: and so many are too many: a denominator of order 2 in 8 parameters has 6561
MOST_COEFFICIENTS = 10_000


def is_provable(n_parameters: int, order: int) -> bool:
    """Whether denominators of this order in so many parameters have a number of coefficients that can be looked at."""
    return (order + 1) ** n_parameters <= MOST_COEFFICIENTS


def bernstein_rows(n_parameters: int, order: int) -> np.ndarray:
    """(n, n_terms - 1) matrix from the coefficients of q behind its constant, which is 1, to those of Bernstein less 1.

    The terms are the products of Legendre polynomials of `list_exponents` without the first: all c_i are
    1 + rows @ b.

    Raises:
        InputError: too many coefficients to look at.
    """
    if not is_provable(n_parameters, order):
        raise InputError(
            f"a denominator of order {order} in {n_parameters} parameters: that it has no zero in the box cannot be "
            f"shown with {MOST_COEFFICIENTS} coefficients; lower the order of the denominator",
            code="surrogate-denominator",
        )
    return _rows(n_parameters, order)


@functools.lru_cache(maxsize=8)
def _rows(n_parameters: int, order: int) -> np.ndarray:
    degree = order
    while order > 1 and degree < order + _RAISE and (degree + 2) ** n_parameters <= _ROOM:
        degree += 1
    table = np.array([_of_legendre(k, degree) for k in range(order + 1)])  # [Legendre, Bernstein]
    exponents = list_exponents(n_parameters, order)[1:]
    rows = np.ones((1, len(exponents)))
    for column in range(n_parameters):
        factor = table[exponents[:, column]].T
        rows = (rows[:, None, :] * factor[None, :, :]).reshape(len(rows) * len(factor), len(exponents))
    rows.setflags(write=False)
    return rows


def _of_legendre(k: int, degree: int) -> np.ndarray:
    """(degree + 1,) Bernstein coefficients of P_k on [-1, 1]: (-1)^(k+i) C(k, i) in degree k, raised to `degree`."""
    own = [(-1) ** (k + i) * math.comb(k, i) for i in range(k + 1)]
    more = degree - k
    raised = np.zeros(degree + 1)
    for i in range(degree + 1):
        inside = range(max(0, i - more), min(k, i) + 1)
        raised[i] = sum(math.comb(k, j) * math.comb(more, i - j) * own[j] for j in inside) / math.comb(degree, i)
    return raised


def least(rows: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """(n_bins,) smallest Bernstein coefficient of denominators (n_terms - 1, n_bins): none is smaller in the box."""
    if not len(denominators):
        return np.ones(denominators.shape[1])
    return 1 + (rows @ denominators).min(axis=0)
