"""From a card to a posterior: each stage is a function, each leaves a file, each resumes."""

from typing import Any

from sbitune.data.reporting import QUIET, Reporter
from sbitune.ratios.posteriors.line.card import PosteriorsCardFile
from sbitune.ratios.posteriors.line.record import figures_of, read_record
from sbitune.ratios.posteriors.line.sampling import SampledPosterior, sample_stage
from sbitune.ratios.posteriors.line.training import train_stage


def infer(loaded: PosteriorsCardFile, reporter: Reporter = QUIET) -> SampledPosterior:
    """Learn the model of a card, or read it, and sample the posterior of its observation."""
    return sample_stage(loaded, train_stage(loaded, reporter), reporter)


def train_card(loaded: PosteriorsCardFile, reporter: Reporter) -> dict[str, Any]:
    """Figures of the model, for `sbitune train`."""
    record = train_stage(loaded, reporter).record
    found: dict[str, Any] = {
        "method": loaded.card.method,
        "simulations": record.simulations,
        "held": record.held,
        "loss": [losses[-1] for losses in zip(*record.validation, strict=True)],
        "preference": [record.preference, record.preference_error],
        "cpu_seconds": record.cpu_seconds,
        "notes": record.notes,
    }
    if record.calibration is not None:
        rows = record.calibration.parameters
        found["coverage68"] = {name: row.coverage68 for name, row in rows.items()}
        found["expected_coverage"] = record.calibration.expected.verdict
        found["tarp"] = record.calibration.tarp.verdict
    return found


def sample_card(loaded: PosteriorsCardFile, reporter: Reporter) -> dict[str, Any]:
    """Figures of the posterior, for `sbitune fit` and `sbitune posterior`."""
    return figures_of(infer(loaded, reporter).record)


def summary(loaded: PosteriorsCardFile) -> dict[str, Any]:
    """What `sbitune ls` says of a card."""
    card = loaded.card
    found: dict[str, Any] = {
        "method": card.method,
        "columns": list(card.columns),
        "parameters": list(card.parameters),
        "simulations": list(loaded.files),
        "observation": card.observation,
    }
    path = loaded.output("result.yaml")
    return found | ({"result": figures_of(read_record(path))["parameters"]} if path.is_file() else {})
