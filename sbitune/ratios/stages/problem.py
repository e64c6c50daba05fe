"""What a card asks to be fitted: a product of terms, one for each region, that share parameters by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbitune.fitting.hypotheses.asimov import asimov_data
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.parameters import measured_by_others
from sbitune.ratios.stages.observed import Observed
from sbitune.ratios.stages.training import TrainedRatios


def make_problem(loaded: RatiosCardFile, trained: TrainedRatios, data: Mapping[str, Observed] | None) -> Product:
    """What a card asks to be fitted, of the data that `read_data` gives; without them of an Asimov data set."""
    card, nominal = loaded.card, loaded.nominal
    terms = []
    for name, one in trained.regions.items():
        events, weights = (one.mixture.held.x[:1], None) if data is None else data[name]
        terms.append(UnbinnedEvents(name, one.mixture, events, one.mixture.pool, nominal, weights))
    terms += loaded.counted.terms(None if data is None else loaded.counted.counts)
    terms += [Constraint(name, *values) for name, values in measured_by_others(card.parameters).items()]
    fixed = loaded.counted.fixed | card.fit.fixed
    problem = Product(terms, loaded.parameters(), card.fit.limits, fixed)
    if data is not None:
        return problem
    theta = np.array([fixed.get(p.name, nominal[p.name]) for p in problem.parameters])
    return problem.with_data(asimov_data(problem, theta).data)


def terms_of_events(problem: Product) -> dict[str, UnbinnedEvents]:
    """The terms of events by region."""
    return {term.name: term for term in problem.terms if isinstance(term, UnbinnedEvents)}


def data_of(problem: Product, name: str) -> Any:
    """The data of a term by its name."""
    return next(data for term, data in zip(problem.terms, problem.data, strict=True) if term.name == name)


def terms_of_counts(problem: Product) -> dict[str, CountedBins]:
    """The terms of counts by channel."""
    return {term.name: term for term in problem.terms if isinstance(term, CountedBins)}
