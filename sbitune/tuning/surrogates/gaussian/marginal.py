r"""The marginal likelihood of Gaussian processes that share a kernel, all bins at once.

For bin b of a group with kernel matrix K = U diag(lambda) U^T over the runs,

    y_b ~ N(0, a_b K + nu_b 1),   nu_b = r_b + t_b,

with r_b the Monte Carlo variance of the bin, t_b >= 0 what these errors do not explain. With z = U^T y everything is a
sum over eigenvalues:

    log p(y_b) = -1/2 sum_j [ z_j^2 / (a lambda_j + nu) + log(a lambda_j + nu) ] + const.

One decomposition of K serves all bins (C. Rasmussen, C. Williams, Gaussian Processes for Machine Learning, MIT Press
2006, section 5.4, for one output). The gradient with respect to K, summed over the bins, is

    U [ 1/2 sum_b a_b ( (z/d)_b (z/d)_b^T - diag(1/d_b) ) ] U^T,   d_b = a_b lambda + nu_b,

and a_b, t_b are at their best values, so that they do not contribute to it.
"""

from typing import NamedTuple

import numpy as np

#: a bin's extra variance t counts only if it raises log p by this much: one standard deviation
_NEEDED = 0.5
_TURNS = 25


class Scales(NamedTuple):
    """The best amplitude and noise of every bin for a given kernel."""

    amplitude: np.ndarray  #: (n_bins,) a
    extra: np.ndarray  #: (n_bins,) t
    log_density: np.ndarray  #: (n_bins,) log p(y_b), without the constant


def best_scales(eigenvalues: np.ndarray, projected: np.ndarray, noise: np.ndarray, extra: bool = True) -> Scales:
    """Find a and t of every bin by Fisher scoring.

    Args:
        eigenvalues: (n,) lambda of the kernel matrix, not negative.
        projected: (n, n_bins) z = U^T y.
        noise: (n_bins,) r, 0 for bins without Monte Carlo errors.
        extra: whether t may differ from 0 in bins with Monte Carlo errors.
    """
    total = np.maximum(np.mean(projected**2, axis=0), 1e-30)
    known = noise > 0
    start = np.maximum(total - noise, 0.05 * total) / max(float(eigenvalues.mean()), 1e-30)
    none = np.zeros_like(noise)
    a = _score(eigenvalues, projected, start, noise, np.where(known, 0.0, 0.05 * total), free=~known)
    best = Scales(a[0], np.where(known, none, a[1]), _log_density(eigenvalues, projected, a[0], noise + a[1]))
    if not extra:
        return best
    a, t = _score(eigenvalues, projected, best.amplitude, noise, best.extra + 0.1 * noise, free=np.ones_like(known))
    density = _log_density(eigenvalues, projected, a, noise + t)
    better = density > best.log_density + np.where(known, _NEEDED, 0.0)
    return Scales(
        np.where(better, a, best.amplitude),
        np.where(better, t, best.extra),
        np.where(better, density, best.log_density),
    )


def _score(
    eigenvalues: np.ndarray, z: np.ndarray, a: np.ndarray, noise: np.ndarray, t: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fisher scoring of a and, where `free`, t; steps are bounded to factors of e."""
    scale = np.maximum(np.mean(z**2, axis=0), 1e-30)
    for _ in range(_TURNS):
        d = a * eigenvalues[:, None] + noise + t
        w = 1 / d**2
        pull = (z**2 - d) * w / 2
        gradient_a, gradient_t = eigenvalues @ pull, pull.sum(0)
        aa, at, tt = eigenvalues**2 @ w / 2, eigenvalues @ w / 2, w.sum(0) / 2
        determinant = np.maximum(aa * tt - at**2, 1e-12 * aa * tt)
        both_a = (tt * gradient_a - at * gradient_t) / determinant
        both_t = (aa * gradient_t - at * gradient_a) / determinant
        pinned = ~free | ((t <= 0) & (gradient_t <= 0))
        step_a = np.where(pinned, gradient_a / aa, both_a)
        step_t = np.where(pinned, 0.0, both_t)
        new_a = np.clip(a + step_a, a / np.e, a * np.e)
        new_t = np.maximum(t + np.clip(step_t, -scale, scale), np.where(noise > 0, 0.0, 1e-12 * scale))
        done = np.all(np.abs(new_a - a) < 1e-3 * a) and np.all(np.abs(new_t - t) < 1e-3 * (noise + t))
        a, t = np.maximum(new_a, 1e-12 * scale / max(eigenvalues.max(), 1e-30)), new_t
        if done:
            break
    return a, t


def _log_density(eigenvalues: np.ndarray, z: np.ndarray, a: np.ndarray, nu: np.ndarray) -> np.ndarray:
    d = a * eigenvalues[:, None] + nu
    return -0.5 * np.sum(z**2 / d + np.log(d), axis=0)


def kernel_gradient(
    vectors: np.ndarray, eigenvalues: np.ndarray, z: np.ndarray, scales: Scales, noise: np.ndarray
) -> np.ndarray:
    """(n, n) derivative of the summed log p with respect to the kernel matrix."""
    d = scales.amplitude * eigenvalues[:, None] + noise + scales.extra
    alpha = z / d * np.sqrt(scales.amplitude)
    inner = alpha @ alpha.T
    inner[np.diag_indices_from(inner)] -= (scales.amplitude / d).sum(1)
    return vectors @ (0.5 * inner) @ vectors.T
