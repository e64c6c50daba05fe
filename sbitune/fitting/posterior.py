"""The posterior of the parameters, sampled by the No-U-Turn Sampler of numpyro.

M. D. Hoffman, A. Gelman, J. Mach. Learn. Res. 15 (2014) 1593, arXiv:1111.4246; D. Phan, N. Pradhan, M. Jankowiak,
arXiv:1912.11554. The prior is uniform between the limits of the fit, the likelihood that of `problem`. Chains start
around the minimum of the fit with its covariance as the mass matrix; where starts of the minimiser ended in other
minima that the data hardly exclude, some chains start there, so that R-hat can tell if there are two.

With weights other than 1 there is no likelihood and therefore no posterior: a weighted chi2 is not the logarithm of any
density of the data, whatever factor it is multiplied by. Such problems are refused; their errors are those of the fit,
which hold for any weights. For very many bins, V is held at the minimum.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.chains import Posterior, diagnose, judge
from sbitune.fitting.config import FitConfig
from sbitune.fitting.frame import Frame
from sbitune.fitting.minimiser import fit
from sbitune.fitting.objective import Objective, few_threads
from sbitune.fitting.problem import Problem
from sbitune.fitting.results import Tune
from sbitune.fitting.target import Target, import_numpyro, make_target

#: chains start no nearer to a limit than this part of the range
_MARGIN = 0.01
#: standard deviation of z where u is uniform between its limits: no posterior is much wider
_WIDEST = np.pi / np.sqrt(3)
#: minima whose chi2 is higher by more than this get no chain: 3 standard deviations
_HIGHER = 9.0


class PosteriorConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the posterior is sampled."""

    warmup: Annotated[int, msgspec.Meta(ge=20)] = 150
    """Draws of each chain in which step size and mass matrix are learnt; they are not kept."""
    samples: Annotated[int, msgspec.Meta(ge=4)] = 400
    """Draws of each chain that are kept."""
    chains: Annotated[int, msgspec.Meta(ge=2)] = 4
    """Number of chains; agreement between them is what shows convergence."""
    target_accept: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.8
    """Probability of acceptance that the step size is chosen for; higher is slower and safer."""
    max_tree_depth: Annotated[int, msgspec.Meta(ge=1, le=15)] = 10
    """A trajectory has 2 to the power of this steps at most."""


def sample_posterior(key: jax.Array, problem: Problem, config: PosteriorConfig, tune: Tune | None = None) -> Posterior:
    """Sample the posterior of the free parameters; `tune` is the problem's fit, which is made if it is not given.

    Raises:
        InputError: for weights other than 1, or as `fit` does.
        ComputationError: if the fit fails, or a chain leaves the numbers.
    """
    if not np.all(problem.measured.weights == 1.0):
        raise InputError(
            "with weights other than 1 there is no likelihood to sample: give every observable the weight 1, or use "
            "the errors of the fit, which hold for any weights"
        )
    frame = Frame(problem)
    tune = fit(problem, FitConfig(minos=False)) if tune is None else tune
    with jax.enable_x64(True), few_threads(problem):
        objective = Objective(problem, frame)
        objective.hold(frame.to_unit(tune.values))
        target = make_target(objective)
        starts, mass = _begin(key, target, frame, tune, config.chains)
        chains = _run(key, target, starts, mass, config)
        return _collect(chains, target, frame, problem)


def _begin(key: jax.Array, target: Target, frame: Frame, tune: Tune, chains: int) -> tuple[list[Any], np.ndarray]:
    """Starting points z (n_free,) of every chain, and the covariance (n_free, n_free) expected of z."""
    free = np.flatnonzero(~frame.fixed)
    low, high = frame.limits.T
    margin = _MARGIN * (high - low)
    minima = np.clip([frame.to_unit(theta) for theta in _minima(tune)], low + margin, high - margin)
    scatter = tune.covariance / np.outer(frame.half, frame.half)
    u = [minima[i % len(minima)] for i in range(chains)]
    jumps = jax.random.multivariate_normal(
        jax.random.fold_in(key, 0), jnp.zeros(len(low)), scatter, (chains,), method="svd"
    )
    starts = [
        np.where(frame.fixed, frame.centre, np.clip(a + b, low + margin, high - margin))
        for a, b in zip(u, jumps, strict=True)
    ]
    slopes = np.exp(target.log_slopes(target.from_unit(minima[0])))
    errors = np.sqrt(np.diag(scatter)[free])
    widths = np.where(errors > 0, np.minimum(errors / slopes, _WIDEST), 1.0)
    return [target.from_unit(start) for start in starts], tune.correlation[np.ix_(free, free)] * np.outer(
        widths, widths
    )


def _minima(tune: Tune) -> list[np.ndarray]:
    """Where chains start: the tune, and other minima that starts ended in."""
    found = [tune.values]
    valid = sorted((start for start in tune.starts if start.valid), key=lambda start: start.chi2)
    errors = np.where(tune.errors > 0, tune.errors, np.inf)
    for start in valid:
        apart = all(np.any(np.abs(start.theta - other) > 3 * errors) for other in found)
        if apart and start.chi2 < valid[0].chi2 + _HIGHER:
            found.append(start.theta)
    return found


def _run(key: jax.Array, target: Target, starts: list[Any], mass: np.ndarray, config: PosteriorConfig) -> list[Any]:
    """Run the chains, compiled once, side by side. Returns the states after warm-up of each, stacked over draws."""
    kernel = import_numpyro().infer.NUTS(
        potential_fn=target.potential,
        dense_mass=True,
        inverse_mass_matrix=jnp.asarray(mass),
        target_accept_prob=config.target_accept,
        max_tree_depth=config.max_tree_depth,
    )

    def step(state: Any, _: None) -> tuple[Any, Any]:
        state = kernel.sample(state, (), {})
        return state, (state.z, state.potential_energy, state.diverging, state.accept_prob, state.num_steps)

    def chain(key: Any, z: Any) -> Any:
        state = kernel.init(key, config.warmup, z, (), {})
        draws = jax.lax.scan(step, state, None, length=config.warmup + config.samples)[1]
        return jax.tree.map(lambda part: part[config.warmup :], draws)

    keys = jax.random.split(jax.random.fold_in(key, 1), len(starts))
    compiled = jax.jit(chain).lower(keys[0], starts[0]).compile()

    def run(key: Any, z: Any) -> Any:
        with jax.enable_x64(True):  # which every thread has for itself
            return jax.tree.map(np.asarray, compiled(key, z))

    with ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1)) as pool:
        return list(pool.map(run, keys, starts))


def _collect(chains: list[Any], target: Target, frame: Frame, problem: Problem) -> Posterior:
    z, potential, diverging, acceptance, steps = (np.stack(part) for part in zip(*chains, strict=True))
    flat = jnp.asarray(z.reshape(-1, z.shape[-1]))
    u = np.asarray(jax.vmap(target.to_unit)(flat))
    minus_two_log = 2 * (potential + np.asarray(target.log_slopes(flat)).sum(axis=1).reshape(potential.shape))
    samples = frame.to_theta(u).reshape(*z.shape[:2], -1)
    if not (np.isfinite(samples).all() and np.isfinite(minus_two_log).all()):
        raise ComputationError("a chain of the posterior is not finite: look at the surrogate, narrow the ranges")
    diagnoses = {name: diagnose(samples[:, :, frame.names.index(name)]) for name in frame.free}
    return Posterior(
        parameters=problem.parameters,
        free=frame.free,
        samples=samples,
        minus_two_log=minus_two_log,
        diverging=diverging,
        acceptance=acceptance,
        steps=steps,
        diagnoses=diagnoses,
        notes=judge(diagnoses, int(diverging.sum())),
    )
