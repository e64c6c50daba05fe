"""The stage that learns the ratios of a card: they are kept under a key of all that made them."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import msgspec

from sbitune.data.events.tables.reading import format_of
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.ratios.card import EVENTS, RatiosCardFile
from sbitune.ratios.checks.closure import (
    calibration_curves,
    closure_of_responses,
    closure_of_samples,
    means_along,
    unsupported,
    unsupported_responses,
)
from sbitune.ratios.checks.records import SampleRecord, TrainingRecord
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.mixture.storage import load_mixture, save_mixture
from sbitune.ratios.mixture.training import MeanRatio, train_mixture
from sbitune.ratios.samples import ROLES, Samples, Simulated, read_samples, varied_files
from sbitune.workflow.stages import Product, writing

#: number of what makes ratios: a higher one, and they are learned again
_MAKER = "3"


class TrainedRatios(NamedTuple):
    """What a card learned."""

    mixture: Mixture
    record: TrainingRecord
    further: Mapping[str, "TrainedRatios"] = MappingProxyType({})  #: region of events -> the same of it

    @property
    def regions(self) -> dict[str, "TrainedRatios"]:
        """Region of events -> what was learned for it, that of the card itself first."""
        return {EVENTS: self, **self.further}


def ratios_product(loaded: RatiosCardFile) -> Product:
    """Where the learned ratios are kept, of the card's own events or of a region."""
    name = "ratios" if loaded.region == EVENTS else f"ratios.{loaded.region}"
    return Product(
        loaded.work / f"{name}.npz",
        loaded.work / f"{name}.json",
        "ratios",
        {"samples": "the samples", "card": "columns, samples or networks of the card", "maker": "sbitune"},
        TrainingRecord,
        made="learned",
    )


def train_stage(loaded: RatiosCardFile, reporter: Reporter = QUIET) -> TrainedRatios:
    """Learn the card's ratios, those of every region of events, or read them if they were learned from these samples,
    with these settings and code.

    Raises:
        InputError: for samples that cannot be read or learned from, naming file and column.
        ComputationError: if a loss is not finite, or mean ratios cannot be made 1.
    """
    learned = {name: _train_region(region, reporter) for name, region in loaded.event_regions.items()}
    own = learned.pop(EVENTS)
    return own._replace(further=learned)


def _train_region(loaded: RatiosCardFile, reporter: Reporter) -> TrainedRatios:
    product, wanted = ratios_product(loaded), training_key(loaded)
    why = product.why_not(wanted) if product.path.exists() else ""
    if why is None:
        return TrainedRatios(load_mixture(product.path), product.read_note().about)
    if why:
        reporter.say(f"the ratios{_of(loaded)} are learned again: {why}")
    with writing(loaded):
        clock = time.process_time()
        samples = read_samples(loaded)
        sizes = ", ".join(f"{len(sample.x):,} of {name}" for name, sample in samples.nominal.items())
        reporter.say(f"learning ratios{_of(loaded)} from events: {sizes}")
        mixture, learned, means = train_mixture(jax.random.key(loaded.card.seed), loaded, samples, reporter)
        record = TrainingRecord(
            _describe(loaded, samples, mixture, means),
            learned,
            [*closure_of_samples(mixture), *closure_of_responses(mixture, samples)],
            calibration_curves(mixture.ratios, mixture.held),
            means_along(mixture, samples),
            time.process_time() - clock,
        )
        save_mixture(product.path, mixture)
        product.write_note(wanted, msgspec.to_builtins(record))
    return TrainedRatios(mixture, record)


def _of(loaded: RatiosCardFile) -> str:
    return "" if loaded.region == EVENTS else f" of region {loaded.region}"


def training_key(loaded: RatiosCardFile) -> dict[str, str]:
    """What the ratios are made of: contents of all files, and what the card says of learning."""
    card = loaded.card
    files = [sample.events for sample in card.samples.values()]
    files += [f for s in card.samples.values() for r in s.responses.values() for _, f in varied_files(r)]
    for name in files:
        format_of(loaded.file(name))  # says what is no table before it is hashed
    hashes = "".join(hash_file(loaded.file(name)) for name in files)
    said = (card.columns, card.parameters, card.samples, card.derive, card.select, card.reference, card.calibration)
    words = msgspec.json.encode([*said, card.network, card.split, card.seed])
    return {"samples": hash_bytes(hashes.encode()), "card": hash_bytes(words), "maker": _MAKER}


def _describe(
    loaded: RatiosCardFile, samples: Samples, mixture: Mixture, means: dict[str, MeanRatio]
) -> list[SampleRecord]:
    shares = unsupported(mixture.ratios, mixture.held)
    rows = [
        msgspec.structs.replace(
            _row(name, loaded.card.samples[name].events, sample),
            mean_ratio=means[name].mean,
            mean_ratio_error=means[name].error,
            unsupported=share,
        )
        for (name, sample), share in zip(samples.nominal.items(), shares, strict=True)
    ]
    far = unsupported_responses(mixture, samples)
    for (name, nuisance), varied in samples.varied.items():
        files = dict(varied_files(loaded.card.samples[name].responses[nuisance]))
        rows += [
            msgspec.structs.replace(
                _row(f"{name} at {nuisance} = {s.value:g}", files[s.value], s),
                unsupported=far[name, nuisance, s.value],
            )
            for s in varied
        ]
    return rows


def _row(name: str, file: str, sample: Simulated) -> SampleRecord:
    train, validation, held, calibrate = (len(sample.of(role).x) for role in ROLES)
    row = SampleRecord(name, file, train, validation, held, sample.effective, sample.negative)
    return msgspec.structs.replace(row, calibration=calibrate)
