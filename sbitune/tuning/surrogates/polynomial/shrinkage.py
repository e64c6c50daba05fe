"""Shrinking polynomial coefficients that the runs cannot tell from zero.

Least squares gives every coefficient its noise, and the noise of many small terms spoils the slopes that a fit lives
on. The coefficients of one bin and one degree are therefore taken to stem from N(0, v), with v chosen to make the runs
most probable (empirical Bayes: D. MacKay, Neural Computation 4 (1992) 415). With c the least-squares solution, A the
inverse of its covariance and L = diag(1/v):

    c' = (A + L)^-1 A c,   covariance (A + L)^-1,   v = sum of c'^2 / sum of (1 - covariance / v) over the degree

repeated until v stays. Terms that the runs determine are left as they are; the constant is never shrunk.
"""

import numpy as np

from sbitune.tuning.surrogates.regression.triangles import inverse_roots

#: v settles in a few turns; where it goes to 0 nothing changes any more long before
_TURNS = 40
_SETTLED = 0.01
#: terms that the runs determine, so that they may be none
_LEAST = 1e-9


def shrink(
    coefficients: np.ndarray, factor: np.ndarray, root: np.ndarray, degrees: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shrink the coefficients of many bins, degree by degree.

    Args:
        coefficients: (n_bins, n_terms) least-squares solution.
        factor: (n_bins, n_terms, n_terms) with covariance = factor @ factor.T.
        root: (n_bins, n_terms, n_terms) with inverse covariance = root.T @ root.
        degrees: (n_terms,) total degree of every term.

    Returns:
        The coefficients and the factor of their covariance, of the same shapes.
    """
    groups = [np.flatnonzero(degrees == degree) for degree in range(1, int(degrees.max(initial=0)) + 1)]
    if not groups:
        return coefficients, factor
    information = root.transpose(0, 2, 1) @ root
    target = (information @ coefficients[:, :, None])[:, :, 0]
    noise = np.sum(factor**2, axis=2)
    spread = np.full(coefficients.shape, np.inf)
    for group in groups:  # the first guess: what least squares found
        spread[:, group] = np.mean(coefficients[:, group] ** 2 + noise[:, group], axis=1, keepdims=True)
    mean, roots = np.empty_like(coefficients), np.empty_like(factor)
    active = np.arange(len(mean))  # bins whose v still moves
    for _ in range(_TURNS):
        if not len(active):
            break
        roots[active] = inverse_roots(information[active], 1 / spread[active])
        mean[active] = (roots[active] @ (roots[active].transpose(0, 2, 1) @ target[active, :, None]))[:, :, 0]
        before = spread[active]
        variance = np.sum(roots[active] ** 2, axis=2)
        after = before.copy()
        for group in groups:
            floor = 1e-6 * noise[np.ix_(active, group)].mean(axis=1)
            determined = np.sum(1 - variance[:, group] / before[:, group], axis=1)
            found = np.sum(mean[np.ix_(active, group)] ** 2, axis=1) / np.maximum(determined, _LEAST)
            after[:, group] = np.maximum(found, floor)[:, None]
        spread[active] = after
        moved = (np.abs(after[:, 1:] - before[:, 1:]) > _SETTLED * before[:, 1:]).any(axis=1)
        active = active[moved]
    return mean, roots
