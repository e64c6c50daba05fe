"""Where to make the next runs: at the points that lower the tune's error most.

After a first scan and its fit one knows about where the tune is, and what the surrogate does not know there. Candidates
spread over the box and around the tune are compared by what a run there is expected to gain, averaged over points of
the posterior (see `teaching`). The best is taken, the surrogate's covariance is updated as if it had been run, and so
on: later points know of earlier ones, and do not clump.

For surrogates whose covariance after another run is not known (networks, `ipol.dat`), every second point is drawn from
the posterior, widened, and the others are put where the scan is emptiest.

What this brings is measured in `analyses/sequential`: the response at the tune is known from about half the events. The
tune gains less, and nothing where the data are not described: it then hangs on slopes in directions that the components
of a small scan do not know of.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import write_points
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.sobol import sobol_points
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.learning.keys import check_key
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.studies.information_gain import Lever, Outputs, find_outputs, make_lever, select_outputs
from sbitune.workflow.runs.checking import extra_points

#: candidates spread over the box (a power of 2), and drawn around the tune with errors widened by this factor
_OVER_BOX, _AROUND, _WIDER = 512, 256, 3.0
#: outputs that are followed, at most
_MOST_OUTPUTS = 48
#: draws from a normal distribution, in units of those that are wanted, before the rest is put on the limits
_TRIES = 100
#: chi2/ndf above which the data are not described
_DESCRIBED = 2.0


class Proposal(NamedTuple):
    """Points for the next runs."""

    points: np.ndarray  #: (n, n_parameters) in the generator's units, best first
    before: float  #: tr(C^-1 C_s) / n_free, averaged over the posterior, now; NaN where it cannot be foretold
    after: np.ndarray  #: (n,) the same, expected after each of the runs
    method: str  #: `expected gain` or `space and posterior`


def posterior_points(
    key: jax.Array, problem: BinnedProblem, values: np.ndarray, covariance: np.ndarray, n: int = 32, wider: float = 1.0
) -> np.ndarray:
    """Draw n points from N(values, wider^2 covariance), cut off at the limits of the fit; (n, n_parameters).

    Parameters without variance (fixed, or held at a limit) stay where they are.
    """
    check_key(key)
    limits = np.array([problem.limits.get(p.name, (p.low, p.high)) for p in problem.parameters])
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    drawn = random.multivariate_normal(values, wider**2 * covariance, size=_TRIES * n, method="svd")
    moving = np.diag(covariance) > 0
    drawn[:, ~moving] = np.asarray(values)[~moving]
    good = ((drawn >= limits[:, 0]) & (drawn <= limits[:, 1]))[:, moving].all(axis=1)
    chosen = np.concatenate([drawn[good], drawn[~good]])[:n]
    return np.where(moving, np.clip(chosen, *limits.T), chosen)


def make_candidates(key: jax.Array, problem: BinnedProblem, values: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(n, n_parameters) points to choose from: Sobol points of the box, and a cloud around the tune."""
    low, high = _box(problem.parameters)
    over_key, around_key = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(over_key)))
    spread = low + sobol_points(_OVER_BOX, len(low), rng) * (high - low)
    return np.concatenate([spread, posterior_points(around_key, problem, values, covariance, _AROUND, _WIDER)])


def propose(
    key: jax.Array,
    problem: BinnedProblem,
    scan: Scan,
    points: np.ndarray,
    n: int,
    candidates: np.ndarray | None = None,
) -> Proposal:
    """Propose n points for the next runs, which are taken to be as long as the scan's.

    Args:
        key: spreads the candidates.
        problem: the fit, with the surrogate that the scan taught.
        scan: this scan.
        points: (m, n_parameters) of the posterior, see `posterior_points`; their mean stands for the tune.
        n: how many runs there are to be.
        candidates: (n_candidates, n_parameters) points to choose from; None: see `make_candidates`.

    Raises:
        InputError: fewer candidates than runs, or candidates outside the box.
        ComputationError: if the surrogate is not finite at the tune.
    """
    check_key(key)
    points = np.atleast_2d(np.asarray(points, float))
    centre, covariance = points.mean(axis=0), np.atleast_2d(np.cov(points, rowvar=False))
    if candidates is None:
        candidates = make_candidates(key, problem, centre, covariance)
    candidates = _checked(problem.parameters, candidates, n)
    outputs = find_outputs(problem, scan)
    with threadpool_limits(1):
        if not outputs:
            around = posterior_points(key, problem, centre, covariance, n, _WIDER)
            chosen = _space(problem, scan, around, n, candidates)
            return Proposal(candidates[chosen], np.nan, np.full(n, np.nan), "space and posterior")
        lever = make_lever(problem, centre)
        chosen, before, gains = _greedy(lever, outputs, points, candidates, n)
    return Proposal(candidates[chosen], before, before - np.cumsum(gains), "expected gain")


def _box(parameters: Sequence[Parameter]) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.array([(p.low, p.high) for p in parameters]).T
    return low, high


def _checked(parameters: Sequence[Parameter], candidates: np.ndarray, n: int) -> np.ndarray:
    candidates = np.atleast_2d(np.asarray(candidates, float))
    low, high = _box(parameters)
    if len(candidates) < n or n < 1:
        raise InputError(f"{n} of {len(candidates)} candidates cannot be chosen: ask for at least 1, and give more")
    outside = (candidates < low) | (candidates > high) | ~np.isfinite(candidates)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        p = parameters[column]
        value = candidates[row, column]
        raise InputError(f"candidate {row}: {p.name} = {value:g} is not inside [{p.low:g}, {p.high:g}]")
    return candidates


class _Followed:
    """A group of outputs on its way through the greedy choice."""

    def __init__(
        self, lever: Lever, outputs: Outputs, kept: np.ndarray, points: np.ndarray, candidates: np.ndarray
    ) -> None:
        self.outputs, self.kept, self.candidates = outputs, kept, candidates
        self.noise = outputs.noise[kept][:, None]
        white = np.linalg.inv(np.linalg.cholesky(lever.covariance))
        n = len(points)
        self.reach = np.empty((n, len(kept), len(white), len(candidates)))  # W K(stencil, candidate), whitened with C
        self.share = 0.0
        for m, theta in enumerate(points):
            stencil = lever.stencil(theta)
            weights = white @ lever.weigh(outputs, stencil)
            own = outputs.covariance(stencil, stencil)
            self.share += float(np.einsum("ops,ost,opt->", weights, own, weights, optimize=True)) / n
            self.reach[m] = weights[kept] @ outputs.covariance(stencil, candidates)[kept]
        self.variance = np.array([outputs.covariance(x[None], x[None])[kept, 0, 0] for x in candidates]).T
        self.past: list[np.ndarray] = []

    def gains(self) -> np.ndarray:
        """(n_candidates,) by how much a run at each lowers the share."""
        return np.einsum("mopx,ox->x", self.reach**2, 1 / self._total()) / len(self.reach)

    def _total(self) -> np.ndarray:
        # an output without noise is known exactly where a run is
        total = self.variance + self.noise
        return np.maximum(total, 1e-12 * total.max(axis=1, keepdims=True) + 1e-300)

    def take(self, x: int) -> None:
        """Update the covariances as if candidate x had been run."""
        column = self.outputs.covariance(self.candidates, self.candidates[x][None])[self.kept, :, 0]
        for step in self.past:
            column -= step * step[:, x][:, None]
        step = column / np.sqrt(self._total()[:, x])[:, None]
        scaled = self.reach[..., x] / np.sqrt(self._total()[:, x])[:, None]
        self.reach -= scaled[..., None] * step[:, None, :]
        self.variance = np.maximum(self.variance - step**2, 0.0)
        self.past.append(step)


def _greedy(
    lever: Lever, outputs: tuple[Outputs, ...], points: np.ndarray, candidates: np.ndarray, n: int
) -> tuple[list[int], float, np.ndarray]:
    """Which candidates to run, the share before, and what each run lowers it by."""
    free = len(lever.bread)
    kept = select_outputs(lever, outputs, points.mean(axis=0), _MOST_OUTPUTS)
    groups = [_Followed(lever, o, k, points, candidates) for o, k in zip(outputs, kept, strict=True)]
    chosen: list[int] = []
    gains = []
    for _ in range(n):
        gain = np.sum([group.gains() for group in groups], axis=0)
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        gains.append(gain[best] / free)
        for group in groups:
            group.take(best)
    return chosen, sum(group.share for group in groups) / free, np.array(gains)


def _space(problem: BinnedProblem, scan: Scan, around: np.ndarray, n: int, candidates: np.ndarray) -> list[int]:
    """In turns the candidate that is nearest to a draw of the posterior, and the one that is farthest from all runs."""
    low, high = _box(problem.parameters)
    unit = (candidates - low) / (high - low)
    near = cdist((around - low) / (high - low), unit)
    far = cdist(unit, (scan.theta - low) / (high - low)).min(axis=1)
    left = np.ones(len(candidates), bool)
    chosen: list[int] = []
    for i in range(n):
        distance = -near[i] if i % 2 == 0 else far
        best = int(np.argmax(np.where(left, distance, -np.inf)))
        chosen.append(best)
        left[best] = False
        far = np.minimum(far, np.linalg.norm(unit - unit[best], axis=1))
    return chosen


def propose_next(fitted: Fitted, n: int, seed: int) -> Proposal:
    """Propose n points to add to the scan of a fitted card.

    Raises `InputError` if the card has no scan or names extra runs that the fit did not have yet, or as `propose` does.
    """
    loaded = fitted.loaded
    loaded.need_scan()
    known = {tuple(theta) for theta in fitted.scan.theta.tolist()}
    missing = [x for x in _earlier(fitted).tolist() if tuple(x) not in known]
    if missing and loaded.card.scan.bad_runs == "stop":
        raise InputError(
            f"{loaded.place('scan', 'extra')}: the scan lacks some of these runs; make and fit them first: "
            f"`sbitune scan {loaded.path}`, `sbitune fit {loaded.path}`"
        )
    # other candidates for every batch, with the same seed
    key = jax.random.fold_in(jax.random.key(seed), len(fitted.scan.runs))
    points_key, candidates_key = jax.random.split(key)
    covariance = np.array(fitted.record.covariance, float)
    points = posterior_points(points_key, fitted.problem, fitted.theta, covariance)
    return propose(candidates_key, fitted.problem, fitted.scan, points, n)


def describes(fitted: Fitted) -> bool:
    """Whether the surrogate describes the data well enough for proposals to have been seen to help."""
    return fitted.record.chi2_unit < _DESCRIBED * fitted.record.ndf


def _earlier(fitted: Fitted) -> np.ndarray:
    """(n, n_parameters) the points that the card's scan was extended by before."""
    card = fitted.loaded.card
    return np.empty((0, len(fitted.scan.parameters))) if card.scan.directory else extra_points(fitted.loaded)


def write_extra(fitted: Fitted, path: str | Path, proposal: Proposal) -> int:
    """Write the card's extra points, if it has some, and the proposed ones behind them; gives the number of all."""
    every = np.concatenate([_earlier(fitted), proposal.points])
    comments = ["Points of further runs, for `scan.extra` of a card; numbered in this order, after the design's."]
    write_points(path, [p.name for p in fitted.scan.parameters], every, comments)
    return len(every)
