"""The stage that trains the surrogate of a card, or reads it: it is kept under a key of all that made it."""

from collections.abc import Collection
from typing import Any

import jax

from sbitune.data.blocks import linked_runs, spread_over
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.data.storage.files import hash_file
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.checks.closure import closure
from sbitune.tuning.stages.products import kept_surrogate, surrogate_product, training_key
from sbitune.tuning.stages.surrogate_of_card import surrogate_of
from sbitune.tuning.surrogates.choice.choice import train_chosen
from sbitune.tuning.surrogates.choice.judge import Choice
from sbitune.tuning.surrogates.description import describe, describe_choice
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.storage import save_surrogate
from sbitune.workflow.stages import writing

#: so many held-out runs are fitted as data after a training, at most
_CLOSURE_RUNS = 24


def surrogate_stage(loaded: LoadedCard, scan: Scan, reporter: Reporter = QUIET) -> TrainedSurrogate:
    """Read the surrogate's file that the card names, or train a surrogate."""
    if loaded.stored is None:
        return train_stage(loaded, scan, reporter)
    surrogate = surrogate_of(loaded)
    about = describe(surrogate) | {"file": loaded.stored.name}
    with writing(loaded):
        surrogate_product(loaded).write_note({"file": hash_file(loaded.stored)}, about, loaded.stored)
    return surrogate


def train_stage(loaded: LoadedCard, scan: Scan, reporter: Reporter = QUIET) -> TrainedSurrogate:
    """Train the card's surrogate, or read it if it was trained on this scan, with this configuration and code.

    What was trained before and cannot be used is trained again, and the reporter is told why.
    """
    wanted = training_key(loaded, scan)
    kept, why = kept_surrogate(loaded, wanted)
    if kept is not None:
        return kept
    if why:
        reporter.say(f"the surrogate is trained again: {why}")
    reporter.say(f"training the {loaded.card.surrogate.kind} surrogate: {len(scan.runs)} runs, {len(scan.bins)} bins")
    with writing(loaded):
        key = jax.random.key(loaded.card.fit.seed)
        surrogate, choice = train_chosen(key, scan, loaded.training_config, reporter, judged=True)
        about = describe(surrogate) | describe_choice(choice) | _closure_of(choice, loaded.card.fit.fixed, reporter)
        product = surrogate_product(loaded)
        save_surrogate(product.path, surrogate, scan.runs)
        product.write_note(wanted, about)
    return surrogate


def _closure_of(choice: Choice | None, fixed: Collection[str], reporter: Reporter) -> dict[str, Any]:
    """Fit the runs that were held out with what was trained without them; what the card fixes is held at their own."""
    if choice is None:
        return {}
    n = min(choice.runs, _CLOSURE_RUNS)
    reporter.say(f"closure: fitting {n} runs that were held out")
    try:
        rows = spread_over(linked_runs(choice.held), n)
        held = choice.held.take_runs([choice.held.runs[row] for row in rows])
        found = closure(choice.trial, held, choice.noise[rows], reporter, thorough=False, fixed=fixed)
    except (InputError, ComputationError) as error:
        reporter.say(f"closure: not done: {error}")
        return {}
    return {"closure": found.figures()}
