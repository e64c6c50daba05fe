"""The fit of events of any card: what was learned and made ready, to parameters and `result.yaml`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import Reporter
from sbitune.fitting.checks.coverage import coverage_of_toys
from sbitune.fitting.hypotheses.asimov import pool_quality
from sbitune.fitting.likelihood.product import Product, named
from sbitune.fitting.likelihood.terms.unbinned import Sample, UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.ratios.checks.records import ColumnClosure, TrainingRecord
from sbitune.ratios.parameters import EventsCardFile
from sbitune.ratios.record import (
    VERSION,
    ChannelRecord,
    ProcessRecord,
    RatiosRecord,
    describe_parameters,
    write_record,
)
from sbitune.ratios.verdict import checks_of_fit, checks_of_training
from sbitune.workflow.results.checks import judge, warnings_of
from sbitune.workflow.results.fits import record_minima
from sbitune.workflow.results.provenance import provenance

#: what stands for data where a card names none
ASIMOV = "Asimov"


class Regions(NamedTuple):
    """All regions at a fit."""

    channels: list[ChannelRecord]
    columns: list[ColumnClosure]  #: data and fit, of events
    ratio_covariance: np.ndarray  #: (n_parameters, n_parameters), of all ratios together


class Fittable(NamedTuple):
    """What is to be fitted, and how it is told of."""

    problem: Product  #: with the data, or what is expected in place of them
    describe: Callable[[Fit, Mapping[str, Sample]], Regions]  #: of a fit, and of what is expected there of every term
    measured: Mapping[str, tuple[float, float]]  #: parameter -> value and error of its auxiliary measurement
    trainings: Mapping[str, TrainingRecord]  #: region of events -> how its ratios were learned
    hashes: Mapping[str, str]  #: of the card, the ratios and the data
    notes: Sequence[str] = ()


def fit_events(loaded: EventsCardFile[Any], ready: Fittable, reporter: Reporter) -> tuple[Fit, RatiosRecord]:
    """Fit the parameters and judge the fit; writes `result.yaml` if it converged.

    Raises `ComputationError` if it did not; a result of a fit before is taken away then.
    """
    try:
        best = fit(ready.problem, loaded.card.fit)
    except ComputationError:
        loaded.output("result.yaml").unlink(missing_ok=True)
        raise
    reporter.say(str(best))
    expected = expectations(ready.problem, best)
    coverage = _coverage(loaded, ready.problem, best, expected, reporter)
    record = _record(loaded, ready, best, ready.describe(best, expected), coverage)
    write_record(loaded.output("result.yaml"), record)
    return best, record


def terms_of_events(problem: Product) -> dict[str, UnbinnedEvents]:
    """The terms of events by region."""
    return {term.name: term for term in problem.terms if isinstance(term, UnbinnedEvents)}


def nominal_of(problem: Product) -> dict[str, float]:
    """Parameter -> where the expectation before data is taken."""
    return {p.name: float(problem.fixed.get(p.name, p.default or 0.0)) for p in problem.parameters}


def expectations(problem: Product, best: Fit) -> dict[str, Sample]:
    """Simulated events of every region with the counts that are expected of each at a fit."""
    with problem.computing():
        given = named(problem.parameters, jnp.asarray(best.values))
        return {name: term.expectation(given) for name, term in terms_of_events(problem).items()}


def pool_of(term: UnbinnedEvents, given: Mapping[str, Any], expected: Sample) -> dict[str, float]:
    """How well simulated events with what is expected of them stand for that; where no number is expected, their
    weights are those of a density.
    """
    quality = pool_quality(term, given, expected)
    closure = float(np.sum(expected.counts) - 1) if quality.closure is None else quality.closure
    figures = {"effective": quality.effective, "expected": quality.expected, "closure": closure}
    return {"events": float(len(expected.counts))} | figures


def check_unchanged(loaded: EventsCardFile[Any], record: RatiosRecord, hashes: Mapping[str, str]) -> None:
    """Raise `InputError` if card, ratios or data are not those of a result."""
    changed = [name for name, now in hashes.items() if record.provenance.get(name) != now]
    if changed:
        raise InputError(
            f"{loaded.output('result.yaml')}: {' and '.join(changed)} changed since; run `sbitune infer "
            f"{loaded.directory}` again"
        )


def _coverage(
    loaded: EventsCardFile[Any], problem: Product, best: Fit, expected: Mapping[str, Sample], reporter: Reporter
) -> dict[str, Any]:
    """Figures of toys at the fit; none if the card asks for none, or if some expected events have negative weights."""
    if not loaded.card.fit.toys:
        return {}
    if not problem.is_likelihood:
        reporter.say("no toys: the data have weights, and nobody says which ones toys have")
        return {}
    if any(np.any(sample.counts < 0) for sample in expected.values()):
        reporter.say("no toys: simulated events of all samples have negative weights, of which none can be drawn")
        return {}
    key = jax.random.fold_in(jax.random.key(loaded.card.seed), 1)
    return coverage_of_toys(key, problem, best.values, loaded.card.fit.toys, reporter).figures()


def _record(
    loaded: EventsCardFile[Any], ready: Fittable, best: Fit, regions: Regions, coverage: dict[str, Any]
) -> RatiosRecord:
    card, own = loaded.card, regions.channels[0]
    rows = describe_parameters(best, nominal_of(ready.problem), ready.measured, regions.ratio_covariance)
    checks = [
        *(check for name, one in ready.trainings.items() for check in checks_of_training(one, name)),
        *checks_of_fit(best, rows, regions.columns, coverage, own.pool, regions.channels[1:]),
    ]
    return RatiosRecord(
        format=VERSION,
        title=card.title,
        status=best.status,
        verdict=judge(checks, "this fit and its errors").words,
        checks=checks,
        warnings=warnings_of(checks),
        data=own.data,
        events=own.observed[0],
        minimum=best.minimum,
        parameters=rows,
        covariance=best.covariance.tolist(),
        correlation=best.correlation.tolist(),
        ratio_covariance=regions.ratio_covariance.tolist(),
        processes={name: ProcessRecord(own.nominal[name][0], own.fitted[name][0]) for name in own.nominal},
        pool=own.pool,
        columns=regions.columns,
        channels=regions.channels,
        coverage=coverage,
        notes=[*best.notes, *ready.notes],
        other_minima=record_minima(best),
        provenance=provenance({"card": loaded.path.read_bytes()}, {"card": card.seed, "fit": card.fit.seed})
        | dict(ready.hashes),
    )
