"""The stage that fits: events and ratios to parameters, `result.yaml`."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.fitting.checks.coverage import coverage_of_toys
from sbitune.fitting.hypotheses.asimov import asimov_data
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.checks.closure import column_closure
from sbitune.ratios.checks.records import ColumnClosure
from sbitune.ratios.mixture.errors import ratio_covariance
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.record import (
    VERSION,
    MinimumRecord,
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
from sbitune.workflow.results.checks import judge, warnings_of
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


def make_problem(loaded: RatiosCardFile, mixture: Mixture) -> Product:
    """What a card asks to be fitted.

    Raises `InputError` for data that cannot be read, have weights, or hold no events.
    """
    card, nominal = loaded.card, loaded.nominal
    if card.data is None:
        events: Any = mixture.held.x[:1]
    else:
        table = read_table(loaded.file(card.data), card)
        if not len(table):
            raise InputError(f"{table.where}: there are no events{' that are selected' if card.select else ''}")
        if np.any(table.weight != 1):
            raise InputError(
                f"{table.where}: the data have weights other than 1, with which their number is no count; leave the "
                "column out",
                code="ratios-data-weighted",
            )
        events = as_columns(table, card.columns)
    term = UnbinnedEvents(EVENTS, mixture, events, mixture.pool, nominal)
    constraints = [
        Constraint(name, p.measured.value, p.measured.error)
        for name, p in card.parameters.items()
        if p.measured is not None
    ]
    problem = Product([term, *constraints], loaded.parameters(), card.fit.limits, card.fit.fixed)
    if card.data is not None:
        return problem
    theta = np.array([nominal[p.name] for p in problem.parameters])
    return problem.with_data(asimov_data(problem, theta).data)


def fit_stage(loaded: RatiosCardFile, trained: TrainedRatios, reporter: Reporter = QUIET) -> FittedRatios:
    """Fit the parameters and judge the fit; writes `result.yaml` if it converged.

    Raises:
        ComputationError: if it did not; a result of a fit before is taken away then.
        InputError: as `make_problem`, or if another sbitune is at work on the card.
    """
    with writing(loaded):
        problem = make_problem(loaded, trained.mixture)
        try:
            best = fit(problem, loaded.card.fit)
        except ComputationError:
            loaded.output("result.yaml").unlink(missing_ok=True)
            raise
        reporter.say(str(best))
        coverage = _coverage(loaded, problem, best, reporter)
        record = _record(loaded, trained, problem, best, coverage)
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
    return FittedRatios(
        loaded, trained, make_problem(loaded, trained.mixture), fit_of(record, loaded.parameters()), record
    )


def card_fit(loaded: RatiosCardFile, reporter: Reporter) -> CardFit:
    """The fit as profiles, posteriors and toys see it. Raises as `read_fitted` does."""
    found = read_fitted(loaded, reporter)
    return CardFit(found.problem, found.fit, made_of(found.record), found.record.title, found)


def _coverage(loaded: RatiosCardFile, problem: Product, best: Fit, reporter: Reporter) -> dict[str, Any]:
    if not loaded.card.fit.toys:
        return {}
    events: Any = problem.terms[0]
    if np.any(events.expectation(dict(zip(best.names, best.values.tolist(), strict=True))).counts < 0):
        reporter.say("no toys: simulated events of all samples have negative weights, of which none can be drawn")
        return {}
    key = jax.random.fold_in(jax.random.key(loaded.card.seed), 1)
    return coverage_of_toys(key, problem, best.values, loaded.card.fit.toys, reporter).figures()


def _record(
    loaded: RatiosCardFile, trained: TrainedRatios, problem: Product, best: Fit, coverage: dict[str, Any]
) -> RatiosRecord:
    card, mixture, nominal = loaded.card, trained.mixture, loaded.nominal
    at_fit = {name: jnp.asarray(value) for name, value in zip(best.names, best.values.tolist(), strict=True)}
    with problem.computing():
        numbers = {
            p.name: ProcessRecord(float(mixture.expected_of(p, nominal)), float(mixture.expected_of(p, at_fit)))
            for p in mixture.processes
        }
        events: Any = problem.terms[0]
        expected = events.expectation(at_fit).counts
    total = sum(row.fitted for row in numbers.values())
    pool = {
        "events": float(len(expected)),
        "effective": float(expected.sum() ** 2 / np.sum(expected**2)),
        "expected": float(total),
        "closure": float(expected.sum() / total - 1),
    }
    measured = {
        name: (p.measured.value, p.measured.error) for name, p in card.parameters.items() if p.measured is not None
    }
    x, counts = _events(loaded, mixture, problem)
    of_ratios = ratio_covariance(mixture, problem, best, x, counts)
    rows = describe_parameters(best, nominal, measured, of_ratios)
    columns = _columns(loaded, mixture, x, expected)
    checks = [*checks_of_training(trained.record), *checks_of_fit(best, rows, columns, coverage, pool)]
    data = problem.data[0]
    return RatiosRecord(
        format=VERSION,
        title=card.title,
        status=best.status,
        verdict=judge(checks, "this fit and its errors").words,
        checks=checks,
        warnings=warnings_of(checks),
        data=card.data or ASIMOV,
        events=float(np.sum(data.counts)),
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
        other_minima=[MinimumRecord(m.theta.tolist(), float(m.above)) for m in best.others],
        provenance=provenance({"card": loaded.path.read_bytes()}, {"card": card.seed, "fit": card.fit.seed})
        | _hashes(loaded),
    )


def _events(loaded: RatiosCardFile, mixture: Mixture, problem: Product) -> tuple[np.ndarray, np.ndarray]:
    """Columns (n_events, n_columns) of the data, and with what each event counts."""
    card = loaded.card
    if card.data is None:
        pool = mixture.pool[0]
        return pool, np.asarray(problem.data[0].counts)[: len(pool)]
    x = as_columns(read_table(loaded.file(card.data), card), card.columns)
    return x, np.ones(len(x))


def _columns(loaded: RatiosCardFile, mixture: Mixture, x: np.ndarray, expected: np.ndarray) -> list[ColumnClosure]:
    """Data beside the simulated events with the weights that they have at the fit."""
    if loaded.card.data is None:
        return []
    source = *mixture.pool, expected / expected.sum()
    return column_closure("data", loaded.card.columns, (x, np.ones(len(x))), source)


def _hashes(loaded: RatiosCardFile) -> dict[str, str]:
    """Of the card, the ratios and the data."""
    data = loaded.card.data
    return {
        "card": hash_bytes(loaded.path.read_bytes()),
        "ratios": ratios_product(loaded).read_note().product,
        "data": ASIMOV if data is None else hash_file(loaded.file(data), "data"),
    }
