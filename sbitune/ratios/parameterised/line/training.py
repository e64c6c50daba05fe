"""The stage that learns the ratio of a card: it is kept under a key of all that made it."""

import time
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.tables.reading import format_of
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.ratios.card import EVENTS
from sbitune.ratios.checks.records import CalibrationCurve, TrainingRecord
from sbitune.ratios.parameterised.combination.fitting import combine_members
from sbitune.ratios.parameterised.line.card import ParameterisedCardFile
from sbitune.ratios.parameterised.line.checks import (
    Pairs,
    calibration_of,
    closure_of,
    learned_of,
    means_of,
    samples_of,
)
from sbitune.ratios.parameterised.line.events import Simulated, read_simulated
from sbitune.ratios.parameterised.normalisation import normalise
from sbitune.ratios.parameterised.ratio import LearnedRatio
from sbitune.ratios.parameterised.samples import RatioEvents
from sbitune.ratios.parameterised.storage import load_ratio, save_ratio
from sbitune.ratios.parameterised.training import train_ratio
from sbitune.workflow.stages import Product, writing

#: number of what makes ratios: a higher one, and they are learned again
_MAKER = "1"


class TrainedRatio(NamedTuple):
    """What a card learned."""

    ratio: LearnedRatio
    held: RatioEvents  #: of the reference, that no network has seen
    record: TrainingRecord

    @property
    def regions(self) -> dict[str, "TrainedRatio"]:
        """The events of the card, which have no further regions."""
        return {EVENTS: self}


def ratio_product(loaded: ParameterisedCardFile) -> Product:
    """Where the learned ratio is kept."""
    return Product(
        loaded.work / "ratio.npz",
        loaded.work / "ratio.json",
        "ratio",
        {"events": "the events", "card": "columns, parameters or the ratio of the card", "maker": "sbitune"},
        TrainingRecord,
        made="learned",
    )


def train_stage(loaded: ParameterisedCardFile, reporter: Reporter = QUIET) -> TrainedRatio:
    """Learn the card's ratio, or read it if it was learned from these events, with these settings and code.

    Raises:
        InputError: for events that cannot be read or learned from, naming file and column.
        ComputationError: if a loss is not finite, nothing was learned, or the ratio cannot be normalised.
    """
    product, wanted = ratio_product(loaded), training_key(loaded)
    why = product.why_not(wanted) if product.path.exists() else ""
    simulated = read_simulated(loaded)
    if why is None:
        return TrainedRatio(load_ratio(product.path), simulated.held_reference, product.read_note().about)
    if why:
        reporter.say(f"the ratio is learned again: {why}")
    with writing(loaded):
        clock = time.process_time()
        train_key, combine_key, pair_key = jax.random.split(jax.random.key(loaded.card.seed), 3)
        learned = _learn(train_key, loaded, simulated, reporter)
        held = None if simulated.reference is None else simulated.reference.held
        combined = combine_members(combine_key, learned, simulated.events.held, held)
        ratio = normalise(combined, simulated.held_reference)
        pairs = Pairs(pair_key, ratio, simulated)
        files = {which: ", ".join(loaded.files(which)) for which in ("events", "reference")}
        record = TrainingRecord(
            samples_of(ratio, simulated, files, pairs),
            [learned_of(ratio)],
            closure_of(ratio, pairs),
            _calibration(pairs, reporter),
            means_of(ratio, simulated),
            time.process_time() - clock,
        )
        save_ratio(product.path, ratio)
        product.write_note(wanted, msgspec.to_builtins(record))
    return TrainedRatio(ratio, simulated.held_reference, record)


def training_key(loaded: ParameterisedCardFile) -> dict[str, str]:
    """What the ratio is made of: contents of all files, and what the card says of learning."""
    card = loaded.card
    files = [*loaded.files("events"), *loaded.files("reference")]
    for name in files:
        format_of(loaded.file(name))  # says what is no table before it is hashed
    hashes = "".join(hash_file(loaded.file(name)) for name in files)
    ranges = {name: (p.low, p.high) for name, p in card.parameters.items()}
    said = (card.columns, ranges, len(loaded.files("events")), card.point, card.truth, card.derive, card.select)
    words = msgspec.json.encode([*said, card.ratio, card.split, card.seed])
    return {"events": hash_bytes(hashes.encode()), "card": hash_bytes(words), "maker": _MAKER}


def _learn(key: jax.Array, loaded: ParameterisedCardFile, simulated: Simulated, reporter: Reporter) -> LearnedRatio:
    card, (events, reference) = loaded.card, simulated
    sizes = f"{len(events.train):,} with parameters"
    sizes += "" if reference is None else f", {len(reference.train):,} of the reference"
    reporter.say(f"learning a ratio from events: {sizes}")

    def progress(epoch: int, train: np.ndarray, validation: np.ndarray) -> None:
        reporter.progress("learning the ratio", epoch + 1, card.ratio.training.epochs)

    return train_ratio(
        key,
        events.train,
        None if reference is None else reference.train,
        card.ratio,
        card.point or None,
        progress=progress,
    )


def _calibration(pairs: Pairs, reporter: Reporter) -> list[CalibrationCurve]:
    try:
        return calibration_of(pairs)
    except InputError as error:  # negative weights may leave a bin with less than nothing
        reporter.say(f"no calibration curve: {error}")
        return []
