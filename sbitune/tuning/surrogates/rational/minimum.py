r"""The fit of a rational function to every bin: constrained Gauss-Newton with priors that the runs choose.

For one bin, with y and its noise s in units of the bin's spread, phi and psi products of Legendre polynomials,

    f(x) = phi(x) . a / q(x),   q(x) = 1 + psi(x) . b,

the minimum is looked for of

    1/2 sum_i (y_i - f(x_i))^2 / s_i^2 + 1/2 sum_t c_t^2 / v_t - mu sum_k log((1 + B_k . b - delta) / (1 - delta)),

c = (a, b). The last term is the barrier of an interior-point method: it is infinite where the proof that q has no zero
fails (`rational_positive`), and mu falls to a value at which it is felt only there. A step solves the problem with f
linearised, f' = (phi/q, -f psi/q), and goes as far as the barrier and the sum allow. (With y in place of f in f', as in
Sanathanan & Koerner, IEEE Trans. Autom. Control 8 (1963) 56, the noise of the runs would bias b.)

The variances v of the terms of one degree, in numerator and denominator each, are those that make the runs most
probable with f linearised (D. MacKay, Neural Computation 4 (1992) 415): v = sum_t m_t^2 / sum_t (1 - C_tt / v), with m
the solution without the barrier and C its covariance. Where runs do not ask for a denominator its v, and b with it, go
to 0: a polynomial is left, with the errors of one. For directions that runs do not determine, common factors of p and q
among them, v is bounded: a denominator that stays positive has |b| of order 1 at most.
"""

from typing import NamedTuple

import numpy as np

from sbitune.tuning.surrogates.rational.positive import DELTA

#: steps at most, and the greatest change of f in units of the noise at which they end
_STEPS, _SETTLED = 30, 0.02
#: mu times the number of Bernstein coefficients over chi2 per run, where that exceeds 1: at first, at the end, and the
#: steps of its fall
_BARRIER, _LEAST_BARRIER, _FALLS = 1.0, 1e-3, 6
#: part of the way to the barrier that a step may go
_TOWARDS = 0.9
#: variances of terms in units of the bin's spread: at first in numerator and denominator, bounds
_FIRST, _LOWEST, _HIGHEST = (1.0, 0.1), (1e-10, 1e-10), (1e4, 1 / 3)
#: added to the unit diagonal of a scaled matrix
_ROUNDING = 1e-12
#: a variance changes by this factor at most in a step
_CHANGE = 10.0


class Basis(NamedTuple):
    """What all bins have in common."""

    phi: np.ndarray  #: (n_runs, n_numerator)
    psi: np.ndarray  #: (n_runs, n_denominator), without the constant
    rows: np.ndarray  #: (n, n_denominator) see `bernstein_rows`; denominators are positive at the runs, too
    groups: tuple[np.ndarray, ...]  #: which terms, numerator first, share a variance; not the constant


class State(NamedTuple):
    """Where the fit of every bin stands, in units of its spread."""

    c: np.ndarray  #: (n_bins, n_terms) a and b
    v: np.ndarray  #: (n_bins, n_terms) variance of the prior, infinite for the constant


class Fitted(NamedTuple):
    """The minimum for some bins."""

    state: State
    covariance: np.ndarray  #: (n_bins, n_terms, n_terms) of c
    residuals: np.ndarray  #: (n_runs, n_bins) y - f
    used: np.ndarray  #: (n_bins,) number of terms that the runs determine, sum of 1 - C_tt / v_t
    penalty: np.ndarray  #: (n_bins,) sum of c_t^2 / v_t
    occam: np.ndarray  #: (n_bins,) log det(A + 1/v) + sum of log v_t, the constant left out: what terms cost


def without_denominator(basis: Basis) -> Basis:
    """The same for polynomials."""
    n_a = basis.phi.shape[1]
    groups = tuple(group for group in basis.groups if group[0] < n_a)
    return Basis(basis.phi, basis.psi[:, :0], basis.rows[:0, :0], groups)


def evaluate(basis: Basis, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The function f and its denominator q (n_runs, n_bins)."""
    n_a = basis.phi.shape[1]
    q = 1 + basis.psi @ c[:, n_a:].T
    return basis.phi @ c[:, :n_a].T / q, q


def find_minimum(basis: Basis, y: np.ndarray, noise: np.ndarray, state: State | None = None) -> Fitted:
    """Fit all bins.

    Args:
        basis: what the bins have in common.
        y: (n_runs, n_bins) in units of the bin's spread.
        noise: (n_runs, n_bins) the same, > 0.
        state: where a fit with a noise not far from this one ended; else f = 0.
    """
    falls = _FALLS if state is None else 0
    c, v = (array.copy() for array in (_start(basis, y.shape[1]) if state is None else state))
    open_ = np.arange(y.shape[1])
    for step in range(_STEPS):
        before = evaluate(basis, c[open_])[0]
        chi2 = np.mean(((y[:, open_] - before) / noise[:, open_]) ** 2, axis=0)
        mu = _height_of_barrier(step, falls) / max(1, len(basis.rows)) * np.maximum(1.0, chi2)
        c[open_], v[open_] = _take_step(basis, y[:, open_], noise[:, open_], c[open_], v[open_], mu)
        moved = np.abs(evaluate(basis, c[open_])[0] - before) / noise[:, open_]
        if step >= falls:
            open_ = open_[moved.max(axis=0) > _SETTLED]
        if not len(open_):
            break
    information, _, residuals = _linearise(basis, y, noise, c)
    covariance = _invert(information, v)
    used = np.sum(1 - np.einsum("btt->bt", covariance) / v, axis=1)
    occam = np.log(v[:, 1:]).sum(axis=1) - np.linalg.slogdet(covariance)[1]
    return Fitted(State(c, v), covariance, residuals, used, np.sum(c**2 / v, axis=1), occam)


def _start(basis: Basis, n_bins: int) -> State:
    n_a, n_b = basis.phi.shape[1], basis.psi.shape[1]
    v = np.concatenate([np.full(n_a, _FIRST[0]), np.full(n_b, _FIRST[1])])
    v[0] = np.inf
    return State(np.zeros((n_bins, n_a + n_b)), np.tile(v, (n_bins, 1)))


def _height_of_barrier(step: int, falls: int) -> float:
    return _LEAST_BARRIER if step >= falls else _BARRIER * (_LEAST_BARRIER / _BARRIER) ** (step / falls)


def _linearise(basis: Basis, y: np.ndarray, noise: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    """J^T J (n_bins, n_terms, n_terms), J^T r (n_bins, n_terms) and residuals; J and r in units of the noise."""
    f, q = evaluate(basis, c)
    scale = (1 / (q * noise)).T[:, :, None]
    slopes = np.concatenate([basis.phi * scale, -basis.psi * f.T[:, :, None] * scale], axis=2)
    r = y - f
    turned = slopes.transpose(0, 2, 1)
    return turned @ slopes, (turned @ (r / noise).T[:, :, None])[:, :, 0], r


def _take_step(
    basis: Basis, y: np.ndarray, noise: np.ndarray, c: np.ndarray, v: np.ndarray, mu: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    information, gradient, _ = _linearise(basis, y, noise, c)
    v = _update_variances(basis, information, gradient, c, v)
    n_a = basis.phi.shape[1]
    slope, curvature = _barrier(basis.rows, c[:, n_a:], mu)
    downhill = gradient - c / v
    downhill[:, n_a:] -= slope
    matrix = _add_to_diagonal(information, 1 / v)
    matrix[:, n_a:, n_a:] += curvature
    scale = 1 / np.sqrt(np.einsum("btt->bt", matrix))
    matrix *= scale[:, :, None] * scale[:, None, :]
    solved = np.linalg.solve(_add_to_diagonal(matrix, _ROUNDING), (scale * downhill)[:, :, None])
    return _search(basis, y, noise, c, v, mu, scale * solved[:, :, 0]), v


def _update_variances(
    basis: Basis, information: np.ndarray, gradient: np.ndarray, c: np.ndarray, v: np.ndarray
) -> np.ndarray:
    covariance = _invert(information, v)
    target = gradient + (information @ c[:, :, None])[:, :, 0]
    mean = (covariance @ target[:, :, None])[:, :, 0]
    sure = 1 - np.einsum("btt->bt", covariance) / v
    v, n_a = v.copy(), basis.phi.shape[1]
    for group in basis.groups:
        below = int(group[0] >= n_a)
        power = np.sum(mean[:, group] ** 2, axis=1)
        old = v[:, group[0]]
        new = power / np.maximum(np.sum(sure[:, group], axis=1), 1e-12)
        new = np.clip(new, old / _CHANGE, old * _CHANGE)
        v[:, group] = np.clip(new, _LOWEST[below], _HIGHEST[below])[:, None]
    return v


def _invert(information: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(A + diag(1/v))^-1, scaled to a unit diagonal meanwhile: terms differ by orders of magnitude."""
    matrix = _add_to_diagonal(information, 1 / v)
    scale = 1 / np.sqrt(np.einsum("btt->bt", matrix))
    both = scale[:, :, None] * scale[:, None, :]
    inverse = np.linalg.inv(matrix * both)
    return (inverse + inverse.transpose(0, 2, 1)) * (0.5 * both)


def _add_to_diagonal(matrix: np.ndarray, values: np.ndarray | float) -> np.ndarray:
    added = matrix.copy()
    np.einsum("btt->bt", added)[...] += values
    return added


def _barrier(rows: np.ndarray, b: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (n_bins, n_denominator) and Hessian of the barrier."""
    inverse = 1 / (1 + b @ rows.T - DELTA)
    hessian = np.array([(rows * (w**2)[:, None]).T @ rows for w in inverse]).reshape(len(b), b.shape[1], b.shape[1])
    return -mu[:, None] * (inverse @ rows), mu[:, None, None] * hessian


def _height(basis: Basis, y: np.ndarray, noise: np.ndarray, c: np.ndarray, v: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """(n_bins,) what is minimised."""
    f, _ = evaluate(basis, c)
    above = 1 + c[:, basis.phi.shape[1] :] @ basis.rows.T - DELTA
    return (
        0.5 * np.sum(((y - f) / noise) ** 2, axis=0) + 0.5 * np.sum(c**2 / v, axis=1) - mu * np.log(above).sum(axis=1)
    )


def _search(
    basis: Basis, y: np.ndarray, noise: np.ndarray, c: np.ndarray, v: np.ndarray, mu: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """Go along the step, first as far as the barrier allows, then half as far each time until the sum falls."""
    n_a = basis.phi.shape[1]
    above = 1 + c[:, n_a:] @ basis.rows.T - DELTA
    fall = -(step[:, n_a:] @ basis.rows.T)
    steepest = np.max(fall / above, axis=1, initial=0.0)
    far = np.minimum(1.0, _TOWARDS / np.maximum(steepest, _TOWARDS))
    here, result = _height(basis, y, noise, c, v, mu), c.copy()
    left = np.arange(len(c))
    for _ in range(8):
        trial = c[left] + far[left, None] * step[left]
        lower = _height(basis, y[:, left], noise[:, left], trial, v[left], mu[left]) <= here[left]
        result[left[lower]] = trial[lower]
        left = left[~lower]
        if not len(left):
            break
        far[left] /= 2
    return result
