r"""What an ensemble says, fitted once more to events that none of its members has seen, with the error of that.

An output is linear in a few numbers phi,

    F_j(x) = sum_m w_m f_mj(x) + b_j + a_j x,       phi = (w, b, a),

with the outputs f_m of the members and, of not too many, the scaled inputs x. phi is found by logistic regression on
events that were held back; its covariance is the sandwich H^-1 S H^-1 with the second derivatives H of the loss and the
squared scores S of single events, which holds for weighted events and for models that are not quite right, too. This is
the w_i f_i ensemble of "Learning the uncertainties of neural likelihood ratios", arXiv:2506.00113, with the directions
in which finite samples are off first of all, beside what members differ in. With the intercepts b mean ratios over
these events are 1.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from sbitune.learning.classifiers.networks import evaluate_members
from sbitune.learning.sandwich import fit_with_sandwich

#: inputs that have numbers of their own, at most
_MOST_INPUTS = 20


@dataclass(frozen=True, eq=False)
class Combined:
    """An ensemble whose outputs are combined."""

    members: Any  #: stack of classifiers
    phi: np.ndarray  #: (n_phi,) of `features`
    covariance: np.ndarray  #: (n_phi, n_phi) of phi; 0 of one that was not fitted
    first_is_base: bool  #: whether the first output has no b and a of its own: classes, of which differences count

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return int(self.members.network.weights["last"]["kernel"].shape[-1])

    def features(self, x: np.ndarray) -> np.ndarray:
        """(n_events, n_out, n_phi) of x (n_events, n_in): outputs are these times phi."""
        outputs = np.moveaxis(evaluate_members(self.members, x), 0, -1).astype(np.float64)
        own = [np.ones((len(x), 1))]
        middle, width = np.asarray(self.members.scaling.value, np.float64)[0]
        if x.shape[1] <= _MOST_INPUTS:
            own.append((x - middle) / width)
        single = np.concatenate(own, axis=1)
        first = 1 if self.first_is_base else 0
        block = np.zeros((len(x), self.n_out, (self.n_out - first) * single.shape[1]))
        for j in range(first, self.n_out):
            block[:, j, (j - first) * single.shape[1] : (j - first + 1) * single.shape[1]] = single
        return np.concatenate([outputs, block], axis=2)

    def outputs(self, x: np.ndarray, at_once: int = 1 << 16) -> np.ndarray:
        """(n_events, n_out) of x (n_events, n_in)."""
        parts = [self.features(x[i : i + at_once]) @ self.phi for i in range(0, len(x), at_once)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_out))


def plain_mean(members: Any, n_in: int, first_is_base: bool) -> Combined:
    """The mean of the members' outputs."""
    n_members, n_out = (members.network.weights["last"]["kernel"].shape[i] for i in (0, -1))
    n_own = (1 + (n_in if n_in <= _MOST_INPUTS else 0)) * (n_out - int(first_is_base))
    phi = np.concatenate([np.full(n_members, 1 / n_members), np.zeros(n_own)])
    return Combined(members, phi, np.zeros((len(phi), len(phi))), first_is_base)


def fit_classes(combined: Combined, x: np.ndarray, label: np.ndarray, weights: np.ndarray) -> Combined:
    """Fit phi of classes to events that no member has seen.

    Args:
        combined: where to begin.
        x: (n_events, n_in).
        label: (n_events,) classes.
        weights: (n_events,) with which the classes count alike; negative ones are kept.

    Raises:
        ComputationError: if the loss has no minimum: weights that are negative for most events of a place.
    """
    rows = np.arange(len(label))

    def scores(phi: np.ndarray, features: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        logits = features @ phi
        p = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        mean = np.einsum("nk,nkp->np", p, features)
        own = features[rows[: len(features)], label[part]]
        w = weights[part]
        curvature = (
            np.einsum("n,nk,nkp,nkq->pq", w, p, features, features, optimize=True) - (w[:, None] * mean).T @ mean
        )
        return w[:, None] * (own - mean), curvature

    return _fit(combined, x, weights, lambda phi, part: scores(phi, combined.features(x[part]), part))


def fit_polynomial(
    combined: Combined, x: np.ndarray, nu: np.ndarray, label: np.ndarray, weights: np.ndarray
) -> Combined:
    """The same of the logit sum_k nu^k F_k(x), k from 1, of events with label 1 to those with 0.

    Args:
        combined: where to begin.
        x: (n_events, n_in).
        nu: (n_events,), of events with label 0 those that others with label 1 have.
        label: (n_events,) 0 or 1.
        weights: (n_events,).
    """
    powers = nu[:, None] ** np.arange(1, combined.n_out + 1)

    def scores(phi: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        features = np.einsum("nk,nkp->np", powers[part], combined.features(x[part]))
        p = 1 / (1 + np.exp(-features @ phi))
        w = weights[part]
        return (w * (label[part] - p))[:, None] * features, (features * (w * p * (1 - p))[:, None]).T @ features

    return _fit(combined, x, weights, scores)


def _fit(combined: Combined, x: np.ndarray, weights: np.ndarray, scores: Any, at_once: int = 1 << 16) -> Combined:
    parts = [slice(i, i + at_once) for i in range(0, len(x), at_once)]

    def derivatives(phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        slope, bread, meat = np.zeros(len(phi)), np.zeros((len(phi),) * 2), np.zeros((len(phi),) * 2)
        for part in parts:
            each, curvature = scores(phi, part)
            slope, bread, meat = slope + each.sum(axis=0), bread + curvature, meat + each.T @ each
        return slope, bread, meat

    phi, covariance = fit_with_sandwich(combined.phi, derivatives, weights)
    return replace(combined, phi=phi, covariance=covariance)
