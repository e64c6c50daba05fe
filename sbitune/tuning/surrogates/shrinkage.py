"""Shrinking polynomial coefficients that the runs cannot tell from zero.

Least squares gives every coefficient its noise, and the noise of many small terms spoils the slopes that a fit lives
on. The coefficients of one bin and one degree are therefore taken to stem from N(0, v), with v chosen to make the runs
most probable (empirical Bayes: D. MacKay, Neural Computation 4 (1992) 415). With c the least-squares solution, A the
inverse of its covariance and L = diag(1/v):

    c' = (A + L)^-1 A c,   covariance (A + L)^-1,   v = mean over the degree of c'^2 + covariance,

repeated until v stays. Terms that the runs determine are left as they are; the constant is never shrunk.
"""

import numpy as np

#: the fixed point is approached slowly where v goes to 0, and nothing changes any more long before
_TURNS = 40
_SETTLED = 0.01


def shrink(coefficients: np.ndarray, factor: np.ndarray, degrees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shrink the coefficients of many bins, degree by degree.

    Args:
        coefficients: (n_bins, n_terms) least-squares solution.
        factor: (n_bins, n_terms, n_terms) with covariance = factor @ factor.T.
        degrees: (n_terms,) total degree of every term.

    Returns:
        The coefficients and the factor of their covariance, of the same shapes.
    """
    covariance = factor @ factor.transpose(0, 2, 1)
    information = np.linalg.inv(covariance)
    target = (information @ coefficients[:, :, None])[:, :, 0]
    groups = [np.flatnonzero(degrees == degree) for degree in range(1, int(degrees.max(initial=0)) + 1)]
    spread = np.full(coefficients.shape, np.inf)
    noise = np.einsum("btt->bt", covariance)
    for group in groups:  # the first guess: what least squares found
        spread[:, group] = np.mean(coefficients[:, group] ** 2 + noise[:, group], axis=1, keepdims=True)
    mean, posterior = coefficients.copy(), covariance.copy()
    active = np.arange(len(mean) if groups else 0)  # bins whose v still moves
    for _ in range(_TURNS):
        if not len(active):
            break
        precision = information[active] + (1 / spread[active])[:, :, None] * np.eye(len(degrees))
        posterior[active] = np.linalg.inv(precision)
        mean[active] = (posterior[active] @ target[active, :, None])[:, :, 0]
        before = spread[active]
        second = mean[active] ** 2 + np.einsum("btt->bt", posterior[active])
        after = before.copy()
        for group in groups:
            floor = 1e-6 * noise[np.ix_(active, group)].mean(axis=1, keepdims=True)
            after[:, group] = np.maximum(second[:, group].mean(axis=1, keepdims=True), floor)
        spread[active] = after
        moved = (np.abs(after[:, 1:] - before[:, 1:]) > _SETTLED * before[:, 1:]).any(axis=1)
        active = active[moved]
    # symmetric in exact arithmetic only
    return mean, np.linalg.cholesky(0.5 * (posterior + posterior.transpose(0, 2, 1)))
