"""Polynomial surrogates: weighted least squares per bin, with an error that counts what the polynomial misses.

For one bin let phi(theta) be the basis, y_i the content in run i and s_i its smoothed Monte Carlo error. The model is

    y_i = phi(theta_i) . c + d_i + e_i,    e_i ~ N(0, s_i^2),    d_i ~ N(0, tau^2),

where d is what the polynomial cannot describe. The coefficients minimise chi2 = sum r_i^2 / (s_i^2 + tau^2); their
covariance C is the inverse of the weighted normal matrix. tau is 0 unless chi2 without it exceeds its number of degrees
of freedom by more than z0 = 1.5 standard deviations s = sqrt(2 ndf). If it does by z of them, tau makes chi2 = ndf +
s z0^2 / z: the method of Mandel & Paule, Analytical Chemistry 42 (1970) 1194, here for a regression, less what chance
would give (every sixth polynomial that misses nothing has z > 1, and tau of few runs would be their noise). The error
of the prediction is

    error(theta)^2 = phi^T C phi + tau^2.

Coefficients that the runs cannot tell from zero are shrunk, with their covariance (see `shrinkage`). Without tau^2 the
error of a polynomial that misses the truth would vanish as the number of runs grows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.scan import Parameter, Scan, parameter_box
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.polynomial.shrinkage import shrink
from sbitune.tuning.surrogates.regression.basis import (
    check_room,
    count_terms,
    evaluate_basis,
    in_blocks,
    list_exponents,
)
from sbitune.tuning.surrogates.regression.binbybin import BinByBin
from sbitune.tuning.surrogates.regression.outputs import Scale, make_targets, root, to_contents
from sbitune.tuning.surrogates.regression.triangles import invert_triangles

#: standard deviations by which chi2 may exceed ndf before it counts as more than chance: with 1 errors of parameters
#: from 24 to 128 runs come out 15 % too large, with 3 what a low order misses of few runs is overlooked
CHANCE = 1.5
#: bins are fitted in blocks whose weighted design matrices take about this many numbers
BLOCK_NUMBERS = 8_000_000


@dataclass(frozen=True, eq=False)
class PolynomialSurrogate(BinByBin):
    """A polynomial for every bin. Satisfies `BinnedModel`."""

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    bins: Bins  #: (n_bins,)
    order: int  #: highest total degree
    coefficients: np.ndarray  #: (n_terms, n_bins) on the fitted scale
    factor: np.ndarray  #: (n_bins, n_terms, n_terms) with C = factor @ factor.T, inflation included
    tau: np.ndarray  #: (n_bins,) lack of fit, on the fitted scale
    chi2: np.ndarray  #: (n_bins,) without tau: how well the polynomial describes the runs
    ndf: int  #: runs - terms
    log: np.ndarray  #: (n_bins,) True where the logarithm of the content is fitted
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the errors; None: independent

    def _evaluate(self, theta: Any, xp: Any) -> Prediction:
        centre, half, coefficients, factor, tau = (
            xp.asarray(array, dtype=theta.dtype)
            for array in (*parameter_box(self.parameters), self.coefficients, self.factor, self.tau)
        )
        terms = evaluate_basis((theta - centre) / half, list_exponents(len(centre), self.order), xp)
        projected = xp.tensordot(terms, factor, axes=((-1,), (1,)))  # faster than einsum
        variance = xp.sum(projected**2, axis=-1) + tau**2
        return Prediction(*to_contents(terms @ coefficients, root(variance, xp), self.log, xp))


def fit_polynomial(scan: Scan, order: int, scale: Scale = "linear", shrinkage: bool = True) -> PolynomialSurrogate:
    """Fit a polynomial of total degree `order` to every bin of a scan.

    Args:
        scan: the runs.
        order: highest total degree, 0 or more.
        shrinkage: whether terms that the runs cannot tell from zero are shrunk; off: plain least squares.
        scale: `linear` fits the contents; `log` their logarithm, in bins that are positive in every run.

    Raises:
        InputError: fewer runs than the order needs, runs that do not determine all terms, or more terms and bins than
            fit into memory.
    """
    design = _make_design(scan, order)
    check_room(len(scan.bins), design.shape[1], f"a polynomial of order {order} in {len(scan.parameters)} parameters")
    targets = make_targets(scan, scale)
    # a bin without any Monte Carlo error: all runs count the same, and the residuals alone tell the error
    known = targets.errors.max(axis=0) > 0
    spread = np.ptp(targets.values, axis=0) + np.abs(targets.values).max(axis=0) * np.finfo(float).eps
    noise = np.where(known, targets.errors, np.where(spread > 0, spread, 1.0))
    degrees = np.sum(list_exponents(len(scan.parameters), order), axis=1).astype(int)
    blocks = in_blocks(len(scan.bins), design.size, BLOCK_NUMBERS)
    fits = [
        _fit_block(design, degrees if shrinkage else None, targets.values[:, b], noise[:, b], known[b]) for b in blocks
    ]
    coefficients, factor, tau, chi2 = (np.concatenate(parts) for parts in zip(*fits, strict=True))
    return PolynomialSurrogate(
        parameters=scan.parameters,
        bins=scan.bins,
        order=order,
        coefficients=np.ascontiguousarray(coefficients.T),
        factor=factor,
        tau=tau,
        chi2=chi2,
        ndf=len(scan.runs) - design.shape[1],
        log=targets.log,
    )


def _make_design(scan: Scan, order: int) -> np.ndarray:
    n_runs, n_parameters = scan.theta.shape
    if order < 0:
        raise InputError(f"polynomial order {order}: must be 0 or more")
    needed = count_terms(n_parameters, order) + 1
    if n_runs < needed:
        raise InputError(
            f"a polynomial of order {order} in {n_parameters} parameters needs at least {needed} runs, "
            f"the scan has {n_runs}: add runs or lower the order"
        )
    design = evaluate_basis(scan.unit(), list_exponents(n_parameters, order))
    singular = np.linalg.svd(design, compute_uv=False)
    if singular[-1] < 1e-10 * singular[0]:
        raise InputError(
            f"the {n_runs} runs do not determine a polynomial of order {order}: too few different values of a "
            "parameter, or runs on a line; spread the runs over the box or lower the order"
        )
    return design


def _fit_block(
    design: np.ndarray, degrees: np.ndarray | None, values: np.ndarray, noise: np.ndarray, known: np.ndarray
) -> tuple:
    """Return coefficients (n_bins, n_terms), factor, tau and chi2 of some bins; `known`: their noise is known."""
    ndf = design.shape[0] - design.shape[1]
    basis = np.linalg.qr(design)
    coefficients, triangle, residuals = _solve(*basis, values, noise)
    chi2 = np.sum((residuals / noise) ** 2, axis=0)
    tau = np.zeros(values.shape[1])
    bad = np.flatnonzero((chi2 > ndf + CHANCE * np.sqrt(2 * ndf)) & known)
    for _ in range(10 if len(bad) else 0):  # the residuals depend on tau only weakly: two or three turns do
        before = tau[bad]
        tau[bad] = find_tau(residuals[:, bad], noise[:, bad], ndf)
        total = np.hypot(noise[:, bad], tau[bad])
        coefficients[bad], triangle[bad], residuals[:, bad] = _solve(*basis, values[:, bad], total)
        if np.allclose(before, tau[bad], rtol=1e-2, atol=0):
            break
    left = np.sum(residuals**2 / (noise**2 + tau**2), axis=0) / ndf
    # the noise of a bin that quotes none was a guess: its residuals set the scale, downwards too
    inflation = np.where(known, 1.0, left)
    factor = invert_triangles(triangle) * np.sqrt(inflation)[:, None, None]
    sure = np.flatnonzero(known)
    if len(sure) and degrees is not None:
        root = triangle[sure] / np.sqrt(inflation[sure])[:, None, None]
        coefficients[sure], factor[sure] = shrink(coefficients[sure], factor[sure], root, degrees)
    return coefficients, factor, tau, np.where(known, chi2, ndf)


def _solve(
    q: np.ndarray, r: np.ndarray, values: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve the weighted least squares of many bins: by normal equations, as these multiply matrices only, but in the
    orthonormal basis q of the design = q @ r, in which they are as well conditioned as the noise is even.

    Returns coefficients (n_bins, n_terms), the triangle R (n_bins, n_terms, n_terms) for which the inverse of
    R.T @ R is their covariance, and residuals (n_runs, n_bins).
    """
    weights = 1 / noise**2
    typical = np.sqrt(weights.mean(axis=0))  # keeps the numbers near 1
    weights = weights / typical**2
    lower = np.linalg.cholesky((q.T * weights.T[:, None]) @ q)
    white = np.linalg.solve(lower, ((weights * values).T @ q)[:, :, None])
    turned = np.linalg.solve(lower.transpose(0, 2, 1), white)[:, :, 0]
    coefficients = scipy.linalg.solve_triangular(r, turned.T).T
    triangle = typical[:, None, None] * (lower.transpose(0, 2, 1) @ r)
    return coefficients, triangle, values - q @ turned.T


def find_tau(residuals: np.ndarray, noise: np.ndarray, ndf: int | np.ndarray) -> np.ndarray:
    """Return tau (n_bins,) with sum(residuals^2 / (noise^2 + tau^2)) = ndf + what chance adds, by Newton's method; 0
    where none is needed. See above.

    The sum falls and is convex in tau^2: from below, steps never go too far.
    """
    squares, variance = residuals**2, noise**2
    scatter = np.sqrt(2 * np.asarray(ndf, float))
    chi2 = np.sum(np.divide(squares, variance, out=np.full_like(squares, np.inf), where=variance > 0), axis=0)
    ndf = ndf + scatter * CHANCE**2 / np.maximum((chi2 - ndf) / scatter, CHANCE)
    tau2 = np.maximum(np.sum(squares, axis=0) / ndf - variance.max(axis=0), 0.0)
    for _ in range(100):
        total = variance + tau2
        ratio = np.divide(squares, total, out=np.zeros_like(squares), where=total > 0)
        slope = np.sum(np.divide(ratio, total, out=np.zeros_like(squares), where=total > 0), axis=0)
        above = np.sum(ratio, axis=0) - ndf
        step = np.where(above > 0, above / np.where(slope > 0, slope, 1.0), 0.0)
        tau2 = tau2 + step
        if (step <= 1e-10 * tau2).all():
            break
    return np.sqrt(tau2)
