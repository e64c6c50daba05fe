r"""What one more run would teach: the part of the parameters' errors that stems from the surrogate, and can fall.

An error delta f of the surrogate moves the minimum of the fit, to first order in the scaled parameters u, by

    delta u = -H^-1 (J^T P delta f + delta J^T P r),   P = V^-1,   H = J^T P J,

with J the slopes and r = f - d the residuals at the tune (weights enter as in `fitting.errors`). The second term is
small where the model describes the data; where it does not, an error of a slope is an error of the tune. Both terms are
linear in delta f at the tune and in small steps from it, so that for a surrogate of independent outputs y_o (components
of a scan) that are known with the covariance K_o(theta, theta')

    C_s = sum_o W_o K_o(stencil, stencil) W_o^T.

A run at x with the noise nu_o changes K_o in a way that does not depend on what the run gives (C. Rasmussen, C.
Williams, Gaussian Processes for Machine Learning, MIT Press 2006, eq. 2.26, taken for one more point):

    K_o(a, b) -> K_o(a, b) - K_o(a, x) K_o(x, b) / (K_o(x, x) + nu_o),

so that its gain tr(C^-1 Delta C_s), with C the covariance of the parameters, is known before it is made (D. MacKay,
Neural Computation 4 (1992) 590; D. Cohn, Z. Ghahramani, M. Jordan, arXiv:cs/9603104). In the metric of C the trace is
also the change of log det C to first order. What components miss of the bins, and what a process cannot describe, is no
part of K: no single run lowers it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.tuning.surrogates.forms.independent import Outputs, Taught
from sbitune.tuning.surrogates.regression.outputs import slope_to_contents

#: step of the stencil, in half widths of the box: short beside the lengths of any response
_STEP = 0.05


def find_outputs(problem: BinnedProblem, scan: Scan) -> tuple[Outputs, ...]:
    """The outputs of a problem's surrogate; none if a run's effect on it cannot be foretold (networks, `ipol.dat`).

    Bins that were learnt one by one are taken to be independent.

    Args:
        problem: what is fitted.
        scan: the runs that its surrogate learnt from.
    """
    model = problem.model
    return model.independent_outputs(scan) if isinstance(model, Taught) else ()


@dataclass(frozen=True, eq=False)
class Lever:
    """How errors of the prediction move the minimum; free parameters, in half widths of the box."""

    problem: BinnedProblem
    frame: Frame
    values: np.ndarray  #: (n_free, n_bins) H^-1 J^T P, for errors of the values
    slopes: np.ndarray  #: (n_bins,) P r, for errors of the slopes
    bread: np.ndarray  #: (n_free, n_free) H^-1
    covariance: np.ndarray  #: (n_free, n_free) C of the parameters, all errors
    quoted: np.ndarray  #: (n_free, n_free) the part of C that is the model's own error, as the fit counts it

    @property
    def free(self) -> np.ndarray:
        """(n_free,) which parameters."""
        return np.flatnonzero(~self.frame.fixed)

    def stencil(self, theta: np.ndarray) -> np.ndarray:
        """(1 + 2 n_free, n_parameters) the point theta (n_parameters,) and small steps from it."""
        steps = _STEP * np.diag(self.frame.half)[self.free]
        return np.concatenate([theta[None], theta + steps, theta - steps])

    def weigh(self, outputs: Outputs, stencil: np.ndarray) -> np.ndarray:
        """W (n_outputs, n_free, n_stencil): how errors of the outputs on a stencil move the parameters."""
        mean = self.problem.model.predict_many(stencil).mean  # pyright: ignore[reportAttributeAccessIssue]
        log = self.problem.model.log  # pyright: ignore[reportAttributeAccessIssue]
        # an error of a logarithm is a relative error of the content
        scale = slope_to_contents(np.log(np.where(log, np.maximum(mean, 1e-300), 1.0)), log, np)
        chosen = self.problem.measured.indices
        rows, scale = outputs.rows[:, chosen], scale[:, chosen]
        n = len(self.bread)
        found = np.zeros((len(rows), n, len(stencil)))
        found[:, :, 0] = (rows * scale[0]) @ self.values.T
        tilt = rows @ (self.slopes * scale[1:]).T / (2 * _STEP)  # (n_outputs, 2 n_free)
        found[:, :, 1 : n + 1] = tilt[:, None, :n] * self.bread
        found[:, :, n + 1 :] = -tilt[:, None, n:] * self.bread
        return found


def make_lever(problem: BinnedProblem, theta: np.ndarray) -> Lever:
    """The lever at the tune theta (n_parameters,). Raises `ComputationError` if the model is not finite there."""
    frame = problem.frame()
    free, w = np.flatnonzero(~frame.fixed), problem.measured.weights
    with problem.computing():
        objective = problem.objective()
        u = frame.to_unit(np.asarray(theta, float))
        held = objective.hold(u)
        slopes = objective.response.slopes(u)[:, free]
        residuals = objective.response.mean(u) - problem.measured.values
        own = np.asarray(problem.model.covariance(np.asarray(theta, float), problem.measured.indices))
        weighted = w[:, None] * held.inverse * w
        bread = np.linalg.inv(slopes.T @ weighted @ slopes)
        values = bread @ slopes.T @ weighted
        covariance = values @ held.covariance @ values.T
        return Lever(problem, frame, values, weighted @ residuals, bread, covariance, values @ own @ values.T)


class Share(NamedTuple):
    """Covariances (n_parameters, n_parameters) of the parameters, in the generator's units; 0 for fixed ones."""

    total: np.ndarray  #: all errors
    quoted: np.ndarray  #: the part that is the surrogate's own error, as the fit counts it
    teachable: np.ndarray  #: C_s: what more runs would lower, errors of slopes included; NaN where it is not known

    def fraction(self, part: str = "teachable") -> float:
        """Mean part of the parameters' variance, tr(C^-1 C_s) / n_free: 0 is a perfect surrogate."""
        free = np.flatnonzero(np.diag(self.total) > 0)
        pick = np.ix_(free, free)
        return float(np.trace(np.linalg.solve(self.total[pick], getattr(self, part)[pick])) / len(free))


def surrogate_share(problem: BinnedProblem, scan: Scan, theta: np.ndarray) -> Share:
    """How much of the parameters' covariance at the tune theta (n_parameters,) stems from the surrogate."""
    lever = make_lever(problem, theta)
    outputs = find_outputs(problem, scan)
    stencil = lever.stencil(np.asarray(theta, float))
    taught = np.full_like(lever.covariance, np.nan)
    if outputs:
        taught = sum(np.sum(_shares(lever.weigh(o, stencil), o.covariance(stencil, stencil)), axis=0) for o in outputs)
    names, half = len(lever.frame.names), lever.frame.half[lever.free]
    found = []
    for part in (lever.covariance, lever.quoted, taught):
        whole = np.zeros((names, names))
        whole[np.ix_(lever.free, lever.free)] = part * np.outer(half, half)
        found.append(whole)
    return Share(*found)


def _shares(weights: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(n_outputs, n_free, n_free) W K W^T of every output."""
    return weights @ covariance @ weights.transpose(0, 2, 1)


def select_outputs(lever: Lever, outputs: tuple[Outputs, ...], theta: np.ndarray, most: int) -> list[np.ndarray]:
    """Which outputs of each group to follow: the `most` that contribute most to C_s at theta (n_parameters,)."""
    stencil = lever.stencil(theta)
    metric = np.linalg.inv(lever.covariance)
    sizes = [
        np.einsum("opq,qp->o", _shares(lever.weigh(o, stencil), o.covariance(stencil, stencil)), metric)
        for o in outputs
    ]
    every = np.sort(np.concatenate(sizes))[::-1]
    least = every[most - 1] if len(every) > most else 0.0
    return [np.flatnonzero(size >= least) for size in sizes]
