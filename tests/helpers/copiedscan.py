"""A scan on a grid in which a part of the bins does not know the third parameter: run once for all its values."""

from itertools import product

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

PARAMETERS = (Parameter("alphaS", 0.10, 0.16), Parameter("bLund", 0.2, 1.2), Parameter("MPI:pT0Ref", 1.5, 3.0))
COPIED, OWN = "/EE", "/PP"
#: bins of an observable
_SIZE = 10


def grid(n: int) -> np.ndarray:
    """(n^3, 3) points of the unit box [-1, 1], the third parameter fastest."""
    return np.array(list(product(np.linspace(-1, 1, n), repeat=3)))


def responses(n_bins: int, n_copied: int, u: np.ndarray) -> np.ndarray:
    """(n, n_bins) contents at u (n, 3); the first n_copied bins do not depend on the third parameter."""
    random = np.random.default_rng(7)
    slopes, bends = random.normal(size=(2, n_bins, 3))
    slopes[:n_copied, 2] = bends[:n_copied, 2] = 0.0
    size = 0.5 + random.uniform(size=n_bins)
    return size * np.exp(0.25 * u @ slopes.T + 0.08 * (u**2 - 1 / 3) @ bends.T)


def copied_scan(
    n_bins: int = 60,
    share: float = 0.5,
    seed: int = 1,
    copied: bool = True,
    rho: float = 0.0,
    n: int = 7,
    noise: float = 0.05,
) -> Scan:
    """Runs on a grid of n^3 points; the errors of a run's bins have the relative size `noise`, and rho^|i - j| as their
    correlation where two bins are filled by the same events. Not `copied`: every run has events of its own.
    """
    random = np.random.default_rng(seed)
    n_copied = round(share * n_bins)
    u = grid(n)
    exact = responses(n_bins, n_copied, u)
    away = np.abs(np.subtract.outer(np.arange(n_bins), np.arange(n_bins)))
    r = rho**away if rho else np.eye(n_bins)
    r[:n_copied, n_copied:] = r[n_copied:, :n_copied] = 0.0
    draws = random.normal(size=exact.shape) @ np.linalg.cholesky(r).T
    if copied:
        first = np.arange(len(u)) // n * n
        draws[:, :n_copied] = draws[first, :n_copied]
    errors = noise * exact
    low, high = np.array([(p.low, p.high) for p in PARAMETERS]).T
    number = np.arange(n_bins)
    names = np.where(number < n_copied, COPIED, OWN)
    paths = np.array([f"{name}/d{i // _SIZE:02d}" for i, name in enumerate(names)])
    values = exact + errors * draws
    return Scan(
        PARAMETERS,
        low + (u + 1) / 2 * (high - low),
        values,
        noise * np.abs(values),
        Bins(paths, number % _SIZE, number % _SIZE + 0.0, number % _SIZE + 1.0),
        tuple(f"{i:04d}" for i in range(len(u))),
    )
