"""Any surrogate as one polynomial: small, and evaluated by whoever can multiply and add (a page in a browser, say).

The means of a surrogate are projected on products of Legendre polynomials by least squares, in the logarithm where that
is closer, and so are the logarithms of its errors. The points are quasi-random (Sobol) and denser towards the faces of
the box, as Chebyshev's are: there least squares comes close to the smallest greatest difference (L. N. Trefethen,
Approximation Theory and Approximation Practice, SIAM 2013, chapter 4), which for evenly spread points grows at the
faces, beyond which there are none. The total degree is raised until the greatest difference at other points, corners of
the box among them, is small enough.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import scipy.linalg

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter, parameter_box
from sbitune.data.sobol import sobol_points
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents

#: coefficients that fit into about 1 MB as float32 in base64
MAX_NUMBERS = 190_000
#: greatest difference at which raising the order ends, in units of `unit`
TOLERANCE = 0.1
#: and the rms of the relative difference of errors: they are drawn as bands, and no number is made of them
ERROR_TOLERANCE = 0.05
MAX_ORDER, MAX_TERMS = 12, 800
#: raising the order ends, too, when so many orders in a row have not lowered the difference by a tenth
_PATIENCE = 2
#: points per term, and the fewest; those of the check
_POINTS_PER_TERM, _FEWEST_POINTS, _CHECKS = 3, 256, 1024
#: surrogates are asked for this many points at once, always the same number: JAX compiles once per shape
_CHUNK = 64
_MOST_CORNERS = 256
#: a bin is projected in the logarithm if that lowers its greatest difference by more than this factor
_LOG_HELPS = 0.7


class ManyPoints(Protocol):
    """What is needed of a surrogate."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters with the box."""
        ...

    def predict_many(self, theta: np.ndarray) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters): NumPy arrays (n, n_bins)."""
        ...


@dataclass(frozen=True, eq=False)
class Compact:
    """A polynomial for the mean of every bin and one for its error.

    With phi the Legendre products at the point scaled to [-1, 1] in every parameter, the first of them where fewer are
    needed: mean = phi . coefficients, or its exponential where `log`; error = exp(phi . error_coefficients).
    """

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    exponents: np.ndarray  #: (n, n_parameters) degrees, lowest total degree first; enough for both
    coefficients: np.ndarray  #: (n_terms, n_bins) float64
    error_coefficients: np.ndarray  #: (n_error_terms, n_bins) float64
    log: np.ndarray  #: (n_bins,) True where the logarithm of the mean is projected
    worst: float  #: greatest |mean - surrogate's mean| at independent points, in the unit that was asked for
    typical: float  #: the same as rms over bins and over points spread evenly in the box
    typical_error: float  #: rms of error / surrogate's error - 1 there, where the surrogate has an error
    order: int  #: total degree of the mean

    def predict_many(self, theta: np.ndarray) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters): mean and error (n, n_bins) in float64."""
        centre, half = parameter_box(self.parameters)
        phi = evaluate_basis((np.asarray(theta, np.float64) - centre) / half, self.exponents)
        mean, log_error = (phi[:, : len(c)] @ c for c in (self.coefficients, self.error_coefficients))
        return Prediction(_contents(mean, self.log), np.exp(log_error))


def compact(
    surrogate: ManyPoints,
    bins: np.ndarray | None = None,
    unit: np.ndarray | None = None,
    anchor: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
    max_numbers: int = MAX_NUMBERS,
    seed: int = 1,
    logarithms: bool = True,
    means: bool = True,
) -> Compact:
    """Project a surrogate on a polynomial.

    A surrogate whose means are polynomials comes back to rounding if `tolerance` asks for it, 1e-9 say.

    Args:
        surrogate: asked for some thousand points.
        bins: (n_bins,) which of the surrogate's bins to take; all if not given.
        unit: (n_bins,) > 0, in which differences count: measured errors, say. If not given, the surrogate's own error
            at each point, or a millionth of the bin's greatest mean where that is more.
        anchor: (n_parameters,) a point where means and errors shall be right to rounding: a tune, say.
        tolerance: the order is raised until the greatest difference is below this many units,
        max_numbers: or as far as this many coefficients, those of errors included, allow and it helps.
        seed: of the scrambling of the points.
        logarithms: whether logarithms of means may be projected where that is closer.
        means: whether to project means, too; else errors alone, and the means' coefficients are none.

    Raises:
        InputError: if not even a plane fits into `max_numbers`, or `unit` is not positive.
        ComputationError: if the surrogate is not finite somewhere in the box.
    """
    if unit is not None and not (np.isfinite(unit) & (np.asarray(unit) > 0)).all():
        raise InputError("the unit of differences must be positive in every bin")
    samples = _Samples(surrogate, bins, anchor, seed)
    n_parameters, n_bins = len(surrogate.parameters), samples.checks.mean.shape[1]
    least = count_terms(n_parameters, 1) * n_bins
    if 2 * least > max_numbers:
        raise InputError(f"polynomials of {n_bins} bins in {n_parameters} parameters need over {max_numbers} numbers")
    order, mean = 0, _Projected(np.zeros((0, n_bins)), np.zeros(n_bins, bool), 0.0, 0.0, 0.0)
    if means:
        order, mean = _raise_order(samples, _project_mean, (unit, logarithms), tolerance, max_numbers - least)
    error_order, error = _raise_order(
        samples, _project_error, (), ERROR_TOLERANCE, max_numbers - mean.coefficients.size
    )
    return Compact(
        parameters=surrogate.parameters,
        exponents=list_exponents(n_parameters, max(order, error_order)),
        coefficients=mean.coefficients,
        error_coefficients=error.coefficients,
        log=mean.log,
        worst=mean.worst,
        typical=mean.typical,
        typical_error=error.typical,
        order=order,
    )


class _Sample(NamedTuple):
    """A surrogate's answers."""

    points: np.ndarray  #: (n, n_parameters) in [-1, 1]
    mean: np.ndarray  #: (n, n_bins)
    error: np.ndarray  #: (n, n_bins)


class _Projected(NamedTuple):
    coefficients: np.ndarray  #: (n_terms, n_bins)
    log: np.ndarray  #: (n_bins,)
    worst: float
    typical: float
    judged: float  #: what shall become tolerable: one of the two


class _Samples:
    """A surrogate at points: those of the projection, drawn as they are needed, those of the check and the anchor."""

    def __init__(self, surrogate: ManyPoints, bins: np.ndarray | None, anchor: np.ndarray | None, seed: int) -> None:
        self._surrogate, self._bins, self._seed = surrogate, bins, seed
        self._centre, self._half = parameter_box(surrogate.parameters)
        self._fit: _Sample | None = None
        self._kept: tuple[int, np.ndarray, np.ndarray] | None = None
        self.checks = self._ask(self._check_points())
        self.anchor = None if anchor is None else self._ask(((np.asarray(anchor) - self._centre) / self._half)[None])

    @property
    def n_parameters(self) -> int:
        return len(self._centre)

    def exponents(self, order: int) -> np.ndarray:
        """(n_terms, n_parameters) degrees of the terms."""
        return list_exponents(self.n_parameters, order)

    def at(self, order: int) -> _Sample:
        """Points enough for the terms of an order."""
        wanted = max(_FEWEST_POINTS, _POINTS_PER_TERM * count_terms(self.n_parameters, order))
        if self._fit is None or len(self._fit.points) < wanted:
            self._fit = self._ask(_towards_faces(self._spread(wanted, self._seed)))
        return self._fit

    def least_squares(self, order: int, scaled: Callable[[_Sample], np.ndarray]) -> np.ndarray:
        """(n_terms, n_bins) coefficients for which phi . coefficients is closest to the scaled answers.

        At the anchor, if there is one, they agree: there both sides are taken off, and the constant term, which then
        is gone, is what makes up for it.
        """
        values = scaled(self.at(order))
        if self.anchor is None:
            q, triangle = self._factors(order, None)
            return scipy.linalg.solve_triangular(triangle, q.T @ values)
        at, value = evaluate_basis(self.anchor.points, self.exponents(order)), scaled(self.anchor)
        q, triangle = self._factors(order, at)
        slopes = scipy.linalg.solve_triangular(triangle, q.T @ (values - value))
        return np.concatenate([value - at[:, 1:] @ slopes, slopes])

    def _factors(self, order: int, at: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Q and R of the terms at the points, less those at the anchor; kept, as means and errors share them."""
        if self._kept is None or self._kept[0] != order:
            phi = evaluate_basis(self.at(order).points, self.exponents(order))
            q, triangle = np.linalg.qr(phi if at is None else (phi - at)[:, 1:])
            self._kept = (order, q, triangle)
        return self._kept[1:]

    def _spread(self, n: int, seed: int) -> np.ndarray:
        """At least n points (2^m, n_parameters), evenly in [-1, 1]."""
        return 2 * sobol_points(n, self.n_parameters, seed) - 1

    def _check_points(self) -> np.ndarray:
        even = self._spread(_CHECKS, self._seed + 1)
        corners = itertools.islice(itertools.product((-1.0, 1.0), repeat=self.n_parameters), _MOST_CORNERS)
        return np.concatenate([even[: _CHECKS // 2], _towards_faces(even[_CHECKS // 2 :]), list(corners)])

    def _ask(self, points: np.ndarray) -> _Sample:
        theta = self._centre + self._half * points
        padded = np.concatenate([theta, np.repeat(theta[-1:], -len(theta) % _CHUNK, axis=0)])
        chosen = slice(None) if self._bins is None else self._bins
        chunks = (padded[start : start + _CHUNK] for start in range(0, len(padded), _CHUNK))
        answers = [[np.asarray(a, np.float64)[:, chosen] for a in self._surrogate.predict_many(c)] for c in chunks]
        mean, error = (np.concatenate(parts)[: len(theta)] for parts in zip(*answers, strict=True))
        bad = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(error)).all(axis=1))
        if len(bad):
            names = (p.name for p in self._surrogate.parameters)
            where = ", ".join(f"{name} = {x:.6g}" for name, x in zip(names, theta[bad[0]], strict=True))
            raise ComputationError(f"the surrogate is not finite for {where}")
        return _Sample(points, mean, error)


def _towards_faces(points: np.ndarray) -> np.ndarray:
    """Give points spread evenly in [-1, 1] the density of Chebyshev's."""
    return np.sin(np.pi / 2 * points)


def _raise_order(
    samples: _Samples, project: Callable[..., _Projected], arguments: tuple, tolerance: float, max_numbers: int
) -> tuple[int, _Projected]:
    """The first order whose difference is tolerable, or the best that is allowed and worth trying."""
    best: tuple[int, _Projected] | None = None
    stalled = 0
    for order in range(1, MAX_ORDER + 1):
        terms = count_terms(samples.n_parameters, order)
        too_large = terms > MAX_TERMS or terms * samples.checks.mean.shape[1] > max_numbers
        if best is not None and (too_large or stalled >= _PATIENCE or best[1].judged <= tolerance):
            break
        found = project(samples, order, *arguments)
        stalled = 0 if best is None or found.judged < 0.9 * best[1].judged else stalled + 1
        if best is None or found.judged < best[1].judged:
            best = (order, found)
    assert best is not None
    return best


def _project_mean(samples: _Samples, order: int, unit: np.ndarray | None, logarithms: bool) -> _Projected:
    checks = samples.checks
    if unit is None:
        tiny = 1e-6 * np.abs(checks.mean).max(axis=0)
        unit = np.maximum(checks.error, np.where(tiny > 0, tiny, 1.0))
    positive = np.asarray((samples.at(order).mean > 0).all(axis=0) & (checks.mean > 0).all(axis=0))
    linear, off = _fit_contents(samples, order, np.zeros(len(positive), bool), unit)
    if not logarithms:
        worst, typical = _summary(off)
        return _Projected(linear, np.zeros(len(positive), bool), worst, typical, worst)
    logarithmic, log_off = _fit_contents(samples, order, positive, unit)
    log = positive & (log_off.max(axis=0) < _LOG_HELPS * off.max(axis=0))
    off = np.where(log, log_off, off)
    worst, typical = _summary(off)
    return _Projected(np.where(log, logarithmic, linear), log, worst, typical, worst)


def _fit_contents(samples: _Samples, order: int, log: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n_terms, n_bins) of means or their logarithms, and differences (n_checks, n_bins) of the means."""

    def scaled(sample: _Sample) -> np.ndarray:
        return np.where(log, np.log(np.where(log, sample.mean, 1.0)), sample.mean)

    coefficients = samples.least_squares(order, scaled)
    values = _contents(evaluate_basis(samples.checks.points, samples.exponents(order)) @ coefficients, log)
    return coefficients, np.abs(values - samples.checks.mean) / unit


def _project_error(samples: _Samples, order: int) -> _Projected:
    # an error of 0 has no logarithm: a billionth of the content, which nobody sees, stands for it
    floor = 1e-9 * np.abs(samples.checks.mean).max(axis=0)
    floor = np.where(floor > 0, floor, 1e-300)
    coefficients = samples.least_squares(order, lambda sample: np.log(np.maximum(sample.error, floor)))
    errors = np.exp(evaluate_basis(samples.checks.points, samples.exponents(order)) @ coefficients)
    known = samples.checks.error > floor
    off = np.abs(errors / np.where(known, samples.checks.error, errors) - 1)
    worst, typical = _summary(off)
    return _Projected(coefficients, np.ones(len(floor), bool), worst, typical, typical)


def _summary(off: np.ndarray) -> tuple[float, float]:
    """The greatest of the differences (n_checks, n_bins) and the rms of those at points spread evenly."""
    return float(off.max(initial=0)), float(np.sqrt(np.mean(off[: _CHECKS // 2] ** 2)))


def _contents(polynomial: np.ndarray, log: np.ndarray) -> np.ndarray:
    return np.where(log, np.exp(np.where(log, polynomial, 0.0)), polynomial)
