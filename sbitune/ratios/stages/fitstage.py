"""The stage that fits: events and ratios to parameters, `result.yaml`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.fitting.checks.coverage import coverage_of_toys
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import Sample
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
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
from sbitune.ratios.stages.channels import ASIMOV, Regions, describe_regions, expectations
from sbitune.ratios.stages.observed import read_data
from sbitune.ratios.stages.problem import make_problem, measured_of, nominal_of
from sbitune.ratios.stages.training import TrainedRatios, ratios_product, train_stage
from sbitune.ratios.verdict import checks_of_fit, checks_of_training
from sbitune.workflow.cardfit import CardFit
from sbitune.workflow.cards.cardfile import CardFile
from sbitune.workflow.results.checks import judge, warnings_of
from sbitune.workflow.results.fits import record_minima
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.stages import writing

#: what is said of errors of weighted data
_WEIGHTED = (
    "errors are those of weighted events (Eur. Phys. J. C 82 (2022) 393): they hold whatever the scale of the weights, "
    "and leave out what weights owe to parameters that were fitted to the same events"
)


class FittedRatios(NamedTuple):
    """A fit of events with all that it was made of."""

    loaded: RatiosCardFile
    trained: TrainedRatios
    problem: Product
    fit: Fit
    record: RatiosRecord


def fit_stage(loaded: RatiosCardFile, trained: TrainedRatios, reporter: Reporter = QUIET) -> FittedRatios:
    """Fit the parameters and judge the fit; writes `result.yaml` if it converged.

    Raises:
        ComputationError: if it did not; a result of a fit before is taken away then.
        InputError: as `read_data`, or if another sbitune is at work on the card.
    """
    with writing(loaded):
        data = read_data(loaded)
        problem = make_problem(loaded, trained, data)
        try:
            best = fit(problem, loaded.card.fit)
        except ComputationError:
            loaded.output("result.yaml").unlink(missing_ok=True)
            raise
        reporter.say(str(best))
        expected = expectations(problem, best)
        coverage = coverage_at_fit(loaded, problem, best, expected, reporter)
        regions = describe_regions(loaded, trained, problem, best, data, expected)
        record = _record(loaded, trained, problem, best, regions, coverage)
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
    problem = make_problem(loaded, trained, read_data(loaded))
    return FittedRatios(loaded, trained, problem, fit_of(record, problem.parameters), record)


def card_fit(loaded: RatiosCardFile, reporter: Reporter) -> CardFit:
    """The fit as profiles, posteriors and toys see it. Raises as `read_fitted` does."""
    found = read_fitted(loaded, reporter)
    return CardFit(found.problem, found.fit, made_of(found.record), found.record.title, found)


def coverage_at_fit(
    loaded: CardFile[Any],
    problem: Product,
    best: Fit,
    expected: Sample | Mapping[str, Sample],
    reporter: Reporter,
) -> dict[str, Any]:
    """Figures of toys at the fit; none if the card asks for none, or if some expected events, of a term or of several
    by name, have negative weights.
    """
    samples = {"": expected} if isinstance(expected, Sample) else expected
    if not loaded.card.fit.toys:
        return {}
    if not problem.is_likelihood:
        reporter.say("no toys: the data have weights, and nobody says which ones toys have")
        return {}
    if any(np.any(sample.counts < 0) for sample in samples.values()):
        reporter.say("no toys: simulated events of all samples have negative weights, of which none can be drawn")
        return {}
    key = jax.random.fold_in(jax.random.key(loaded.card.seed), 1)
    return coverage_of_toys(key, problem, best.values, loaded.card.fit.toys, reporter).figures()


def _record(
    loaded: RatiosCardFile,
    trained: TrainedRatios,
    problem: Product,
    best: Fit,
    regions: Regions,
    coverage: dict[str, Any],
) -> RatiosRecord:
    card, own = loaded.card, regions.channels[0]
    rows = describe_parameters(best, nominal_of(problem), measured_of(loaded, problem), regions.ratio_covariance)
    checks = [
        *(check for name, one in trained.regions.items() for check in checks_of_training(one.record, name)),
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
        notes=[*best.notes, *([_WEIGHTED] if card.weighted_data and card.data else []), *loaded.counted.notes],
        other_minima=record_minima(best),
        provenance=provenance({"card": loaded.path.read_bytes()}, {"card": card.seed, "fit": card.fit.seed})
        | _hashes(loaded),
    )


def _hashes(loaded: RatiosCardFile) -> dict[str, str]:
    """Of the card, the ratios and the data; of several regions together."""
    ratios = [ratios_product(region).read_note().product for region in loaded.event_regions.values()]
    files = dict.fromkeys(region.card.data for region in loaded.event_regions.values())
    files |= dict.fromkeys(source for source in loaded.counted.sources.values() if source)
    data = [ASIMOV if file is None else hash_file(loaded.file(file), "data") for file in files]
    return {"card": hash_bytes(loaded.path.read_bytes()), "ratios": _together(ratios), "data": _together(data)}


def _together(hashes: list[str]) -> str:
    return hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode())
