"""Toys: data that the model throws at given parameters, and fits of them.

d ~ N(f(theta), V(theta)) with V as in `problem`: what the model does not know of its own answer varies from toy to toy
as the measurement does, since that is what the fit takes V to say.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import few_threads
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.likelihood.quick import Point, Quick
from sbitune.fitting.likelihood.response import CompiledResponse

#: toys that a worker takes at a time
_BLOCK = 20
#: parameters nearer to the end of their range than this part of it are at their limit
_AT_LIMIT = 0.01


class ToyConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How toys are fitted."""

    errors: Annotated[
        bool, msgspec.Meta(description="Whether to find the errors of every toy, which takes longer than its fit.")
    ] = True
    workers: Annotated[int, msgspec.Meta(ge=1, description="Number of threads.")] = 1


class Failure(NamedTuple):
    """A toy without a fit."""

    toy: int  #: its number
    reason: str


@dataclass(frozen=True, eq=False)
class ToyFits:
    """Fits of toys. The rows of all arrays are the toys that could be fitted; the others are in `failed`."""

    names: tuple[str, ...]  #: (n_parameters,) in the order of the columns
    free: tuple[str, ...]  #: which of them were fitted
    truth: np.ndarray  #: (n_parameters,) where the fits began; for toys of the model their true parameters
    toys: np.ndarray  #: (n,) number of every toy
    values: np.ndarray  #: (n, n_parameters) in the generator's units
    errors: np.ndarray | None  #: (n, n_parameters), 0 for parameters that are fixed or at a limit; None: not asked for
    chi2: np.ndarray  #: (n,) as `Tune.chi2`
    rise: np.ndarray  #: (n,) of the objective from the minimum to `truth`
    observables: tuple[str, ...]  #: (n_observables,) paths
    chi2_of: np.ndarray  #: (n, n_observables) contributions to chi2
    at_limit: np.ndarray  #: (n, n_parameters) True within 1 % of the end of the range
    failed: tuple[Failure, ...]

    @property
    def pulls(self) -> np.ndarray:
        """(n, n_parameters) (value - truth) / error; NaN where a toy has no error for a parameter."""
        if self.errors is None:
            raise InputError("pulls need errors: set `errors` in ToyConfig")
        return (self.values - self.truth) / np.where(self.errors > 0, self.errors, np.nan)


def throw(key: jax.Array, problem: Problem, theta: np.ndarray, n: int) -> np.ndarray:
    """Throw n data sets (n, n_bins) at theta (n_parameters,). Raises `InputError` for theta outside the model's box."""
    frame = Frame(problem)
    u = to_box(frame, theta)
    with jax.enable_x64(True), few_threads(problem):
        quick = Quick(problem, frame, CompiledResponse(problem, frame))
        return quick.response.mean(u) + fluctuate(key, quick.total(u), n)


def fluctuate(key: jax.Array, v: np.ndarray, n: int) -> np.ndarray:
    """(n, n_bins) Gaussian fluctuations with the covariance v (n_bins, n_bins). Use it inside `jax.enable_x64`.

    Raises `ComputationError` if v is not positive definite.
    """
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise TypeError("need a typed random key such as jax.random.key(1)")
    scale = np.sqrt(np.diag(v))
    try:
        triangle = np.linalg.cholesky(v / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise ComputationError("the covariance matrix of the bins is not positive definite") from None
    return scale * (np.asarray(jax.random.normal(key, (n, len(v)), float)) @ triangle.T)


def to_box(frame: Frame, theta: np.ndarray) -> np.ndarray:
    """Scaled coordinates (n_parameters,) of theta.

    Raises `InputError` if it has another length, is not finite or is outside the limits of the fit.
    """
    theta = np.asarray(theta, float)
    if theta.shape != (len(frame.names),):
        raise InputError(f"{theta.size} values for {len(frame.names)} parameters ({', '.join(frame.names)})")
    u = frame.to_unit(theta)
    for i, name in enumerate(frame.names):
        low, high = (frame.centre[i],) * 2 if frame.fixed[i] else frame.limits[i]
        if not low - 1e-9 <= u[i] <= high + 1e-9:
            at = f"fixed at {frame.to_theta(frame.centre)[i]:g}"
            ends = frame.to_theta(frame.limits.T)[:, i]
            raise InputError(
                f"{name} = {theta[i]:g}: the fit has it "
                + (at if frame.fixed[i] else f"between {ends[0]:g} and {ends[1]:g}")
            )
    return np.clip(u, *frame.limits.T)


def fit_toys(
    key: jax.Array, problem: Problem, theta: np.ndarray, n: int, config: ToyConfig, reporter: Reporter = QUIET
) -> ToyFits:
    """Throw n toys at theta (n_parameters,) and fit each, beginning there.

    Raises:
        InputError: for theta outside the limits of the fit, or fewer than one toy.
        ComputationError: if no toy could be fitted; the reason is that of the first.
    """
    if n < 1:
        raise InputError(f"{n} toys: one at least")
    return fit_data(problem, theta, throw(key, problem, theta, n), config, reporter)


def fit_data(
    problem: Problem, theta: np.ndarray, data: np.ndarray, config: ToyConfig, reporter: Reporter = QUIET
) -> ToyFits:
    """Fit the problem to other measured values: data (n, n_bins), each fit beginning at theta (n_parameters,).

    Raises as `fit_toys` does.
    """
    frame = Frame(problem)
    u = to_box(frame, theta)
    data = np.asarray(data, float)
    if data.ndim != 2 or data.shape[1] != len(problem.measured.bins) or not np.isfinite(data).all():
        raise InputError(f"toys of shape {data.shape}: they need finite numbers (n, {len(problem.measured.bins)})")
    rows: list[_Row] = []
    failed: list[Failure] = []
    with few_threads(problem):
        for number, outcome in enumerate(_outcomes(problem, frame, u, data, config)):
            if isinstance(outcome, str):
                failed.append(Failure(number, outcome))
            else:
                rows.append(outcome)
            reporter.progress("toys", number + 1, len(data))
    if not rows:
        raise ComputationError(f"none of {len(data)} toys could be fitted: {failed[0].reason}")
    return _collect(frame, problem, u, rows, failed, len(data))


class _Row(NamedTuple):
    u: np.ndarray
    errors: np.ndarray | None
    rise: float
    terms: np.ndarray


def _outcomes(
    problem: Problem, frame: Frame, u: np.ndarray, data: np.ndarray, config: ToyConfig
) -> Iterator["_Row | str"]:
    """The fit of every toy in order, or why there is none."""
    blocks = [data[i : i + _BLOCK] for i in range(0, len(data), _BLOCK)]
    work = partial(_fit_block, problem, frame, u, config.errors)
    if config.workers == 1:
        for block in blocks:
            yield from work(block)
        return
    yield from work(blocks[0])  # compiles
    with ThreadPoolExecutor(config.workers) as pool:
        for outcomes in pool.map(work, blocks[1:]):
            yield from outcomes


def _fit_block(problem: Problem, frame: Frame, u: np.ndarray, errors: bool, block: np.ndarray) -> list["_Row | str"]:
    with jax.enable_x64(True):  # which holds in one thread only
        quick = Quick(problem, frame, CompiledResponse(problem, frame))
        return [_fit_one(quick, u, values, errors) for values in block]


def _fit_one(quick: Quick, u: np.ndarray, values: np.ndarray, errors: bool) -> "_Row | str":
    try:
        point = quick.minimise(values, u, held=quick.hold_for_toys(u))
        spread = np.sqrt(np.diag(quick.parabola(values, point).covariance)) if errors else None
        return _Row(point.u, spread, rise(quick, values, point, u), point.terms(quick.problem.measured.weights))
    except ComputationError as error:
        return str(error)


def rise(quick: Quick, values: np.ndarray, minimum: Point, u: np.ndarray) -> float:
    """How much higher the objective is at u than at its minimum; V stays that of the minimum if it is held."""
    return quick.point(values, u, None if quick.is_likelihood else minimum.held).value - minimum.value


def _collect(frame: Frame, problem: Problem, u: np.ndarray, rows: list[_Row], failed: list[Failure], n: int) -> ToyFits:
    found, bins = np.array([row.u for row in rows]), problem.measured.bins
    paths = tuple(bins.paths())
    terms = np.array([row.terms for row in rows])
    room = np.min(np.abs(found[:, :, None] - frame.limits), axis=2)
    spreads = [row.errors for row in rows if row.errors is not None]
    return ToyFits(
        names=frame.names,
        free=frame.free,
        truth=frame.to_theta(u),
        toys=np.setdiff1d(np.arange(n), [failure.toy for failure in failed]),
        values=frame.to_theta(found),
        errors=np.array(spreads) * frame.half if spreads else None,
        chi2=terms.sum(axis=1),
        rise=np.array([row.rise for row in rows]),
        observables=paths,
        chi2_of=np.stack([terms[:, bins.of(path)].sum(axis=1) for path in paths], axis=1),
        at_limit=~frame.fixed & (room < _AT_LIMIT * np.ptp(frame.limits, axis=1)),
        failed=tuple(failed),
    )
