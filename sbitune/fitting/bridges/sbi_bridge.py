"""A fit as a simulator and a prior of the sbi package, for its neural estimators and its checks.

A. Tejero-Cantero et al., J. Open Source Softw. 5 (2020) 2505; the package is the extra `sbi`. What is simulated is what
the likelihood of `problem` says of data: the free parameters theta give contents x ~ N(f(theta), V(theta)) of the
measured bins, V with the errors of data and model; the prior is uniform between the limits of the fit. Neural posterior
estimation (NPE) from these and `sample_posterior` answer the same question.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.likelihood.problem import BinnedProblem

#: data sets that are simulated at a time, so that one compiled function serves any number
_BATCH = 256


class Bridge(NamedTuple):
    """What sbi asks for; tensors are float32."""

    simulator: Callable[[Any], Any]  #: theta (n, n_free) in the generator's units -> x (n, n_bins); or without n
    prior: Any  #: sbi's `BoxUniform` of the free parameters, in the generator's units
    observed: Any  #: (n_bins,) the measured contents
    names: tuple[str, ...]  #: (n_free,) columns of theta


def to_sbi(seed: int, problem: BinnedProblem) -> Bridge:
    """The problem as sbi sees it; each call of the simulator goes on with the random numbers of `seed`.

    Raises:
        InputError: without the package sbi, for weights other than 1, or as `fit` does.
    """
    torch, box_uniform = _import_sbi()
    problem.need_posterior()
    frame = problem.frame()
    free = np.flatnonzero(~frame.fixed)
    low, high = (np.asarray(frame.to_theta(end))[free] for end in frame.limits.T)
    prior = box_uniform(torch.tensor(low, dtype=torch.float32), torch.tensor(high, dtype=torch.float32))
    draw, random = make_draw(problem), np.random.default_rng(seed)
    fixed = np.asarray(frame.to_theta(frame.centre))

    def simulator(theta: Any) -> Any:
        given = np.asarray(theta.detach().cpu(), np.float64)
        if given.shape[-1:] != free.shape or given.ndim > 2:
            raise InputError(f"theta has the shape {given.shape}; its columns are {', '.join(frame.free)}")
        points = np.tile(fixed, (given.size // len(free), 1))
        points[:, free] = given.reshape(-1, len(free))
        values = draw(points, random.standard_normal((len(points), len(problem.measured.bins))))
        return torch.tensor(values, dtype=torch.float32).reshape(*given.shape[:-1], -1)

    observed = torch.tensor(problem.measured.values, dtype=torch.float32)
    return Bridge(simulator, prior, observed, frame.free)


def make_draw(problem: BinnedProblem) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of parameters (n, n_parameters) and standard normals (n, n_bins) that gives contents (n, n_bins).

    It raises `ComputationError` if contents are not finite, naming the parameters.
    """
    measured, frame = problem.measured, problem.frame()

    def one(given: tuple[Any, Any], indices: Any, base: Any) -> Any:
        theta, normal = given
        v = base + problem.model.covariance(theta, indices) if problem.model_error else base
        scale = jnp.sqrt(jnp.diag(v))
        noise = scale * (jnp.linalg.cholesky(v / jnp.outer(scale, scale)) @ normal)
        return problem.model.predict(theta).mean[indices] + noise

    def batch(theta: Any, normal: Any, indices: Any, base: Any) -> Any:
        return jax.lax.map(lambda given: one(given, indices, base), (theta, normal))

    compiled = jax.jit(batch)

    def draw(theta: np.ndarray, normals: np.ndarray) -> np.ndarray:
        parts = []
        with problem.computing():
            data = jnp.asarray(measured.indices), jnp.asarray(measured.covariance(problem.correlation))
            for first in range(0, len(theta), _BATCH):
                rows = np.arange(first, first + _BATCH) % len(theta)  # the last batch is filled up with the first rows
                values = np.asarray(compiled(jnp.asarray(theta[rows]), jnp.asarray(normals[rows]), *data))
                parts.append(values[: len(theta) - first])
        values = np.concatenate(parts) if parts else np.empty((0, len(measured.bins)))
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise ComputationError(
                f"the simulated data are not finite for {frame.describe(frame.to_unit(theta[bad[0]]))}"
            )
        return values

    return draw


def _import_sbi() -> tuple[Any, Any]:
    """Import torch and sbi's `BoxUniform`; warnings of their imports, and filters that these add, stay inside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torch  # pyright: ignore[reportMissingImports]
            from sbi.utils import BoxUniform  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError(f"the package sbi cannot be imported ({error}): install the extra `sbi`") from error
    return torch, BoxUniform
