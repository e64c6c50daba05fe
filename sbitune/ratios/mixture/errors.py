r"""The error that fitted parameters have from the ratios: finite samples of simulated events, not the data.

Ratios and responses are fixed by numbers phi with a covariance C (see `learning.classifiers.combination`); the fitted
parameters theta follow phi as

    d theta / d phi = -(d2 L / d theta2)^-1 d2 L / (d theta d phi),       L = -2 log L of data and constraints,

so that their covariance from this is (d theta / d phi) C (d theta / d phi)^T. Responses stay normalised: log Z follows
phi, too, and the mean ratio is 1 over the events that phi was found from. log Z itself is a mean over so many nominal
events: what single events contribute to its value and slope at the fit is carried to theta in the same way, and is the
larger part where the data know a nuisance parameter well. Both are taken for independent. What members of an ensemble
do not differ in and what is not linear in the inputs is not in phi, nor is what a calibration owes to its own events:
closure and calibration curves judge that.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.product import Product, named
from sbitune.fitting.likelihood.terms.interpolation import log_mean
from sbitune.fitting.minimise.implicit import carried_covariance
from sbitune.fitting.results import Fit
from sbitune.learning.classifiers.combination import Combined
from sbitune.ratios.mixture.model import Mixture

#: events of which mixed derivatives are found at once
_SLICE = 1 << 12
#: nominal events from which those of log Z are found, at most
_NORMALISING = 4096


def ratio_covariance(
    mixture: Mixture,
    problem: Product,
    best: Fit,
    x: np.ndarray,
    counts: np.ndarray,
    region: str = "",
    of_phi: bool = True,
) -> np.ndarray:
    """The covariance (n_parameters, n_parameters) of fitted parameters from the ratios; rows of fixed ones are 0.

    Args:
        mixture: the model.
        problem: what was fitted, with the data.
        best: its fit.
        x: (n_events, n_columns) events of the data.
        counts: (n_events,) with which they count.
        of_phi: whether phi moves them; if ratios float in the fit, its errors have that, and log Z alone is left.
        region: which of several terms of events this is, so that what is compiled for one is not taken for another.

    Raises `ComputationError` if the second derivatives at the fit are not positive, or a derivative is not finite.
    """
    parts = _parts(mixture)
    if not parts or not (of_phi or mixture.responses):
        return np.zeros_like(best.covariance)
    n = len(best.values)
    with double_precision():
        programs = problem.compiled.over_data.programs  # of one problem, whatever the data
        slopes = programs.setdefault(f"ratio errors {region}", jax.jit(_mixed(mixture, tuple(parts), problem)))
        off = np.zeros((len(mixture.processes), 1 + n))
        phi = (*(part.phi for part in parts.values()), off)
        covariances = [part.covariance if of_phi else np.zeros_like(part.covariance) for part in parts.values()]
        covariances = [*covariances, _of_means(mixture, best)]
        nominal = _nominal(mixture)
        total = [np.zeros((n, one.size)) for one in phi]
        for i in range(0, len(x), _SLICE):
            rows = np.arange(i, i + _SLICE)
            used = np.where(rows < len(x), counts[np.minimum(rows, len(x) - 1)], 0.0)
            features = tuple(part.features(x[np.minimum(rows, len(x) - 1)]) for part in parts.values())
            found = slopes(best.values, phi, features, used, nominal)
            total = [so_far + np.asarray(one).reshape(n, -1) for so_far, one in zip(total, found, strict=True)]
    return carried_covariance(problem, best, list(zip(total, covariances, strict=True)))


def _of_means(mixture: Mixture, best: Fit) -> np.ndarray:
    """Covariance of log Z and its slopes along all parameters, at the fit, process after process: from the number of
    nominal events.
    """
    n = 1 + len(best.values)
    found = np.zeros((len(mixture.processes) * n,) * 2)
    for i, process in enumerate(mixture.processes):
        mine = [response for response in mixture.responses if response.sample == process.name]
        if not mine:
            continue
        rows = mixture.normalising(i)
        numbers = [jnp.asarray(response.coefficients(mixture.held.x[rows]).T, float) for response in mine]
        w = mixture.held.weights[rows] / mixture.held.weights[rows].sum()

        def ratios(theta: Any, mine: list = mine, numbers: list = numbers) -> Any:
            given = dict(zip(best.names, theta, strict=True))
            each = zip(mine, numbers, strict=True)
            return jnp.exp(sum(response.log_response(given[response.nuisance], c) for response, c in each))

        theta = jnp.asarray(best.values)
        value, slopes = ratios(theta), jax.jacfwd(ratios)(theta)
        z, slope = w @ value, w @ slopes
        # what one event moves log Z and its slope by
        each = np.column_stack([value / z - 1, slopes / z - value[:, None] * slope / z**2])
        found[i * n : (i + 1) * n, i * n : (i + 1) * n] = (each * w[:, None]).T @ (each * w[:, None])
    return found


def _nominal(mixture: Mixture) -> list[tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    """Weights and features of nominal events, for log Z of every process: of its responses, in their order."""
    found = []
    for i, process in enumerate(mixture.processes):
        rows = np.flatnonzero(mixture.held.sample == i)[:_NORMALISING]
        mine = [response for response in mixture.responses if response.sample == process.name]
        features = tuple(response.combined.features(mixture.held.x[rows]) for response in mine)
        found.append((mixture.held.weights[rows], features))
    return found


def _parts(mixture: Mixture) -> dict[str, Combined]:
    """All that has numbers phi, by name."""
    parts = {} if mixture.ratios.combined is None else {"ratios": mixture.ratios.combined}
    return parts | {f"response{i}": response.combined for i, response in enumerate(mixture.responses)}


def _mixed(mixture: Mixture, names: tuple[str, ...], problem: Product) -> Callable[..., list[Any]]:
    """A function that gives d2 / (d theta d phi) of -2 sum of counts times log intensity, (n_parameters, n_phi) for
    every part.
    """

    def total(theta: Any, phi: tuple[Any, ...], features: tuple[Any, ...], counts: Any, nominal: Any) -> Any:
        *numbers, off = phi
        given, of_part = named(problem.parameters, theta), dict(zip(names, numbers, strict=True))
        outputs = {name: f @ of_part[name] for name, f in zip(names, features, strict=True)}
        columns = [jnp.zeros(len(counts))]
        if "ratios" in outputs:
            columns = list(mixture.ratios.of_outputs(outputs["ratios"]).T)
        for i, response in enumerate(mixture.responses):
            columns += list(response.coefficients_of(outputs[f"response{i}"]).T)
        log_means = []
        for process, (weights, of_process) in zip(mixture.processes, nominal, strict=True):
            log, left = jnp.zeros(len(weights)), list(of_process)
            for i, response in enumerate(mixture.responses):
                if response.sample == process.name:
                    c = response.coefficients_of(left.pop(0) @ of_part[f"response{i}"])
                    log += response.log_response(given[response.nuisance], c.T)
            value, *slopes = off[len(log_means)]
            moved = jnp.stack(slopes) @ (theta - jax.lax.stop_gradient(theta))
            log_means.append(log_mean(log, weights) + value + moved)
        return -2 * jnp.sum(counts * mixture.log_intensity_with(given, columns, log_means))

    def mixed(theta: Any, phi: tuple[Any, ...], *data: Any) -> list[Any]:
        return list(jax.jacfwd(jax.grad(total), argnums=1)(theta, phi, *data))

    return mixed
