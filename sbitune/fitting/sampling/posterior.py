"""The posterior of the parameters, sampled by the No-U-Turn Sampler of numpyro.

M. D. Hoffman, A. Gelman, J. Mach. Learn. Res. 15 (2014) 1593, arXiv:1111.4246; D. Phan, N. Pradhan, M. Jankowiak,
arXiv:1912.11554. The prior is uniform between the limits of the fit, the likelihood that of the problem. Chains start
around the minimum of the fit, with its covariance as the mass matrix. Where starts of the minimiser ended in other
minima that the data hardly exclude, some chains start there, so that R-hat can tell if there are two.

With weights other than 1 there is no likelihood and therefore no posterior: a weighted chi2 is not the logarithm of any
density of the data, whatever factor it is multiplied by. Such problems are refused; their errors are those of the fit,
which hold for any weights. For very many bins, V is held at the minimum.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.data.parameter import Parameter
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import Problem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.fitting.sampling.chains import Posterior, convergence_notes, diagnose
from sbitune.fitting.sampling.sampling import Drawn, PosteriorConfig, Whitening, run_chains
from sbitune.fitting.sampling.target import Target, make_target

#: chains start no nearer to a limit than this part of the error
_MARGIN = 0.1
#: standard deviations of z where a limit is near are no larger than about this
_WIDEST = 2.0
#: minima that are higher by more than this get no chain: 3 standard deviations
_HIGHER = 9.0


def sample_posterior(
    key: jax.Array, problem: Problem[Any], config: PosteriorConfig, best: Fit | None = None
) -> Posterior:
    """Sample the posterior of the free parameters; `best` is the problem's fit, which is made if it is not given.

    Raises:
        InputError: for a problem without a likelihood, such as bins with weights other than 1, or as `fit` does.
        ComputationError: if the fit fails, or a chain leaves the numbers.
    """
    problem.need_posterior()
    frame = problem.frame()
    if best is None:
        best = fit(problem, FitConfig(minos=False))
    assert best is not None
    with problem.computing():
        objective = problem.objective()
        held = objective.hold(frame.to_unit(best.values))
        target = make_target(objective, held, best.quoted_errors / frame.half)
        begin, run = jax.random.split(key)
        starts, white = _begin(begin, target, frame, best, config.chains)
        drawn = run_chains(run, target, starts, white, config)
        return _collect(drawn, target, frame, problem.parameters)


def _begin(key: jax.Array, target: Target, frame: Frame, best: Fit, chains: int) -> tuple[np.ndarray, Whitening]:
    """Starting points z (chains, n_free), and coordinates in which the likelihood is a unit Gaussian at the minimum."""
    free = np.flatnonzero(~frame.fixed)
    low, high = frame.limits[free].T
    minima = np.array([frame.to_unit(theta)[free] for theta in _minima(best)])
    correlation, errors = best.correlation[np.ix_(free, free)], best.errors[free] / frame.half[free]
    jumps = np.asarray(jax.random.normal(key, (chains, len(free)))) @ np.linalg.cholesky(correlation).T * errors
    limits = target.limits
    margin = _MARGIN * np.asarray(limits.width)
    u = np.array([minima[i % len(minima)] for i in range(chains)]) + jumps
    starts, centre = (limits.from_u(np.clip(x, low + margin, high - margin)) for x in (u, minima[0]))
    slopes = np.exp(np.asarray(limits.log_slopes(centre)))
    widths = np.where(errors > 0, np.minimum(errors / slopes, _WIDEST), _WIDEST)
    return np.asarray(starts), Whitening(np.asarray(centre), widths[:, None] * np.linalg.cholesky(correlation))


def _minima(best: Fit) -> list[np.ndarray]:
    """Where chains start: the fit, and other minima that starts ended in."""
    found = [best.values]
    valid = sorted((start for start in best.starts if start.valid), key=lambda start: start.value)
    errors = np.where(best.errors > 0, best.errors, np.inf)
    for start in valid:
        apart = all(np.any(np.abs(start.theta - other) > 3 * errors) for other in found)
        if apart and start.value < valid[0].value + _HIGHER:
            found.append(start.theta)
    return found


def _collect(drawn: Drawn, target: Target, frame: Frame, parameters: tuple[Parameter, ...]) -> Posterior:
    z, potential, diverging, acceptance, steps = drawn
    flat = jnp.asarray(z.reshape(-1, z.shape[-1]))
    u = np.asarray(jax.vmap(target.to_unit)(flat))
    minus_two_log = 2 * (potential + np.asarray(target.limits.log_slopes(flat)).sum(axis=1).reshape(potential.shape))
    samples = frame.to_theta(u).reshape(*z.shape[:2], -1)
    if not (np.isfinite(samples).all() and np.isfinite(minus_two_log).all()):
        raise ComputationError("a chain of the posterior is not finite: look at the model, narrow the ranges")
    diagnoses = {name: diagnose(samples[:, :, frame.names.index(name)]) for name in frame.free}
    return Posterior(
        parameters=parameters,
        free=frame.free,
        samples=samples,
        minus_two_log=minus_two_log,
        diverging=diverging,
        acceptance=acceptance,
        steps=steps,
        diagnoses=diagnoses,
        notes=convergence_notes(diagnoses, int(diverging.sum())),
    )
