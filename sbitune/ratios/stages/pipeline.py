"""From a card to a fit: each stage is a function, each leaves a file, each resumes."""

from typing import Any

from sbitune.data.reporting import QUIET, Reporter
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.checks.records import TrainingRecord
from sbitune.ratios.record import figures_of, read_record
from sbitune.ratios.regions.config import CountsRegionConfig, EventsRegionConfig, RegionConfig
from sbitune.ratios.stages.fitstage import FittedRatios, fit_stage
from sbitune.ratios.stages.training import train_stage


def infer(loaded: RatiosCardFile, reporter: Reporter = QUIET) -> FittedRatios:
    """Learn the ratios of a card, or read them, and fit its data."""
    return fit_stage(loaded, train_stage(loaded, reporter), reporter)


def train_card(loaded: RatiosCardFile, reporter: Reporter) -> dict[str, Any]:
    """Figures of the ratios, for `sbitune train`."""
    trained = train_stage(loaded, reporter)
    further = {name: figures_of_training(one.record) for name, one in trained.further.items()}
    return figures_of_training(trained.record) | ({"regions": further} if further else {})


def figures_of_training(record: TrainingRecord) -> dict[str, Any]:
    """Figures of a training, by their names."""
    return {
        "samples": {
            row.name: {
                "train": row.train,
                "validation": row.validation,
                "held": row.held,
                "effective": row.effective,
                "negative": row.negative,
            }
            for row in record.samples
        },
        "losses": {
            row.what: {"validation": row.best.tolist(), "guessing": row.nothing, "epochs": len(row.train)}
            for row in record.learned
        },
        "mean_ratios": {
            row.name: [row.mean_ratio, row.mean_ratio_error] for row in record.samples if row.mean_ratio is not None
        },
        "worst_closure_p": min((row.p_value for row in record.closure), default=None),
        "cpu_seconds": record.cpu_seconds,
    }


def fit_card(loaded: RatiosCardFile, reporter: Reporter) -> dict[str, Any]:
    """Figures of the fit, for `sbitune fit`."""
    return figures_of(infer(loaded, reporter).record)


def summary(loaded: RatiosCardFile) -> dict[str, Any]:
    """What `sbitune ls` says of a card."""
    card = loaded.card
    found: dict[str, Any] = {
        "columns": list(card.columns),
        "parameters": {name: [p.low, p.high] for name, p in card.parameters.items()},
        "samples": {name: sample.expected for name, sample in card.samples.items()},
        "data": card.data,
    }
    if card.regions:
        found["regions"] = {name: _summary_of(region) for name, region in card.regions.items()}
    path = loaded.output("result.yaml")
    return found | ({"result": figures_of(read_record(path))["parameters"]} if path.is_file() else {})


def _summary_of(region: RegionConfig) -> Any:
    if isinstance(region, EventsRegionConfig):
        return dict(region.expected)
    if isinstance(region, CountsRegionConfig):
        return {name: list(sample.expected) for name, sample in region.samples.items()}
    return region.file
