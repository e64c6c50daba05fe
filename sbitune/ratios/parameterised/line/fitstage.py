"""The stage that fits: events and a ratio to parameters, `result.yaml`."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.fitting.hypotheses.asimov import asimov_data
from sbitune.fitting.likelihood.product import Product, named
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import Sample, UnbinnedEvents
from sbitune.fitting.results import Fit
from sbitune.ratios.card import EVENTS
from sbitune.ratios.checks.closure import column_closure
from sbitune.ratios.parameterised.combination.errors import ratio_covariance
from sbitune.ratios.parameterised.inputs import X, pick_events, single_numbers
from sbitune.ratios.parameterised.line.card import ParameterisedCardFile
from sbitune.ratios.parameterised.line.number import number_of
from sbitune.ratios.parameterised.line.training import TrainedRatio, ratio_product, train_stage
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.record import ChannelRecord, RatiosRecord, fit_of, made_of, read_record
from sbitune.ratios.stages.fitting import (
    ASIMOV,
    Fittable,
    Regions,
    check_unchanged,
    fit_events,
    nominal_of,
    pool_of,
    terms_of_events,
)
from sbitune.ratios.stages.observed import read_observed
from sbitune.workflow.cardfit import CardFit
from sbitune.workflow.stages import writing


class FittedRatio(NamedTuple):
    """A fit of events with all that it was made of."""

    loaded: ParameterisedCardFile
    trained: TrainedRatio
    problem: Product
    fit: Fit
    record: RatiosRecord


def make_problem(loaded: ParameterisedCardFile, trained: TrainedRatio, data: X | None) -> Product:
    """What a card asks to be fitted, of data as the ratio takes them; None: of what is expected."""
    card, held = loaded.card, trained.held
    model = RatioModel(trained.ratio, number_of(card.expected, loaded.parameters()))
    pool = held.given, held.weight / held.weight.sum()
    events = pick_events(held.given, np.arange(1)) if data is None else data
    term = UnbinnedEvents(EVENTS, model, events, pool, loaded.nominal)
    constraints = [Constraint(name, *values) for name, values in loaded.measured.items()]
    problem = Product([term, *constraints], loaded.parameters(), card.fit.limits, card.fit.fixed)
    if data is not None:
        return problem
    return problem.with_data(asimov_data(problem, np.array(list(nominal_of(problem).values()))).data)


def fit_stage(loaded: ParameterisedCardFile, trained: TrainedRatio, reporter: Reporter = QUIET) -> FittedRatio:
    """Fit the parameters and judge the fit; writes `result.yaml` if it converged.

    Raises:
        ComputationError: if it did not; a result of a fit before is taken away then.
        InputError: for data that cannot be read or are none, or if another sbitune is at work on the card.
    """
    with writing(loaded):
        data = _read_data(loaded, trained)
        problem = make_problem(loaded, trained, data)
        describe = partial(_describe, loaded, trained, problem, data)
        ready = Fittable(problem, describe, loaded.measured, {EVENTS: trained.record}, _hashes(loaded))
        best, record = fit_events(loaded, ready, reporter)
    return FittedRatio(loaded, trained, problem, best, record)


def read_fitted(loaded: ParameterisedCardFile, reporter: Reporter = QUIET) -> FittedRatio:
    """The fit that is there. Raises `InputError` if there is none, or if card, events or data have changed since."""
    record, trained = read_record(loaded.output("result.yaml")), train_stage(loaded, reporter)
    check_unchanged(loaded, record, _hashes(loaded))
    problem = make_problem(loaded, trained, _read_data(loaded, trained))
    return FittedRatio(loaded, trained, problem, fit_of(record, loaded.parameters()), record)


def card_fit(loaded: ParameterisedCardFile, reporter: Reporter) -> CardFit:
    """The fit as profiles, posteriors and toys see it. Raises as `read_fitted` does."""
    found = read_fitted(loaded, reporter)
    return CardFit(found.problem, found.fit, made_of(found.record), found.record.title, found)


def _read_data(loaded: ParameterisedCardFile, trained: TrainedRatio) -> X | None:
    return None if loaded.card.data is None else trained.ratio.inputs_of(read_observed(loaded))


def _describe(
    loaded: ParameterisedCardFile,
    trained: TrainedRatio,
    problem: Product,
    data: X | None,
    best: Fit,
    expected: Mapping[str, Sample],
) -> Regions:
    """The events at a fit."""
    sample, term = expected[EVENTS], terms_of_events(problem)[EVENTS]
    with problem.computing():
        at_fit = named(problem.parameters, jnp.asarray(best.values))
        numbers = [term.model.expected(given) for given in (loaded.nominal, at_fit)]
        pool = pool_of(term, at_fit, sample)
    nominal, fitted = ({} if number is None else {"all": [float(number)]} for number in numbers)
    channel = ChannelRecord(
        name=EVENTS,
        kind="events",
        data=loaded.card.data or ASIMOV,
        observed=[float(np.sum(problem.data[0].counts))],
        nominal=nominal,
        fitted=fitted,
        pool=pool,
    )
    columns = []
    if data is not None:
        names, held = single_numbers(trained.held.given, trained.ratio.inputs)
        _, x = single_numbers(data, trained.ratio.inputs)
        source = held, trained.held.weight, sample.counts / sample.counts.sum()
        columns = column_closure("data", names, (x, np.ones(len(x))), source)
    return Regions([channel], columns, ratio_covariance(term.model, problem, best))


def _hashes(loaded: ParameterisedCardFile) -> dict[str, str]:
    data = loaded.card.data
    return {
        "card": hash_bytes(loaded.path.read_bytes()),
        "ratios": ratio_product(loaded).read_note().product,
        "data": ASIMOV if data is None else hash_file(loaded.file(data), "data"),
    }
