"""The posterior of the parameters, sampled by the No-U-Turn Sampler of numpyro.

M. D. Hoffman, A. Gelman, J. Mach. Learn. Res. 15 (2014) 1593, arXiv:1111.4246; D. Phan, N. Pradhan, M. Jankowiak,
arXiv:1912.11554. The prior is uniform between the limits of the fit, the likelihood that of `problem`. Chains start
around the minimum of the fit, with its covariance as the mass matrix. Where starts of the minimiser ended in other
minima that the data hardly exclude, some chains start there, so that R-hat can tell if there are two.

With weights other than 1 there is no likelihood and therefore no posterior: a weighted chi2 is not the logarithm of any
density of the data, whatever factor it is multiplied by. Such problems are refused; their errors are those of the fit,
which hold for any weights. For very many bins, V is held at the minimum.
"""

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import Objective, few_threads
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Tune
from sbitune.fitting.sampling.chains import Posterior, diagnose, judge
from sbitune.fitting.sampling.sampling import Drawn, PosteriorConfig, Whitening, run_chains
from sbitune.fitting.sampling.target import Target, make_target

#: chains start no nearer to a limit than this part of the error
_MARGIN = 0.1
#: standard deviations of z where a limit is near are no larger than about this
_WIDEST = 2.0
#: minima whose chi2 is higher by more than this get no chain: 3 standard deviations
_HIGHER = 9.0


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
        target = make_target(objective, tune.quoted_errors / frame.half)
        begin, run = jax.random.split(key)
        starts, white = _begin(begin, target, frame, tune, config.chains)
        drawn = run_chains(run, target, starts, white, config)
        return _collect(drawn, target, frame, problem)


def _begin(key: jax.Array, target: Target, frame: Frame, tune: Tune, chains: int) -> tuple[np.ndarray, Whitening]:
    """Starting points z (chains, n_free), and coordinates in which the likelihood is a unit Gaussian at the minimum."""
    free = np.flatnonzero(~frame.fixed)
    low, high = frame.limits[free].T
    minima = np.array([frame.to_unit(theta)[free] for theta in _minima(tune)])
    correlation, errors = tune.correlation[np.ix_(free, free)], tune.errors[free] / frame.half[free]
    jumps = np.asarray(jax.random.normal(key, (chains, len(free)))) @ np.linalg.cholesky(correlation).T * errors
    limits = target.limits
    margin = _MARGIN * np.asarray(limits.width)
    u = np.array([minima[i % len(minima)] for i in range(chains)]) + jumps
    starts, centre = (limits.from_u(np.clip(x, low + margin, high - margin)) for x in (u, minima[0]))
    slopes = np.exp(np.asarray(limits.log_slopes(centre)))
    widths = np.where(errors > 0, np.minimum(errors / slopes, _WIDEST), _WIDEST)
    return np.asarray(starts), Whitening(np.asarray(centre), widths[:, None] * np.linalg.cholesky(correlation))


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


def _collect(drawn: Drawn, target: Target, frame: Frame, problem: Problem) -> Posterior:
    z, potential, diverging, acceptance, steps = drawn
    flat = jnp.asarray(z.reshape(-1, z.shape[-1]))
    u = np.asarray(jax.vmap(target.to_unit)(flat))
    minus_two_log = 2 * (potential + np.asarray(target.limits.log_slopes(flat)).sum(axis=1).reshape(potential.shape))
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
