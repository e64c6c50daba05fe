"""Professor's `ipol.dat` as a surrogate that can be fitted, and surrogates as `ipol.dat`.

What Professor calls the error of a bin, a polynomial through the Monte Carlo errors of the runs, takes the place of the
surrogate's error, as in `prof2-tune`: it is that of one run, and no statement about the polynomial.

A surrogate goes the other way exactly if it is a polynomial of the contents: with x = 2u - 1 every Legendre polynomial
of x is one of u, and a product of them of total degree n has monomials up to n only. Others are projected first, see
`compact`. The error of a surrogate is the root of a quadratic form, no polynomial: it is fitted by least squares.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from sbitune.data.bins import Bins
from sbitune.data.ipol import Interpolation, Polynomial, exponents, is_word, monomials
from sbitune.data.scan import Parameter, parameter_box
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate
from sbitune.tuning.surrogates.forms.compact import compact
from sbitune.tuning.surrogates.heldout.evaluation import Surrogate
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate
from sbitune.tuning.surrogates.regression.basis import count_terms, list_exponents
from sbitune.tuning.surrogates.regression.covariance import correlate

#: points of the fit of the errors for each of its terms, the fewest, and those at which accuracy is told
_POINTS_PER_TERM, _FEWEST_POINTS, _CHECKS = 4, 256, 512


#: how the summary of a file begins
WRITTEN = "written by sbitune: "


class _Group(NamedTuple):
    """Bins whose polynomials have one order and one box."""

    members: np.ndarray  #: (n,) which bins
    order: int
    low: np.ndarray  #: (n_parameters,)
    high: np.ndarray  #: (n_parameters,)
    coefficients: np.ndarray  #: (n_terms, n)


@dataclass(frozen=True, eq=False)
class IpolSurrogate:
    """The polynomials of an `ipol.dat`. Satisfies `BinnedModel`; errors are independent from bin to bin."""

    interpolation: Interpolation
    correlation: np.ndarray | None = None  #: the file does not tell

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """With the box that the runs span."""
        return self.interpolation.parameters

    @property
    def bins(self) -> Bins:
        """(n_bins,) those of the file."""
        return self.interpolation.bins

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        mean, error = (_evaluate(groups, theta, len(self.bins)) for groups in self._groups)
        return Prediction(mean, jnp.maximum(error, 0.0))

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) with NumPy in float64: mean and error (n, n_bins)."""
        return Prediction(*self.interpolation.evaluate(np.asarray(theta, np.float64)))

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX."""
        return correlate(self.predict(theta).error, None, indices)

    @cached_property
    def _groups(self) -> tuple[list[_Group], list[_Group]]:
        return _group(self.interpolation.value), _group(self.interpolation.error)


def _group(polynomials: tuple[Polynomial, ...]) -> list[_Group]:
    alike: dict[tuple[int, bytes, bytes], list[int]] = {}
    for i, polynomial in enumerate(polynomials):
        key = (polynomial.order, polynomial.low.tobytes(), polynomial.high.tobytes())
        alike.setdefault(key, []).append(i)
    return [
        _Group(np.array(members), *_shape(polynomials[members[0]]), _coefficients(polynomials, members))
        for members in alike.values()
    ]


def _shape(polynomial: Polynomial) -> tuple[int, np.ndarray, np.ndarray]:
    return polynomial.order, polynomial.low, polynomial.high


def _coefficients(polynomials: tuple[Polynomial, ...], members: list[int]) -> np.ndarray:
    return np.array([polynomials[i].coefficients for i in members]).T


def _evaluate(groups: list[_Group], theta: Any, n_bins: int) -> Any:
    """(n_bins,) at theta (n_parameters,), traceable; 0 without polynomials."""
    result = jnp.zeros(n_bins, theta.dtype)
    for group in groups:
        low, high = (jnp.asarray(end, theta.dtype) for end in (group.low, group.high))
        unit = (theta - low) / (high - low)
        # x ** k has no derivative of integer powers at 0 that JAX would find for an array of k
        powers = [jnp.ones_like(unit)]
        for _ in range(group.order):
            powers.append(powers[-1] * unit)
        table, terms = jnp.stack(powers), 1.0
        for column, power in enumerate(exponents(len(low), group.order).T):
            terms = terms * table[power, column]
        values = terms @ jnp.asarray(group.coefficients, theta.dtype)
        result = result.at[group.members].set(values)
    return result


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


def to_ipol(surrogate: Surrogate, runs: tuple[str, ...] = (), seed: int = 1) -> tuple[Interpolation, Accuracy]:
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
    found = legendre_coefficients(surrogate)
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


def told_of(interpolation: Interpolation) -> str:
    """What an `ipol.dat` of sbitune says of the surrogate that it was made from; nothing of others."""
    summary = interpolation.header.get("Summary", "")
    return summary.removeprefix(WRITTEN) if summary.startswith(WRITTEN) else ""


def _note(exact: bool, order: int, off: tuple[float, float], error_off: tuple[float, float]) -> str:
    means = "exact" if exact else f"off by at most {off[0]:.2g} of the surrogate's error, {off[1]:.2g} as rms"
    return (
        f"means: polynomials of order {order}, {means}; errors: off by {error_off[1]:.1%} as rms, at most "
        f"{error_off[0]:.0%}; the correlation of errors between bins has no place in the format"
    )


def legendre_coefficients(surrogate: Surrogate) -> tuple[int, np.ndarray] | None:
    """Order and coefficients (n_terms, n_bins) of a surrogate whose means are polynomials; None for others.

    The terms are products of Legendre polynomials in the order of `list_exponents`.
    """
    if isinstance(surrogate, JoinedSurrogate):
        return _of_blocks(surrogate)
    if isinstance(surrogate, PolynomialSurrogate):
        return None if surrogate.log.any() else (surrogate.order, surrogate.coefficients)
    if not isinstance(surrogate, ComponentSurrogate) or surrogate.components.log.any():
        return None
    inner = legendre_coefficients(surrogate.inner)
    left = None if surrogate.left is None else legendre_coefficients(surrogate.left)
    if inner is None or (surrogate.left is not None and left is None):
        return None
    order = max(inner[0], -1 if left is None else left[0])
    coefficients = np.zeros((count_terms(len(surrogate.parameters), order), len(surrogate.bins)))
    coefficients[0] = surrogate.components.centre
    coefficients[: len(inner[1])] += inner[1] @ surrogate.components.loadings  # lower orders are the first terms
    if left is not None:
        coefficients[: len(left[1]), surrogate.left_bins] += left[1]
    return order, coefficients


def _of_blocks(surrogate: JoinedSurrogate) -> tuple[int, np.ndarray] | None:
    """The same of blocks that know some of the parameters: the terms in the others have no coefficient."""
    found = [legendre_coefficients(member.surrogate) for member in surrogate.members]
    known = [part for part in found if part is not None]
    if len(known) < len(found):
        return None
    n, order = len(surrogate.parameters), max(part[0] for part in known)
    place = {tuple(row): i for i, row in enumerate(list_exponents(n, order).astype(int).tolist())}
    coefficients = np.zeros((len(place), len(surrogate.bins)))
    for member, (own, numbers) in zip(surrogate.members, known, strict=True):
        exponents_of = np.zeros((len(numbers), n), int)
        exponents_of[:, member.columns] = list_exponents(len(member.columns), own)
        rows = [place[tuple(row)] for row in exponents_of.tolist()]
        coefficients[np.array(rows)[:, None], member.bins] = numbers
    return order, coefficients


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
    sobol = qmc.Sobol(n_parameters, rng=seed).random_base2(int(np.ceil(np.log2(points))))
    return 0.5 * (1 + np.sin(np.pi * (sobol - 0.5)))
