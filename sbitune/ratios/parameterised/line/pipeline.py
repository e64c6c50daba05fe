"""From a card to a fit: each stage is a function, each leaves a file, each resumes."""

from typing import Any

from sbitune.data.reporting import QUIET, Reporter
from sbitune.ratios.parameterised.line.card import ParameterisedCardFile
from sbitune.ratios.parameterised.line.fitstage import FittedRatio, fit_stage
from sbitune.ratios.parameterised.line.training import train_stage
from sbitune.ratios.record import figures_of, read_record
from sbitune.ratios.stages.pipeline import figures_of_training


def infer(loaded: ParameterisedCardFile, reporter: Reporter = QUIET) -> FittedRatio:
    """Learn the ratio of a card, or read it, and fit its data."""
    return fit_stage(loaded, train_stage(loaded, reporter), reporter)


def train_card(loaded: ParameterisedCardFile, reporter: Reporter) -> dict[str, Any]:
    """Figures of the ratio, for `sbitune train`."""
    trained = train_stage(loaded, reporter)
    gain = trained.ratio.record.gain
    return figures_of_training(trained.record) | {"gain": [gain.mean, gain.error]}


def fit_card(loaded: ParameterisedCardFile, reporter: Reporter) -> dict[str, Any]:
    """Figures of the fit, for `sbitune fit`."""
    return figures_of(infer(loaded, reporter).record)


def summary(loaded: ParameterisedCardFile) -> dict[str, Any]:
    """What `sbitune ls` says of a card."""
    card = loaded.card
    found: dict[str, Any] = {
        "columns": list(card.columns),
        "parameters": {name: [p.low, p.high] for name, p in card.parameters.items()},
        "events": list(loaded.files("events")),
        "reference": list(loaded.files("reference")),
        "data": card.data,
    }
    path = loaded.output("result.yaml")
    return found | ({"result": figures_of(read_record(path))["parameters"]} if path.is_file() else {})
