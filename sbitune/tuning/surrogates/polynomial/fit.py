"""The fit of a polynomial to every bin of a scan; what it minimises is in `surrogate`."""

import numpy as np
import scipy.linalg

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.polynomial.shrinkage import shrink
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate
from sbitune.tuning.surrogates.regression.basis import (
    check_room,
    count_terms,
    evaluate_basis,
    in_blocks,
    list_exponents,
)
from sbitune.tuning.surrogates.regression.lack_of_fit import CHANCE, find_tau
from sbitune.tuning.surrogates.regression.outputs import make_targets
from sbitune.tuning.surrogates.regression.triangles import invert_triangles

#: bins are fitted in blocks whose weighted design matrices take about this many numbers
BLOCK_NUMBERS = 8_000_000


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
            f"the scan has {n_runs}: add runs or lower the order",
            code="surrogate-too-few-runs",
        )
    design = evaluate_basis(scan.unit(), list_exponents(n_parameters, order))
    singular = np.linalg.svd(design, compute_uv=False)
    if singular[-1] < 1e-10 * singular[0]:
        raise InputError(
            f"the {n_runs} runs do not determine a polynomial of order {order}: too few different values of a "
            "parameter, or runs on a line; spread the runs over the box or lower the order",
            code="surrogate-undetermined",
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
