"""The stage that fits: events and ratios to parameters, `result.yaml`."""

from functools import partial
from typing import NamedTuple

from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.record import RatiosRecord, fit_of, made_of, read_record
from sbitune.ratios.stages.channels import describe_regions
from sbitune.ratios.stages.fitting import ASIMOV, Fittable, check_unchanged, fit_events
from sbitune.ratios.stages.observed import read_data
from sbitune.ratios.stages.problem import make_problem, measured_of
from sbitune.ratios.stages.training import TrainedRatios, ratios_product, train_stage
from sbitune.workflow.cardfit import CardFit
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
        ready = Fittable(
            problem,
            partial(describe_regions, loaded, trained, problem, data),
            measured_of(loaded, problem),
            {name: one.record for name, one in trained.regions.items()},
            _hashes(loaded),
            [*([_WEIGHTED] if loaded.card.weighted_data and loaded.card.data else []), *loaded.counted.notes],
        )
        best, record = fit_events(loaded, ready, reporter)
    return FittedRatios(loaded, trained, problem, best, record)


def read_fitted(loaded: RatiosCardFile, reporter: Reporter = QUIET) -> FittedRatios:
    """The fit that is there. Raises `InputError` if there is none, or if card, samples or data have changed since."""
    record, trained = read_record(loaded.output("result.yaml")), train_stage(loaded, reporter)
    check_unchanged(loaded, record, _hashes(loaded))
    problem = make_problem(loaded, trained, read_data(loaded))
    return FittedRatios(loaded, trained, problem, fit_of(record, problem.parameters), record)


def card_fit(loaded: RatiosCardFile, reporter: Reporter) -> CardFit:
    """The fit as profiles, posteriors and toys see it. Raises as `read_fitted` does."""
    found = read_fitted(loaded, reporter)
    return CardFit(found.problem, found.fit, made_of(found.record), found.record.title, found)


def _hashes(loaded: RatiosCardFile) -> dict[str, str]:
    """Of the card, the ratios and the data; of several regions together."""
    ratios = [ratios_product(region).read_note().product for region in loaded.event_regions.values()]
    files = dict.fromkeys(region.card.data for region in loaded.event_regions.values())
    files |= dict.fromkeys(source for source in loaded.counted.sources.values() if source)
    data = [ASIMOV if file is None else hash_file(loaded.file(file), "data") for file in files]
    return {"card": hash_bytes(loaded.path.read_bytes()), "ratios": _together(ratios), "data": _together(data)}


def _together(hashes: list[str]) -> str:
    return hashes[0] if len(hashes) == 1 else hash_bytes("".join(hashes).encode())
