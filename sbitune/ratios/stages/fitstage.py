"""The stage that fits: events and ratios to parameters, `result.yaml`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.fitting.checks.coverage import coverage_of_toys
from sbitune.fitting.hypotheses.asimov import asimov_data, pool_quality
from sbitune.fitting.likelihood.product import Product, named
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import Sample, UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.checks.closure import column_closure
from sbitune.ratios.checks.records import ColumnClosure
from sbitune.ratios.mixture.errors import ratio_covariance
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.parameters import ParameterConfig
from sbitune.ratios.record import (
    VERSION,
    ProcessRecord,
    RatiosRecord,
    describe_parameters,
    fit_of,
    made_of,
    read_record,
    write_record,
)
from sbitune.ratios.samples import as_columns, read_table
from sbitune.ratios.stages.training import TrainedRatios, ratios_product, train_stage
from sbitune.ratios.verdict import checks_of_fit, checks_of_training
from sbitune.workflow.cardfit import CardFit
from sbitune.workflow.cards.cardfile import CardFile
from sbitune.workflow.results.checks import judge, warnings_of
from sbitune.workflow.results.fits import record_minima
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.stages import writing

#: name of the term of events
EVENTS = "events"
#: what stands for data where a card names none
ASIMOV = "Asimov"


class FittedRatios(NamedTuple):
    """A fit of events with all that it was made of."""

    loaded: RatiosCardFile
    trained: TrainedRatios
    problem: Product
    fit: Fit
    record: RatiosRecord


def read_data(loaded: RatiosCardFile) -> np.ndarray | None:
    """Columns (n_events, n_columns) of the measured events; None where the card names none.

    Raises `InputError` for data that cannot be read, have weights, or hold no events.
    """
    card = loaded.card
    if card.data is None:
        return None
    table = read_table(loaded.file(card.data), card)
    if not len(table):
        raise InputError(f"{table.where}: there are no events{' that are selected' if card.select else ''}")
    if np.any(table.weight != 1):
        raise InputError(
            f"{table.where}: the data have weights other than 1, with which their number is no count; leave the "
            "column out",
            code="ratios-data-weighted",
        )
    return as_columns(table, card.columns)


def make_problem(loaded: RatiosCardFile, mixture: Mixture, data: np.ndarray | None) -> Product:
    """What a card asks to be fitted, of the data that `read_data` gives."""
    card, nominal = loaded.card, loaded.nominal
    events = mixture.held.x[:1] if data is None else data
    term = UnbinnedEvents(EVENTS, mixture, events, mixture.pool, nominal)
    constraints = [Constraint(name, *values) for name, values in measured_by_others(card.parameters).items()]
    problem = Product([term, *constraints], loaded.parameters(), card.fit.limits, card.fit.fixed)
    if data is not None:
        return problem
    theta = np.array([nominal[p.name] for p in problem.parameters])
    return problem.with_data(asimov_data(problem, theta).data)


def fit_stage(loaded: RatiosCardFile, trained: TrainedRatios, reporter: Reporter = QUIET) -> FittedRatios:
    """Fit the parameters and judge the fit; writes `result.yaml` if it converged.

    Raises:
        ComputationError: if it did not; a result of a fit before is taken away then.
        InputError: as `read_data`, or if another sbitune is at work on the card.
    """
    with writing(loaded):
        data = read_data(loaded)
        problem = make_problem(loaded, trained.mixture, data)
        try:
            best = fit(problem, loaded.card.fit)
        except ComputationError:
            loaded.output("result.yaml").unlink(missing_ok=True)
            raise
        reporter.say(str(best))
        with problem.computing():
            given = named(problem.parameters, jnp.asarray(best.values))
            expected = _events_of(problem).expectation(given)
        coverage = coverage_at_fit(loaded, problem, best, expected, reporter)
        record = _record(loaded, trained, problem, best, data, expected, coverage)
        write_record(loaded.output("result.yaml"), record)
    return FittedRatios(loaded, trained, problem, best, record)


def read_fitted(loaded: RatiosCardFile, reporter: Reporter = QUIET) -> FittedRatios:
    """The fit that is there. Raises `InputError` if there is none, or if card, samples or data have changed since."""
    record, trained = read_record(loaded.output("result.yaml")), train_stage(loaded, reporter)
    changed = [name for name, now in _hashes(loaded).items() if record.provenance.get(name) != now]
    if changed:
        raise InputError(
            f"{loaded.output('result.yaml')}: {' and '.join(changed)} changed since; run `sbitune infer "
            f"{loaded.directory}` again"
        )
    problem = make_problem(loaded, trained.mixture, read_data(loaded))
    return FittedRatios(loaded, trained, problem, fit_of(record, loaded.parameters()), record)


def card_fit(loaded: RatiosCardFile, reporter: Reporter) -> CardFit:
    """The fit as profiles, posteriors and toys see it. Raises as `read_fitted` does."""
    found = read_fitted(loaded, reporter)
    return CardFit(found.problem, found.fit, made_of(found.record), found.record.title, found)


def _events_of(problem: Product) -> UnbinnedEvents:
    """The term of events."""
    (term,) = (term for term in problem.terms if isinstance(term, UnbinnedEvents))
    return term


def measured_by_others(parameters: Mapping[str, ParameterConfig]) -> dict[str, tuple[float, float]]:
    """Value and error of every auxiliary measurement, by parameter."""
    return {name: (p.measured.value, p.measured.error) for name, p in parameters.items() if p.measured is not None}


def coverage_at_fit(
    loaded: CardFile[Any], problem: Product, best: Fit, expected: Sample, reporter: Reporter
) -> dict[str, Any]:
    """Figures of toys at the fit; none if the card asks for none, or if some expected events have negative weights."""
    if not loaded.card.fit.toys:
        return {}
    if np.any(expected.counts < 0):
        reporter.say("no toys: simulated events of all samples have negative weights, of which none can be drawn")
        return {}
    key = jax.random.fold_in(jax.random.key(loaded.card.seed), 1)
    return coverage_of_toys(key, problem, best.values, loaded.card.fit.toys, reporter).figures()


def _record(
    loaded: RatiosCardFile,
    trained: TrainedRatios,
    problem: Product,
    best: Fit,
    data: np.ndarray | None,
    expected: Sample,
    coverage: dict[str, Any],
) -> RatiosRecord:
    card, mixture, nominal = loaded.card, trained.mixture, loaded.nominal
    with problem.computing():
        at_fit = named(problem.parameters, jnp.asarray(best.values))
        numbers = {
            p.name: ProcessRecord(float(mixture.expected_of(p, nominal)), float(mixture.expected_of(p, at_fit)))
            for p in mixture.processes
        }
        quality = pool_quality(_events_of(problem), at_fit, expected)
    assert quality.closure is not None  # a mixture expects a number
    pool = {
        "events": float(len(expected.counts)),
        "effective": quality.effective,
        "expected": quality.expected,
        "closure": quality.closure,
    }
    measured = measured_by_others(card.parameters)
    observed = problem.data[0].counts
    x = mixture.pool[0] if data is None else data
    of_ratios = ratio_covariance(mixture, problem, best, x, observed[: len(x)])
    rows = describe_parameters(best, nominal, measured, of_ratios)
    columns = [] if data is None else _columns(card.columns, mixture, data, expected.counts)
    checks = [*checks_of_training(trained.record), *checks_of_fit(best, rows, columns, coverage, pool)]
    return RatiosRecord(
        format=VERSION,
        title=card.title,
        status=best.status,
        verdict=judge(checks, "this fit and its errors").words,
        checks=checks,
        warnings=warnings_of(checks),
        data=card.data or ASIMOV,
        events=float(np.sum(observed)),
        minimum=best.minimum,
        parameters=rows,
        covariance=best.covariance.tolist(),
        correlation=best.correlation.tolist(),
        ratio_covariance=of_ratios.tolist(),
        processes=numbers,
        pool=pool,
        columns=columns,
        coverage=coverage,
        notes=list(best.notes),
        other_minima=record_minima(best),
        provenance=provenance({"card": loaded.path.read_bytes()}, {"card": card.seed, "fit": card.fit.seed})
        | _hashes(loaded),
    )


def _columns(names: tuple[str, ...], mixture: Mixture, x: np.ndarray, expected: np.ndarray) -> list[ColumnClosure]:
    """Data beside the simulated events with the weights that they have at the fit."""
    source = *mixture.pool, expected / expected.sum()
    return column_closure("data", names, (x, np.ones(len(x))), source)


def _hashes(loaded: RatiosCardFile) -> dict[str, str]:
    """Of the card, the ratios and the data."""
    data = loaded.card.data
    return {
        "card": hash_bytes(loaded.path.read_bytes()),
        "ratios": ratios_product(loaded).read_note().product,
        "data": ASIMOV if data is None else hash_file(loaded.file(data), "data"),
    }
