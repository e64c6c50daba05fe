"""Bins far from the fit pull less: weights of Student's t.

With v degrees of freedom a bin whose residual is z of its errors gets the weight

    tau = (v + 1) / (v + z^2), at most 1,

and the variance c / tau in place of c (the E step for a scale mixture of Gaussians: K. L. Lange, R. J. A. Little,
J. M. G. Taylor, J. Am. Stat. Assoc. 84 (1989) 881). Bins are correlated, so z and c are those of the bin given all
others with the parameters fitted to these: from the projection P of `refit` the residual is (P r)_b / P_bb and its
variance 1 / P_bb, of which what was added to the bin's own variance is taken off again. Weights stay below 1, as errors
quoted by an experiment are not to be made smaller; for Gaussian data the errors of the parameters grow by some 4 % with
four degrees of freedom.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.fitting.binned.refit import Linear


class Downweighted(NamedTuple):
    """A bin that counts less than its errors say."""

    label: str
    weight: float  #: below 1
    pull: float  #: (prediction - data) given the other bins, in errors without the weight


def leave_one_out(linear: Linear, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (n_bins,) of every bin given all others, and their variances without what was `added` (n_bins,).

    The variance is infinite for a bin without which the parameters are not determined.
    """
    p = linear.projection
    diagonal = np.diag(p)
    known = diagonal > 1e-9 * np.diag(linear.inverse)
    safe = np.where(known, diagonal, 1.0)
    residual = np.where(known, (p @ linear.residual) / safe, 0.0)
    return residual, np.where(known, 1 / safe - added, np.inf)


def student_weights(linear: Linear, added: np.ndarray, dof: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, pulls and variances to add, (n_bins,) each, where V has the variances `added` (n_bins,) in it."""
    residual, variance = leave_one_out(linear, added)
    pull = residual / np.sqrt(variance)
    weight = np.minimum(1.0, (dof + 1) / (dof + pull**2))
    known = np.isfinite(variance)
    return weight, pull, np.where(known, np.where(known, variance, 0.0) * (1 / weight - 1), 0.0)


def downweighted(weight: np.ndarray, pull: np.ndarray, bins: Bins) -> tuple[Downweighted, ...]:
    """The bins with a weight below 1, lowest first."""
    order = [i for i in np.argsort(weight, kind="stable") if weight[i] < 1]
    labels = bins.labels()
    return tuple(Downweighted(labels[i], float(weight[i]), float(pull[i])) for i in order)
