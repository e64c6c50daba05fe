"""Scans that are small enough to have their surrogates committed."""

from itertools import product

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

PARAMETERS = (Parameter("alphaS", 0.10, 0.16), Parameter("bLund", 0.2, 1.2), Parameter("pT0", 1.5, 3.0))
#: (n, n_parameters) where surrogates are compared; a scan without the third parameter has the first two columns
THETA = np.array([[0.12, 0.5, 2.0], [0.15, 1.0, 2.7]])


def _scan(theta: np.ndarray, copied: int, seed: int) -> Scan:
    """Six bins at theta (n, n_parameters); of the first `copied` the runs that differ in the last parameter share."""
    random = np.random.default_rng(seed)
    parameters = PARAMETERS[: theta.shape[1]]
    low, high = np.array([(p.low, p.high) for p in parameters]).T
    u = 2 * (theta - low) / (high - low) - 1
    slopes = np.random.default_rng(7).normal(size=(theta.shape[1], 6))
    slopes[-1, :copied] = 0.0
    exact = np.exp(0.25 * u @ slopes)
    draws = random.normal(size=exact.shape)
    if copied:
        first = np.unique(theta[:, :-1], axis=0, return_index=True, return_inverse=True)
        draws[:, :copied] = draws[first[1]][first[2].ravel(), :copied]
    errors = 0.03 * exact
    paths = np.where(np.arange(6) < copied, "/EE/d01", "/PP/d01")
    return Scan(
        parameters,
        theta,
        exact + errors * draws,
        errors,
        Bins(paths, np.arange(6), np.arange(6.0), np.arange(6) + 1.0),
        tuple(f"{i:02d}" for i in range(len(theta))),
    )


def scans() -> dict[str, Scan]:
    """One of independent runs, and one on a grid whose runs share measurements of half of the bins."""
    low, high = np.array([(p.low, p.high) for p in PARAMETERS]).T
    uniform = np.random.default_rng(3).uniform(low[:2], high[:2], (28, 2))
    grid = low + (high - low) * np.array(list(product(np.linspace(0, 1, 3), repeat=3)))
    return {"plain": _scan(uniform, 0, 1), "copied": _scan(grid, 3, 2)}
