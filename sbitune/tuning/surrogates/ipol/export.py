"""Surrogates as Professor's `ipol.dat`.

It is exact for a surrogate that is a polynomial of the contents: with x = 2u - 1 every Legendre polynomial of x is one
of u, and a product of them of total degree n has monomials up to n only. Others are projected first, see
`forms.compact`. The error of a surrogate is the root of a quadratic form, no polynomial: it is fitted by least squares.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.formats.ipol import Interpolation, Polynomial, exponents, is_word, monomials
from sbitune.data.parameter import parameter_box
from sbitune.data.sobol import sobol_points
from sbitune.tuning.surrogates.forms.compact import compact
from sbitune.tuning.surrogates.ipol.surrogate import WRITTEN, IpolSurrogate
from sbitune.tuning.surrogates.protocols import Surrogate, TrainedSurrogate
from sbitune.tuning.surrogates.regression.basis import count_terms, list_exponents

#: points of the fit of the errors for each of its terms, the fewest, and those at which accuracy is told
_POINTS_PER_TERM, _FEWEST_POINTS, _CHECKS = 4, 256, 512


class Accuracy(NamedTuple):
    """How close polynomials come to the surrogate, at points spread over the box."""

    exact: bool  #: the surrogate's means are polynomials themselves
    order: int  #: of the means
    worst: float  #: greatest |polynomial - surrogate's mean| in units of the surrogate's error (0 if exact)
    typical: float  #: the same as rms over bins and points
    error_order: int
    worst_error: float  #: greatest |error polynomial / surrogate's error - 1|
    typical_error: float  #: the same as rms
    note: str  #: all this in a sentence


def to_ipol(surrogate: TrainedSurrogate, runs: tuple[str, ...] = (), seed: int = 1) -> tuple[Interpolation, Accuracy]:
    """Polynomials of a surrogate, in Professor's order and scaling.

    Args:
        surrogate: any; polynomials of contents (`scale: linear`, with or without components) are taken over exactly.
        runs: names of the runs that it learnt from, for the header; of names that the format cannot hold, the number.
        seed: of the points at which others are projected, and accuracy is told.

    Raises:
        InputError: too many bins for a projection.
    """
    if isinstance(surrogate, IpolSurrogate):
        orders = surrogate.interpolation.orders.max(axis=0)
        kept = Accuracy(True, int(orders[0]), 0.0, 0.0, int(orders[1]), 0.0, 0.0, "polynomials are those of the file")
        return surrogate.interpolation, kept
    found = surrogate.legendre()
    exact, off = found is not None, (0.0, 0.0)
    if found is None:
        projected = compact(surrogate, max_numbers=_numbers(surrogate), seed=seed, logarithms=False)
        found, off = (projected.order, projected.coefficients), (projected.worst, projected.typical)
    order, legendre = found
    error_order = max(1, order)
    errors, error_off = _fit_errors(surrogate, error_order, seed)
    values = legendre_to_monomials(len(surrogate.parameters), order) @ legendre
    low, high = np.array([(p.low, p.high) for p in surrogate.parameters]).T
    named = runs if all(map(is_word, runs)) else ()
    note = _note(exact, order, off, error_off)
    # a line of the format: who reads the file learns how good it is
    header = {"ProfVersion": "2.4.0", "Summary": WRITTEN + note}
    interpolation = Interpolation(
        surrogate.parameters,
        surrogate.bins,
        tuple(Polynomial(order, column, low, high) for column in values.T),
        tuple(Polynomial(error_order, column, low, high) for column in errors.T),
        named,
        header | ({"NumInputs": str(len(runs))} if runs else {}),
    )
    return interpolation, Accuracy(exact, order, *off, error_order, *error_off, note)


def _note(exact: bool, order: int, off: tuple[float, float], error_off: tuple[float, float]) -> str:
    means = "exact" if exact else f"off by at most {off[0]:.2g} of the surrogate's error, {off[1]:.2g} as rms"
    return (
        f"means: polynomials of order {order}, {means}; errors: off by {error_off[1]:.1%} as rms, at most "
        f"{error_off[0]:.0%}; the correlation of errors between bins has no place in the format"
    )


def legendre_to_monomials(n_parameters: int, order: int) -> np.ndarray:
    """(n_terms, n_terms) matrix from coefficients of Legendre products of x = 2u - 1 to those of monomials of u.

    Rows stand in Professor's order, columns in that of `list_exponents`.

    >>> legendre_to_monomials(1, 2)  # P_2(2u - 1) = 1 - 6u + 6u^2
    array([[ 1., -1.,  1.],
           [ 0.,  2., -6.],
           [ 0.,  0.,  6.]])
    """
    table = np.zeros((order + 1, order + 1))  # [degree of the Legendre polynomial, power of u]
    for degree in range(order + 1):
        shifted = np.polynomial.Legendre.basis(degree, domain=[0.0, 1.0]).convert(kind=np.polynomial.Polynomial)
        table[degree, : len(shifted.coef)] = np.round(shifted.coef)  # whole numbers, binomial coefficients
    matrix = np.ones((count_terms(n_parameters, order),) * 2)
    degrees, powers = list_exponents(n_parameters, order), exponents(n_parameters, order)
    for column in range(n_parameters):
        matrix *= table[degrees[None, :, column], powers[:, None, column]]
    return matrix


def _numbers(surrogate: Surrogate) -> int:
    """Room for polynomials of some order: a file holds more than a page."""
    return 4 * count_terms(len(surrogate.parameters), 4) * len(surrogate.bins)


def _fit_errors(surrogate: Surrogate, order: int, seed: int) -> tuple[np.ndarray, tuple[float, float]]:
    """Coefficients (n_terms, n_bins) of the errors' polynomials, and their greatest and rms relative difference."""
    n = len(surrogate.parameters)
    wanted = max(_FEWEST_POINTS, _POINTS_PER_TERM * count_terms(n, order))
    fitted, checks = (_spread(n, size, seed + i) for i, size in enumerate((wanted, _CHECKS)))
    centre, half = parameter_box(surrogate.parameters)

    def errors_at(unit: np.ndarray) -> np.ndarray:
        return np.asarray(surrogate.predict_many(centre + half * (2 * unit - 1)).error, np.float64)

    coefficients = np.linalg.lstsq(monomials(fitted, order), errors_at(fitted), rcond=None)[0]
    truth, found = errors_at(checks), np.maximum(monomials(checks, order) @ coefficients, 0.0)
    off = np.abs(found[truth > 0] / truth[truth > 0] - 1)
    return coefficients, (float(off.max(initial=0.0)), float(np.sqrt(np.mean(off**2))) if off.size else 0.0)


def _spread(n_parameters: int, points: int, seed: int) -> np.ndarray:
    """At least so many points (n, n_parameters) in [0, 1], a little denser at the faces."""
    return 0.5 * (1 + np.sin(np.pi * (sobol_points(points, n_parameters, seed) - 0.5)))
