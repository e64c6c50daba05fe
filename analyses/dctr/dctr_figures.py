"""What a learned ratio is worth: its score, its slope, its effective events, closure, and fits of pseudo-data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from dctr_samples import A_LUND, BASE, PARAMETERS, RHO, Sample

from sbitune.data.events import Events
from sbitune.data.sobol import sobol_points
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.ratios.checks.closure import column_closure
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.parameterised.ratio import LearnedRatio, mean_log

#: points of the box of aLund and probStoUD at which weights are compared: half of the way to its sides, and corners
POINTS = tuple(
    {A_LUND: BASE[A_LUND] + 0.1 * i, RHO: BASE[RHO] + 0.025 * j}
    for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
)
#: half of the distance over which a score is taken
STEPS = {A_LUND: 0.02, RHO: 0.005}
#: events whose weights are computed at once
_SLICE = 1 << 16


@dataclass(frozen=True, eq=False)
class Prepared:
    """Events after the networks of x, which run once."""

    ratio: LearnedRatio
    numbers: np.ndarray  #: (n_events, n_members, n)

    @classmethod
    def of(cls, ratio: LearnedRatio, events: Events) -> "Prepared":
        """Run the networks of x on events."""
        return cls(ratio, RatioModel(ratio, precision=np.float32).prepare(events))

    def log_ratios(self, theta: Mapping[str, float]) -> np.ndarray:
        """(n_events,) at settings; those that are not named are the default ones."""
        row = np.array([{**BASE, **theta}[p.name] for p in PARAMETERS])
        parts = [
            np.asarray(_combine(self.ratio.networks, self.numbers[i : i + _SLICE], row.astype(np.float32)), float)
            for i in range(0, len(self.numbers), _SLICE)
        ]
        return np.concatenate(parts) - float(self.ratio.log_mean(row))


@jax.jit
def _combine(networks: Any, numbers: Any, theta: Any) -> Any:
    return mean_log(jax.vmap(lambda net, part: net.combine(net.embed(theta), part), (0, 1))(networks, numbers))


def score_figures(score: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """What an observable `found` keeps of the information of an exact score (n_events,), and the error that this is.

    An observable f gives a parameter the error 1 / sqrt(n cov(f, t)^2 / var(f)); no f can give less than var(t) does.
    """
    (var, cov), (_, all_of_it) = np.cov(found, score)
    kept = cov**2 / (var * all_of_it)
    return {"kept": float(kept), "error of 10,000 events": float(1 / np.sqrt(1e4 * kept * all_of_it))}


def counts_score(events: Events, counts: Sequence[str], score: np.ndarray) -> np.ndarray:
    """(n_events,) linear regression of a score on counts."""
    design = np.column_stack([np.ones(len(events)), *(events[name] for name in counts)]).astype(float)
    return design @ np.linalg.lstsq(design, score)[0]


def scores(prepared: Prepared, events: Events) -> dict[str, dict[str, float]]:
    """Figures of the learned scores at the defaults."""
    found = {}
    for name, step in STEPS.items():
        ends = (prepared.log_ratios({name: BASE[name] + sign * step}) for sign in (1, -1))
        above, below = ends
        found[name] = score_figures(np.asarray(events[f"score {name}"]), (above - below) / (2 * step))
    return found


def regression(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope of y on x, with its error for residuals of any spread (White)."""
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    residual = y - y.mean() - slope * away
    return slope, float(np.sqrt(np.sum((residual * away) ** 2)) / (away @ away))


def slopes(prepared: Prepared, sample: Sample) -> list[dict[str, Any]]:
    """Exact weights regressed on the learned ratio, at points of aLund and probStoUD."""
    found = []
    for theta in POINTS:
        r, w = np.exp(prepared.log_ratios(theta)), np.exp(sample.log_weight(theta))
        slope, error = regression(r, w)
        found.append({"theta": theta, "slope": slope, "error": error, "mean ratio": r.mean(), "mean weight": w.mean()})
    return found


def effective_events(prepared: Prepared, sample: Sample, n: int = 32) -> dict[str, list[float]]:
    """ESS/N, smallest, median and largest, of learned ratios over the box and of both over that of aLund and rho."""
    low, high = np.array([(p.low, p.high) for p in PARAMETERS]).T
    box = low + (high - low) * sobol_points(n, 3, seed=5)[:n]
    rows = [dict(zip(BASE, map(float, theta), strict=True)) for theta in box]
    plane = [{name: row[name] for name in (A_LUND, RHO)} for row in rows]
    found = {
        "exact, plane": [ess(sample.log_weight(theta)) for theta in plane],
        "learned, plane": [ess(prepared.log_ratios(theta)) for theta in plane],
        "learned, box": [ess(prepared.log_ratios(theta)) for theta in rows],
    }
    return {name: [float(q) for q in np.quantile(values, (0, 0.5, 1))] for name, values in found.items()}


def ess(log_weight: np.ndarray) -> float:
    """Effective number of events, over the number that there is."""
    w = np.exp(log_weight)
    return float(w.sum() ** 2 / (len(w) * (w**2).sum()))


def table(events: Events, columns: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(n_events, n) numbers to be compared: columns, and means over particles of ragged ones."""
    parts, names = [], []
    for name in columns:
        column = events[name]
        if isinstance(column, np.ndarray):
            parts.append(column)
            names.append(name)
            continue
        of = np.repeat(np.arange(len(events)), column.counts)
        parts.append(np.bincount(of, column.content, len(events)) / np.maximum(column.counts, 1))
        names.append(f"mean of {name}")
    return np.column_stack(parts).astype(float), names


def closure(
    prepared: Prepared, reference: tuple[np.ndarray, list[str]], direct: np.ndarray, theta: Mapping[str, float]
) -> dict[str, Any]:
    """The default sample reweighted to settings, against a direct run of these, in all columns."""
    x, names = reference
    r = np.exp(prepared.log_ratios(theta))
    ones = np.ones(len(x))
    target = direct, np.ones(len(direct))
    after = column_closure("", names, target, (x, ones, r / len(x)))
    before = column_closure("", names, target, (x, ones, ones / len(x)))
    worst = max(after, key=lambda one: one.chi2 / one.ndf)
    bins = sum(one.ndf for one in after)
    return {
        "theta": dict(theta),
        "chi2/bins": sum(one.chi2 for one in after) / bins,
        "chi2/bins unweighted": sum(one.chi2 for one in before) / bins,
        "columns": len(after),
        "p below 0.01": sum(one.p_value < 0.01 for one in after),
        "worst": [worst.column, worst.chi2 / worst.ndf],
        "ess": ess(np.log(r)),
    }


def fit_data(ratio: LearnedRatio, events: Events, theta: Mapping[str, float]) -> dict[str, Any]:
    """Fit pseudo-data of known settings."""
    data = Product([UnbinnedEvents("data", RatioModel(ratio), events)], PARAMETERS)
    found = fit(data, FitConfig(minos=False, starts=2))
    truth = np.array([theta[p.name] for p in PARAMETERS])
    pulls = (found.values - truth) / found.errors
    return {
        "truth": truth.tolist(),
        "values": found.values.tolist(),
        "errors": found.errors.tolist(),
        "pulls": pulls.tolist(),
    }


def single_errors(ratio: LearnedRatio, events: Events, theta: Mapping[str, float]) -> dict[str, float]:
    """Errors of aLund and probStoUD from data, each with the other parameters held at the truth, for 10,000 events."""
    data = Product([UnbinnedEvents("data", RatioModel(ratio), events)], PARAMETERS)
    found = {}
    for name in (A_LUND, RHO):
        one = fit(
            data, FitConfig(fixed={other: theta[other] for other in BASE if other != name}, minos=False, starts=2)
        )
        found[name] = float(one.errors[one.names.index(name)] * np.sqrt(len(events) / 1e4))
    return found
