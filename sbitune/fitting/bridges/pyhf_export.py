r"""The likelihood around a fit as a workspace of pyhf, which can be fitted with others.

L. Heinrich et al., J. Open Source Softw. 6 (2021) 2823; HistFactory: CERN-OPEN-2012-016. A simplified likelihood in the
spirit of CMS NOTE-2017/001: responses are linear, f = f_0 + J (theta - theta_0) around the fit's theta_0, correlations
between bins are nuisance parameters. HistFactory's bins are counts with Poisson errors, which its parameters move by
multiples of templates; a Gaussian likelihood is written as follows.

- V = diag(s^2) + sum_k c_k c_k^T, where c_k are the leading eigenvectors of the correlation matrix, above its smallest
  eigenvalue: each is a `histosys` with its normal constraint. s^2 takes what the others have on the diagonal.
- A bin has N counts at the minimum, where its independent residual is z errors s (what c_k do not explain), and a
  change of its contents by x changes the counts by N^1/2 x / (q s). With q - 1/q = z / N^1/2 and N q^2 counts
  observed, the Poisson likelihood there has the Gaussian's first and second derivatives.
- A generator's parameter is a `normfactor` (which has no constraint) of a sample that is J in these counts, so that its
  value and error are in the generator's units.

Generalised least squares with this V need not give the fit: V depends on theta, responses bend and eigenvectors are
left out. That is put right to first and second order, so that minimum and covariance C are those of the fit:
f_0 is moved along J until the minimum is at theta_0; and with H = J^T V^-1 J = L L^T and

    L^-1 C^-1 L^-T = U diag(1 + m) U^T,

every m_k > 0 is a bin of a further channel that measures L U_k (theta - theta_0), and every m_k < 0 a `histosys` along
J L^-T U_k with the variance -m_k / (1 + m_k).
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.storage.files import write_text
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.results import BinnedFit

#: N: third derivatives are of order 1 / sqrt(N), rounding errors of log likelihoods, of which MINUIT takes differences
#: that are as small as 1e-6, of order 1e-15 N
_COUNTS = 1e4
#: parameters may move so many standard deviations from the minimum
_REACH = 8.0
#: no correction is written that changes a variance by less than this part
_NEGLIGIBLE = 1e-6


class Linear(NamedTuple):
    """The linear likelihood in the free parameters, in the generator's units."""

    slopes: np.ndarray  #: (n_bins, n) J
    errors: np.ndarray  #: (n_bins,) s
    components: np.ndarray  #: (n_components, n_bins) c_k
    pulls: np.ndarray  #: (n_bins,) z at the minimum
    nuisances: np.ndarray  #: (n_components,) where the minimum has them
    gains: np.ndarray  #: (n_gains, n) sqrt(m_k) L U_k: combinations that are known better, with the error 1
    losses: np.ndarray  #: (n_losses, n_bins) shifts along the responses


def make_workspace(problem: BinnedProblem, fitted: BinnedFit, components: int = 10) -> dict[str, Any]:
    """The likelihood of `problem` around its fit `fitted` as a workspace, with so many eigenvectors of the correlations
    (or one less than there are bins).

    A channel for every histogram, in the order of the fit. Fixed parameters are left out, as are parameters at a limit
    of which the fit gives no error. pyhf is not needed to make it.

    Raises:
        InputError: if the fit is of other parameters, or has no free parameter with an error.
        ComputationError: if counts are negative within 8 standard deviations of the minimum.
    """
    if fitted.parameters != problem.parameters:
        raise InputError("the fit and the problem have different parameters or ranges")
    if components < 0:
        raise InputError(f"the number of components is at least 0, not {components}")
    frame = problem.frame()
    free = np.flatnonzero((~frame.fixed) & (fitted.errors > 0))
    if not len(free):
        raise InputError("no free parameter of the fit has an error")
    linear = _linearise(problem, fitted, frame, free, min(components, len(problem.measured.bins) - 1))
    names = [frame.names[i] for i in free]
    bounds = _bounds(fitted, frame, free)
    _check_counts(linear, fitted.values[free], bounds)
    channels, observations = _channels(problem, fitted.values[free], names, linear)
    config = [_parameter(name, fitted.values[i], *ends) for name, i, ends in zip(names, free, bounds, strict=True)]
    config += [_parameter(f"correlated_{k + 1}", x, x - _REACH, x + _REACH) for k, x in enumerate(linear.nuisances)]
    measurement = {"name": "tune", "config": {"poi": names[0], "parameters": config}}
    return {"channels": channels, "observations": observations, "measurements": [measurement], "version": "1.0.0"}


def _parameter(name: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "inits": [float(value)], "bounds": [[float(low), float(high)]]}


def write_workspace(path: str | Path, problem: BinnedProblem, fitted: BinnedFit, components: int = 10) -> None:
    """Write `make_workspace` as JSON, whole or not at all."""
    workspace = make_workspace(problem, fitted, components)
    write_text(path, json.dumps(workspace, indent=1, allow_nan=False) + "\n")


def _linearise(problem: BinnedProblem, fitted: BinnedFit, frame: Frame, free: np.ndarray, components: int) -> Linear:
    with problem.computing():
        objective = problem.objective()
        u = frame.to_unit(fitted.values)
        slopes = objective.response.slopes(u)[:, free] / frame.half[free]
        residuals = problem.measured.values - objective.response.mean(u)
        errors, shifts = _factorise(objective.covariance(u), components)
        inverse = np.linalg.inv(np.diag(errors**2) + shifts.T @ shifts)
        information = slopes.T @ inverse @ slopes
        step = np.linalg.solve(information, slopes.T @ inverse @ residuals)
        root = np.linalg.cholesky(information)
        white = np.linalg.solve(root, np.linalg.inv(fitted.covariance[np.ix_(free, free)]))
        more, axes = np.linalg.eigh(np.linalg.solve(root, white.T))
    more = more - 1
    gained, lost = more > _NEGLIGIBLE, more < -_NEGLIGIBLE
    gains = np.sqrt(more[gained])[:, None] * (root @ axes[:, gained]).T
    widths = np.sqrt(-more[lost] / (1 + more[lost]))
    losses = widths[:, None] * (slopes @ np.linalg.solve(root.T, axes[:, lost])).T
    weighted = inverse @ (residuals - slopes @ step)
    return Linear(slopes, errors, shifts, errors * weighted, shifts @ weighted, gains, losses)


def _factorise(v: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Independent errors (n_bins,) and shifts (components, n_bins) that have V's variances and main correlations."""
    scale = np.sqrt(np.diag(v))
    eigenvalues, vectors = np.linalg.eigh(v / np.outer(scale, scale))
    leading = np.arange(len(scale))[::-1][:components]
    above = np.maximum(eigenvalues[leading] - eigenvalues[0], 0)
    shifts = np.sqrt(above)[:, None] * vectors[:, leading].T
    # eigenvectors are defined up to a sign: the same workspace is written each time
    shifts *= np.where(shifts.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return scale * np.sqrt(1 - np.sum(shifts**2, axis=0)), scale * shifts


def _bounds(fitted: BinnedFit, frame: Frame, free: np.ndarray) -> np.ndarray:
    low, high = (frame.to_theta(end)[free] for end in frame.limits.T)
    reach = _REACH * fitted.errors[free]
    return np.stack(
        [np.maximum(low, fitted.values[free] - reach), np.minimum(high, fitted.values[free] + reach)], axis=1
    )


def _check_counts(linear: Linear, values: np.ndarray, bounds: np.ndarray) -> None:
    widest = np.abs(bounds - values[:, None]).max(axis=1)
    moves = (*(linear.slopes * widest).T, *(_REACH * linear.components))
    most = np.sqrt(_COUNTS) * _stretch(linear) * linear.errors
    if any(np.any(np.abs(move) > 0.9 * most) for move in moves):
        raise ComputationError(
            "the fit has no workspace: bins move by too many of their errors within 8 standard deviations of a "
            "parameter, or are too correlated; select more bins, fix a parameter or take fewer components"
        )


def _stretch(linear: Linear) -> np.ndarray:
    """The positive solution q (n_bins,) of q - 1/q = z / sqrt(N)."""
    z = linear.pulls / np.sqrt(_COUNTS)
    return (z + np.sqrt(z**2 + 4)) / 2


def _channels(
    problem: BinnedProblem, values: np.ndarray, names: list[str], linear: Linear
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    bins, q = problem.measured.bins, _stretch(linear)
    unit = np.sqrt(_COUNTS) / (q * linear.errors)
    shifts = {f"correlated_{k + 1}": unit * shift for k, shift in enumerate(linear.components)}
    shifts |= {f"widening_{k + 1}": unit * shift for k, shift in enumerate(linear.losses)}
    templates = unit[:, None] * linear.slopes
    rest = _COUNTS - templates @ values - unit * (linear.nuisances @ linear.components)
    channels, observations = [], []
    for path in bins.paths():
        mine = bins.of(path)
        here = {name: shift[mine] for name, shift in shifts.items()}
        channels.append({"name": path, "samples": _samples(rest[mine], names, templates[mine], here)})
        observations.append({"name": path, "data": (_COUNTS * q**2)[mine].tolist()})
    if len(linear.gains):
        templates = np.sqrt(_COUNTS) * linear.gains
        channels.append({"name": "curvature", "samples": _samples(_COUNTS - templates @ values, names, templates, {})})
        observations.append({"name": "curvature", "data": [_COUNTS] * len(linear.gains)})
    return channels, observations


def _samples(
    rest: np.ndarray, names: list[str], templates: np.ndarray, shifts: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """What does not depend on the parameters, with its shifts, and what each parameter adds, (n_bins, n)."""
    modifiers = [
        {"name": name, "type": "histosys", "data": {"hi_data": (rest + d).tolist(), "lo_data": (rest - d).tolist()}}
        for name, d in shifts.items()
    ]
    samples: list[dict[str, Any]] = [{"name": "rest", "data": rest.tolist(), "modifiers": modifiers}]
    for name, template in zip(names, templates.T, strict=True):
        factor = {"name": name, "type": "normfactor", "data": None}
        samples.append({"name": name, "data": template.tolist(), "modifiers": [factor]})
    return samples
