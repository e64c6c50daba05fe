"""What a card asks to be fitted: a product of terms, one for each region, that share parameters by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbitune.fitting.hypotheses.asimov import asimov_data
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.term import Term
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.ratios.card import EVENTS, RatiosCardFile
from sbitune.ratios.mixture.floating import FloatingMixture
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.parameters import measured_by_others
from sbitune.ratios.stages.fitting import nominal_of, terms_of_events
from sbitune.ratios.stages.observed import Observed
from sbitune.ratios.stages.training import TrainedRatios


def make_problem(loaded: RatiosCardFile, trained: TrainedRatios, data: Mapping[str, Observed] | None) -> Product:
    """What a card asks to be fitted, of the data that `read_data` gives; without them of an Asimov data set."""
    card, nominal = loaded.card, loaded.nominal
    terms: list[Term] = []
    floating = [model for model in models_of(loaded, trained).values() if isinstance(model, FloatingMixture)]
    directions = [p for model in floating for p in model.nuisances()]
    nominal = nominal | {p.name: 0.0 for p in directions}
    for (name, model), one in zip(models_of(loaded, trained).items(), trained.regions.values(), strict=True):
        events, weights = (one.mixture.held.x[:1], None) if data is None else data[name]
        terms.append(UnbinnedEvents(name, model, events, one.mixture.pool, nominal, weights))
    terms += loaded.counted.terms(None if data is None else loaded.counted.counts)
    terms += [Constraint(name, *values) for name, values in measured_by_others(card.parameters).items()]
    terms += [constraint for model in floating if (constraint := model.constraint()) is not None]
    fixed = loaded.counted.fixed | card.fit.fixed
    problem = Product(terms, [*loaded.parameters(), *directions], card.fit.limits, fixed)
    if data is not None:
        return problem
    return problem.with_data(asimov_data(problem, np.array(list(nominal_of(problem).values()))).data)


def models_of(loaded: RatiosCardFile, trained: TrainedRatios) -> dict[str, Mixture | FloatingMixture]:
    """Region of events -> its model, with ratios that float if the card says so."""
    found: dict[str, Mixture | FloatingMixture] = {}
    for name, one in trained.regions.items():
        prefix = "ratio" if name == EVENTS else f"{name}_ratio"
        floats = loaded.card.ratio_error == "nuisances"
        found[name] = FloatingMixture(one.mixture, prefix) if floats else one.mixture
    return found


def measured_of(loaded: RatiosCardFile, problem: Product) -> dict[str, tuple[float, float]]:
    """Value and error of what is known of parameters beside the data: of the card, and of ratios that float."""
    models = [term.model for term in terms_of_events(problem).values()]
    names = [name for model in models if isinstance(model, FloatingMixture) for name in model.names]
    return loaded.measured | dict.fromkeys(names, (0.0, 1.0))


def data_of(problem: Product, name: str) -> Any:
    """The data of a term by its name."""
    return next(data for term, data in zip(problem.terms, problem.data, strict=True) if term.name == name)


def terms_of_counts(problem: Product) -> dict[str, CountedBins]:
    """The terms of counts by channel."""
    return {term.name: term for term in problem.terms if isinstance(term, CountedBins)}
