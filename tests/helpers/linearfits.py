"""Linear Gaussian fits, whose answers are known in closed form."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import jax
import numpy as np

from helpers.toys import Linear, linear_model, measure
from sbitune.fitting.likelihood.problem import BinnedProblem

TRUTH = np.array([0.8, 1.5])


class Solution(NamedTuple):
    theta: np.ndarray  #: (p,)
    covariance: np.ndarray  #: (p, p)
    chi2: float


@cache
def model(n_bins: int = 20, error: float = 0.05) -> Linear:
    """One object for all tests of a file: it is compiled once."""
    return linear_model(n_bins, error)


def linear_problem(seed: int = 2, n_bins: int = 20, **settings) -> BinnedProblem:
    """Data that fluctuate as V says, with a source that moves all bins. `settings` are those of `BinnedProblem`."""
    rng = np.random.default_rng(seed)
    f = model(n_bins)
    errors, shifts = rng.uniform(0.1, 0.3, n_bins), rng.normal(0, 0.1, (1, n_bins))
    with jax.enable_x64(True):
        measured = measure(f, TRUTH, errors, shifts=shifts)
        v = measured.covariance() + np.diag(f.error**2)
        fluctuated = measured.values + rng.multivariate_normal(np.zeros(n_bins), v)
        return BinnedProblem(f, replace(measured, values=fluctuated), **settings)


def variance(problem: BinnedProblem) -> np.ndarray:
    return problem.measured.covariance() + np.diag(problem.model.error**2)


def solve(problem: BinnedProblem, values: np.ndarray | None = None) -> Solution:
    """theta = C J^T V^-1 (d - offset), C = (J^T V^-1 J)^-1."""
    f, v = problem.model, variance(problem)
    values = problem.measured.values if values is None else values
    lever = np.linalg.solve(v, f.slope)
    covariance = np.linalg.inv(f.slope.T @ lever)
    theta = covariance @ lever.T @ (values - f.offset)
    r = f.offset + f.slope @ theta - values
    return Solution(theta, covariance, float(r @ np.linalg.solve(v, r)))
