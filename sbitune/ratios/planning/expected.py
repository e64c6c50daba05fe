"""Errors that a fit can expect at given parameters: those of an Asimov data set there, from data and ratios."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.fitting.hypotheses.asimov import asimov_data, expected_covariance
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.mixture.errors import ratio_covariance
from sbitune.ratios.mixture.floating import FloatingMixture
from sbitune.ratios.stages.problem import data_of, make_problem, nominal_of, terms_of_events
from sbitune.ratios.stages.training import TrainedRatios


class Expected(NamedTuple):
    """What is expected at parameters."""

    at: dict[str, float]  #: all parameters
    free: tuple[str, ...]  #: (n_free,)
    covariance: np.ndarray  #: (n_free, n_free) of the data
    ratio_covariance: np.ndarray  #: (n_free, n_free) of the ratios
    notes: tuple[str, ...]  #: on the simulated events

    @property
    def errors(self) -> dict[str, float]:
        """Of the data, by parameter."""
        return dict(zip(self.free, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    @property
    def ratio_errors(self) -> dict[str, float]:
        """Of the ratios, by parameter."""
        return dict(zip(self.free, np.sqrt(np.diag(self.ratio_covariance)).tolist(), strict=True))

    @property
    def information(self) -> np.ndarray:
        """(n_free, n_free) the inverse of the covariance of the data; 0 where a parameter stays at its limit."""
        return np.linalg.pinv(self.covariance, hermitian=True)


def parse_point(text: str, loaded: RatiosCardFile) -> dict[str, float]:
    """Parameters from `mu=1.5,nu=0.2`. Raises `InputError` for what is none, or outside its range."""
    found: dict[str, float] = {}
    ranges = {p.name: (p.low, p.high) for p in loaded.parameters()}
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, equals, number = (word.strip() for word in part.partition("="))
        try:
            value = float(number) if equals else np.nan
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise InputError(f"{part}: expected parameters as mu=1.5,nu=0.2", code="plan-point")
        if name not in ranges:
            raise InputError(f"{name}: no such parameter{nearest(name, ranges)}", code="card-parameter-unknown")
        low, high = ranges[name]
        if not low <= value <= high:
            raise InputError(f"{name} = {value:g} is not inside its range [{low:g}, {high:g}]", code="plan-point")
        found[name] = value
    return found


def asimov_problem(loaded: RatiosCardFile, trained: TrainedRatios) -> Product:
    """The fit of what is expected at the nominal parameters, whether there are data or not."""
    return make_problem(loaded, trained, None)


def expected_at(
    loaded: RatiosCardFile, trained: TrainedRatios, problem: Product, theta: Mapping[str, float], ratios: bool = True
) -> Expected:
    """What is expected at parameters, those that are not named being nominal.

    Args:
        loaded: the card.
        trained: its ratios.
        problem: of `asimov_problem`.
        theta: parameter -> value.
        ratios: whether to find the errors of the ratios; else they are 0.

    Raises `ComputationError` if the data would not determine the parameters.
    """
    at = nominal_of(problem) | dict(theta) | {name: float(value) for name, value in problem.fixed.items()}
    values = np.array([at[p.name] for p in problem.parameters])
    asimov = asimov_data(problem, values)
    here, covariance = problem.with_data(asimov.data), expected_covariance(problem, values)
    frame, of_ratios = problem.frame(), np.zeros_like(covariance)
    best = Fit(
        parameters=problem.parameters,
        values=values,
        covariance=covariance,
        minos={},
        minimum=0.0,
        free=frame.free,
        at_limit=(),
        starts=(),
        edm=np.nan,
        calls=0,
        hesse_difference=np.nan,
    )
    for name, term in terms_of_events(problem).items() if ratios else ():
        mixture, x = trained.regions[name].mixture, trained.regions[name].mixture.pool[0]
        counts, apart = np.asarray(data_of(here, name).counts)[: len(x)], not isinstance(term.model, FloatingMixture)
        of_ratios += ratio_covariance(mixture, here, best, x, counts, name, apart)
    free = np.flatnonzero(~frame.fixed)
    block = np.ix_(free, free)
    return Expected(at, frame.free, covariance[block], of_ratios[block], asimov.notes)
