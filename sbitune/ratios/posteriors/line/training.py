"""The stage that learns the posterior, likelihood or ratio of a card: it is kept under a key of all that made it."""

import time
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.data.events.tables.reading import format_of
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.ratios.posteriors.judgement import has_learnt
from sbitune.ratios.posteriors.line.card import PosteriorsCardFile
from sbitune.ratios.posteriors.line.checks import CalibrationRecord, Sampled, calibration_of, sample_held
from sbitune.ratios.posteriors.line.tables import Tables, read_tables
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.storage import load_model, save_model
from sbitune.ratios.posteriors.training import train_model
from sbitune.workflow.stages import Product, writing

#: number of what makes models: a higher one, and they are learned again
_MAKER = "1"


class TrainingRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A training and its checks."""

    simulations: int
    """That networks have seen; those that validate are among them."""
    held: int
    train: list[list[float]]
    """(n_epochs, n_members) loss of the steps."""
    validation: list[list[float]]
    best_epoch: list[int]
    """(n_members,) that was kept; -1: as it started, a linear model."""
    preference: float
    """Part of validation pairs that is preferred to shuffled ones; .5 by chance."""
    preference_error: float
    notes: list[str]
    """What a reader must know."""
    calibration: CalibrationRecord | None
    cpu_seconds: float


class TrainedModel(NamedTuple):
    """What a card learned."""

    model: Model
    tables: Tables
    record: TrainingRecord


def model_product(loaded: PosteriorsCardFile) -> Product:
    """Where the model is kept."""
    return Product(
        loaded.work / "model.npz",
        loaded.work / "model.json",
        "model",
        {"simulations": "the simulations", "card": "columns, priors or the method of the card", "maker": "sbitune"},
        TrainingRecord,
        made="learned",
    )


def train_stage(loaded: PosteriorsCardFile, reporter: Reporter = QUIET) -> TrainedModel:
    """Learn the card's model, or read it if it was learned from these simulations, with these settings and code.

    Raises:
        InputError: for simulations that cannot be read or learned from, naming file, row and column.
        ComputationError: if a loss is not finite, nothing was learned, or a posterior cannot be sampled.
    """
    product, wanted = model_product(loaded), training_key(loaded)
    why = product.why_not(wanted) if product.path.exists() else ""
    tables = read_tables(loaded)
    if why is None:
        return TrainedModel(load_model(product.path), tables, product.read_note().about)
    if why:
        reporter.say(f"the model is learned again: {why}")
    with writing(loaded):
        clock = time.process_time()
        card = loaded.card
        reporter.say(f"learning {card.method} from {len(tables.train.theta):,} simulations")
        train_key, check_key = jax.random.split(jax.random.key(card.seed))

        def progress(epoch: int, train: np.ndarray, validation: np.ndarray) -> None:
            reporter.progress("learning", epoch + 1, loaded.config.epochs)

        model = train_model(
            train_key,
            card.method,
            loaded.prior,
            tables.train,
            loaded.config,
            columns=card.columns,
            groups=tables.groups,
            progress=progress,
        )
        if not has_learnt(*model.preference):
            raise ComputationError(f"{loaded.path}: {model.notes[0]}")
        sampled = _sample_pairs(loaded, model, tables, reporter)
        calibration = None if sampled is None else calibration_of(check_key, model, sampled)
        record = _describe(model, tables, calibration, time.process_time() - clock)
        save_model(product.path, model)
        product.write_note(wanted, msgspec.to_builtins(record))
    return TrainedModel(model, tables, record)


def _sample_pairs(loaded: PosteriorsCardFile, model: Model, tables: Tables, reporter: Reporter) -> Sampled | None:
    """Posteriors of held simulations, as many as the card asks for and as there are."""
    checks = loaded.card.checks
    n_pairs = min(checks.pairs, len(tables.held.theta))
    if not n_pairs:
        return None
    key = jax.random.fold_in(jax.random.key(loaded.card.seed), 1)
    return sample_held(key, model, tables.held, n_pairs, checks.draws, reporter)


def training_key(loaded: PosteriorsCardFile) -> dict[str, str]:
    """What the model is made of: contents of all files, and what the card says of learning."""
    card = loaded.card
    for name in loaded.files:
        format_of(loaded.file(name))  # says what is no table before it is hashed
    hashes = "".join(hash_file(loaded.file(name)) for name in loaded.files)
    priors = {name: p.shape for name, p in card.parameters.items()}
    checks = (card.checks.held, card.checks.pairs, card.checks.draws)
    words = msgspec.json.encode([card.columns, priors, card.derive, card.method, loaded.config, checks, card.seed])
    return {"simulations": hash_bytes(hashes.encode()), "card": hash_bytes(words), "maker": _MAKER}


def _describe(model: Model, tables: Tables, calibration: CalibrationRecord | None, seconds: float) -> TrainingRecord:
    train, validation = (np.round(np.asarray(part, float), 7).tolist() for part in model.losses)
    preference, error = (float(number) for number in model.preference)
    return TrainingRecord(
        len(tables.train.theta),
        len(tables.held.theta),
        train,
        validation,
        model.best_epochs.tolist(),
        preference,
        error,
        list(model.notes),
        calibration,
        seconds,
    )
