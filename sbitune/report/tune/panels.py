"""The observables of a tune as figures."""

from collections.abc import Iterator

import numpy as np

from sbitune.data.text.paths import analysis_of, reference_key
from sbitune.plots.observables import Curve, Panel
from sbitune.report.pieces.observables import bins_of
from sbitune.tuning.checks.validation import read_on
from sbitune.tuning.stages.comparison import validation_files
from sbitune.tuning.stages.fitted import Fitted


def panels(fitted: Fitted) -> Iterator[tuple[str, Panel]]:
    """Give (path, panel) of every fitted observable, in the fit's order; only the fitted bins are shown."""
    measured = fitted.measured
    weight = fitted.loaded.card.scan.weight
    runs = {name: read_on(path, measured.bins, weight) for name, path in validation_files(fitted).items()}
    mean, error = (np.asarray(part)[0] for part in fitted.surrogate.predict_many(fitted.theta[None]))
    for path in measured.bins.paths():
        mine = bins_of(measured.bins, path)
        inside = measured.indices[mine]
        scan = fitted.scan.values[:, inside]
        curves = {name: Curve(run.values[mine], run.errors[mine]) for name, run in runs.items()}
        labels = fitted.reference.labels.get(reference_key(path), {})
        yield (
            path,
            Panel(
                low=measured.bins.low[mine],
                high=measured.bins.high[mine],
                data=Curve(measured.values[mine], measured.total_errors[mine]),
                tuned=curves.get("tuned"),
                default=curves.get("default"),
                surrogate=Curve(mean[inside], error[inside]),
                envelope=(scan.min(0), scan.max(0)),
                title=_title(path, labels),
                x_label=labels.get("XLabel", ""),
                y_label=labels.get("YLabel", ""),
            ),
        )


def _title(path: str, labels: dict[str, str]) -> str:
    title = labels.get("Title", "")
    if title in ("", "~"):
        return reference_key(path).strip("/")
    experiment = analysis_of(path).split("_")[0]
    return f"{experiment}: {title}" if experiment not in ("PDG",) else title
