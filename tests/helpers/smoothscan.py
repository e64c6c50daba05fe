"""A scan whose truth is known: multinomial counts of ten distributions that three parameters shape."""

import numpy as np
from scipy import stats

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

PARAMETERS = (
    Parameter("Shower:alphaS", 0.10, 0.16),
    Parameter("String:a", 0.2, 1.2),
    Parameter("String:sigma", 0.2, 0.5),
)
HISTOGRAMS = 10


def _distribution(number: int, u: np.ndarray) -> stats.rv_frozen if hasattr(stats, "rv_frozen") else object:
    """Distribution of observable `number` at the point u (3,) of the unit box [-1, 1]."""
    mix = np.array([np.cos(number), np.sin(2 * number), np.cos(3 * number + 1)])
    mean = np.exp(0.35 * mix @ u + 0.12 * u[0] * u[1] - 0.1 * u[2] ** 2)
    shape = 2.0 + 0.8 * np.tanh(mix[::-1] @ u)
    return stats.gamma(shape, scale=mean / shape)


def edges(number: int) -> np.ndarray:
    """Bin edges of an observable; 23 or 24 bins."""
    return np.concatenate([np.linspace(0, 3, 23 + number % 2), [6.0]])


def probabilities(theta: np.ndarray) -> np.ndarray:
    """(n_bins,) probability of every bin at theta (3,)."""
    low, high = (np.array([getattr(p, end) for p in PARAMETERS]) for end in ("low", "high"))
    u = 2 * (theta - low) / (high - low) - 1
    return np.concatenate([np.diff(_distribution(k, u).cdf(edges(k))) for k in range(HISTOGRAMS)])


def smooth_scan(n_runs: int, n_events: int, seed: int) -> Scan:
    """Runs at uniform points; every observable is filled by events of its own, so that bins of two are independent."""
    random = np.random.default_rng(seed)
    low, high = (np.array([getattr(p, end) for p in PARAMETERS]) for end in ("low", "high"))
    theta = random.uniform(low, high, (n_runs, 3))
    exact = np.array([probabilities(point) for point in theta])
    counts = random.poisson(n_events * exact)
    sizes = [len(edges(k)) - 1 for k in range(HISTOGRAMS)]
    bins = Bins(
        np.repeat([f"/SMOOTH/d{k + 1:02d}-x01-y01" for k in range(HISTOGRAMS)], sizes),
        np.concatenate([np.arange(n) for n in sizes]),
        np.concatenate([edges(k)[:-1] for k in range(HISTOGRAMS)]),
        np.concatenate([edges(k)[1:] for k in range(HISTOGRAMS)]),
    )
    width = bins.high - bins.low
    return Scan(
        PARAMETERS,
        theta,
        counts / n_events / width,
        np.sqrt(counts) / n_events / width,
        bins,
        tuple(f"{i:04d}" for i in range(n_runs)),
    )
