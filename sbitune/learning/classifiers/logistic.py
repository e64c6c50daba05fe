"""Logistic regression: the best linear classifier, from which networks begin.

With features f (n, p) and weights W (p, K) the classes have the logits f W; minimised is the mean cross entropy with a
small penalty, as logits of classes that can be told apart without a doubt would be infinite.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

#: more events than this move a starting point by nothing that training would notice
_MOST = 200_000
#: penalty of squared weights: equal to what one event in a hundred thousand says
_PENALTY = 1e-5
_STEPS = 100


def fit_logistic(features: np.ndarray, label: np.ndarray, n_classes: int, weights: np.ndarray) -> np.ndarray:
    """Weights (p, n_classes) of the classes, those of a class less the mean of all.

    Args:
        features: (n, p), of a width of order 1; a column of ones for the intercept is the caller's.
        label: (n,) 0 to n_classes - 1.
        n_classes: at least 2.
        weights: (n,) of events; negative ones count as 0 here, where only a start is wanted.
    """
    step = -(-len(features) // _MOST)
    features, label = np.asarray(features[::step], float), label[::step]
    weights = np.maximum(np.asarray(weights[::step], float), 0.0)
    weights = weights / weights.sum()
    rows, shape = np.arange(len(label)), (features.shape[1], n_classes)

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(shape)
        logits = features @ w
        log_p = logits - logsumexp(logits, axis=1, keepdims=True)
        value = -float(weights @ log_p[rows, label]) + _PENALTY * float(flat @ flat)
        slope = np.exp(log_p)
        slope[rows, label] -= 1
        return value, (features.T @ (weights[:, None] * slope) + 2 * _PENALTY * w).ravel()

    found = minimize(
        value_and_gradient, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
    )
    w = found.x.reshape(shape)
    return w - w.mean(axis=1, keepdims=True)


def with_ones(x: np.ndarray) -> np.ndarray:
    """(n, p + 1) columns x (n, p) and a column of ones behind them."""
    return np.column_stack([x, np.ones(len(x))])
