"""A fit assessed: the parameters, and how far they can be trusted.

In this order: the fit with the errors that the data teach (theory errors, outliers), weights if they are to be chosen,
what disagrees with what, and toys that say how often the data would be described no better and whether the quoted
errors hold the truth as often as they claim.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import ComputationError, from_section
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.binned.autoweights import AutoWeights, choose_weights
from sbitune.fitting.binned.bootstrap import refit_model
from sbitune.fitting.binned.extra import Extra, fit_extra
from sbitune.fitting.binned.tension import Tension, find_tension
from sbitune.fitting.checks.coverage import Coverage, coverage_of_toys
from sbitune.fitting.checks.goodness import Goodness, find_goodness
from sbitune.fitting.checks.toys import ToyConfig
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.results import BinnedFit
from sbitune.tuning.record.result import UNJUDGED
from sbitune.tuning.surrogates.protocols import near_point, takes_point
from sbitune.tuning.verdict import TELLING

#: bins named in a result, at most
_WORST = 20
#: the model's errors are taken where quick fits end, until these move by no more than the second part of the ranges,
#: and a fit of all starts is made with them, until it ends there to the first part of its errors; each so many times
_SETTLED, _CLOSE, _TURNS = 0.1, 1e-3, 5


@dataclass(frozen=True, eq=False)
class Assessment:
    """A tune with all that says how sure it is."""

    tune: BinnedFit
    problem: BinnedProblem  #: what the tune is the fit of: added errors and chosen weights included
    near: np.ndarray | None  #: (n_parameters,) where the model's errors are taken (see `near_point`); None: everywhere
    extra: Extra
    weights: AutoWeights | None
    tension: Tension | None  #: None if the data are too few to tell, which the tune's notes say
    goodness: Goodness | None
    coverage: Coverage | None
    unjudged: str | None = None  #: why toys could not judge the tune


#: what goodness of fit means then
_HELD = (
    "theory errors were fitted to the scatter of this data, and toys hold them: that toys describe data as badly is "
    "then no proof of the model"
)

_WEIGHTS_HELD = (
    "weights were chosen from this data, and toys hold them: how they would change with other data is not seen"
)


def assess(problem: BinnedProblem, config: BinnedFitConfig, reporter: Reporter = QUIET) -> Assessment:
    """Fit a problem as a card asks for it. Raises as `fit`, `fit_extra` and `choose_weights` do; what is wrong with the
    config is told by its key in the card.
    """
    with from_section("fit"):
        tune, extra, near = _fit_near(problem, config)
        used, chosen = extra.problem, None
        if config.automatic_weights:
            reporter.say("choosing the weights of the observables")
            chosen = choose_weights(used, config)
            tune, used = chosen.fitted, chosen.problem
    reporter.say("what disagrees with what")
    tension = None
    try:
        tension = find_tension(used, tune)
    except ComputationError as error:  # it takes more bins to judge a fit than to make one
        tune = replace(tune, notes=(*tune.notes, f"what disagrees with what cannot be told: {error}"))
    goodness = covered = unjudged = None
    if chosen is not None and config.toys:
        tune = replace(tune, notes=(*tune.notes, _WEIGHTS_HELD))
    if any(row.fitted for row in extra.theory):
        tune = replace(tune, notes=(*tune.notes, _HELD))
    if config.toys:
        keys = jax.random.split(jax.random.key(config.seed), 2)
        try:
            goodness = find_goodness(keys[0], used, tune, config.toys, ToyConfig(errors=False), reporter)
            covered = coverage_of_toys(keys[1], used, tune.values, config.toys, reporter)
        except ComputationError as error:
            unjudged = str(error)
            tune = replace(tune, notes=(*tune.notes, f"{UNJUDGED}: {unjudged}"))
    return Assessment(tune, used, near, extra, chosen, tension, goodness, covered, unjudged)


def _fit_near(problem: BinnedProblem, config: BinnedFitConfig) -> tuple[BinnedFit, Extra, np.ndarray | None]:
    """Fit with the model's errors as they are at the tune, and tell where that is."""
    if not (problem.model_error and takes_point(problem.model)):
        return *fit_extra(problem, config), None
    frame = problem.frame()
    near = _settle(problem, frame.to_theta(frame.centre))
    for _ in range(_TURNS):
        tune, extra = fit_extra(replace(problem, model=near_point(problem.model, near)), config)
        if np.all(np.abs(tune.values - near) <= _SETTLED * tune.quoted_errors):
            break
        near = _settle(replace(extra.problem, model=problem.model), tune.values)
    return tune, extra, near


def _settle(problem: BinnedProblem, theta: np.ndarray) -> np.ndarray:
    """(n_parameters,) where fits end that begin at `theta` and have the model's errors as they are there, as far as
    quick fits tell: a fit of all starts has the last word.
    """
    width = np.array([p.high - p.low for p in problem.parameters])
    for _ in range(_TURNS):
        near = theta
        try:
            theta = refit_model(problem, near_point(problem.model, near), near)
        except ComputationError:
            break
        if np.all(np.abs(theta - near) <= _CLOSE * width):
            break
    return theta


def describe_assessment(assessment: Assessment) -> dict[str, Any]:
    """What is known beyond the parameters, as plain numbers and words for `result.yaml`."""
    about: dict[str, Any] = {} if assessment.tension is None else {"tension": _tension(assessment, assessment.tension)}
    if assessment.near is not None:
        about["near"] = dict(zip(assessment.tune.names, assessment.near.tolist(), strict=True))
    if assessment.extra.theory:
        about["theory_errors"] = [row._asdict() for row in assessment.extra.theory]
    if assessment.extra.downweighted:
        about["downweighted"] = [row._asdict() for row in assessment.extra.downweighted]
    if assessment.weights is not None:
        found = assessment.weights
        about["automatic_weights"] = {
            "weights": dict(found.weights),
            "metrics": {"automatic": found.automatic_metrics._asdict(), "as given": found.given_metrics._asdict()},
            "as_given": _values(found.given),
        }
    if assessment.goodness is not None:
        total = assessment.goodness.total
        about["goodness"] = {
            "p_value": total.p_value,
            "p_error": total.p_error,
            "asymptotic": total.asymptotic,
            "expected_chi2": total.expected,
            "toys": assessment.goodness.toys,
            "failed": len(assessment.goodness.failed),
        }
    if assessment.unjudged is not None:
        about["unjudged"] = assessment.unjudged
    if assessment.coverage is not None:
        about["coverage"] = assessment.coverage.figures()
    return about


def _values(tune: BinnedFit) -> dict[str, dict[str, float]]:
    rows = zip(tune.names, tune.values, tune.quoted_errors, strict=True)
    return {name: {"value": float(value), "error": float(error)} for name, value, error in rows}


def _tension(assessment: Assessment, tension: Tension) -> dict[str, Any]:
    bins, names = assessment.problem.measured.bins, assessment.tune.names
    rows = []
    for row in tension.observables:
        entry: dict[str, Any] = {
            "path": row.path,
            "bins": row.bins,
            "chi2": row.chi2,
            "p": row.p,
            "p_given_rest": row.p_given_rest if np.isfinite(row.p_given_rest) else None,
        }
        if row.jackknife is not None and np.isfinite(row.jackknife.in_errors).any():
            most = int(np.nanargmax(np.abs(row.jackknife.in_errors)))
            entry["moves"] = names[most]
            entry["moves_by"] = float(row.jackknife.in_errors[most])
        rows.append(entry)
    worst = [
        {"bin": bins.take([i]).labels()[0], "pull": float(tension.pulls[i])}
        for i in tension.worst_bins(_WORST)
        if abs(tension.pulls[i]) > 3
    ]
    in_tension = [row.path for row in tension.observables if row.p_given_rest < TELLING]
    return {"observables": rows, "in_tension": in_tension, "bins": worst}
