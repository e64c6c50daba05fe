"""`posterior.html`: the posterior beside the direct fit, and what it says of every bin."""

from pathlib import Path
from typing import Any

from sbitune.fitting.bridges.arviz_groups import arviz_groups, write_arviz
from sbitune.fitting.results import Fit
from sbitune.fitting.sampling.chains import Posterior
from sbitune.fitting.sampling.predictive import Predictive, predictive
from sbitune.plots.posterior import plot_predictive
from sbitune.plots.style import to_svg
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parts import Figure, Paragraph
from sbitune.report.pieces.posterior import chains_in_words, corner_figure, posterior_table
from sbitune.tuning.record.result import made_of
from sbitune.tuning.stages.fitted import Fitted
from sbitune.workflow.cardfit import CardFit


def write_posterior(
    found: CardFit, key: Any, posterior: Posterior, place: Path, predictions: int | None
) -> dict[str, Any]:
    """Write the samples with what they say of every bin, and the page.

    Args:
        found: the tune's fit.
        key: draws predictions.
        posterior: its samples.
        place: the file, .npz or .json.
        predictions: draws of every chain that predict; None: all.
    """
    fitted: Fitted = found.details
    problem: Any = found.problem
    drawn = predictive(key, posterior, problem, predictions)
    if place.suffix == ".json":
        write_arviz(place, arviz_groups(posterior, drawn, fitted.measured))
    else:
        posterior.save(place)
    write_posterior_page(place.with_suffix(".html"), fitted, posterior, drawn, found.fit)
    return {"p_value": drawn.p_value}


def write_posterior_page(path: str | Path, fitted: Fitted, posterior: Posterior, drawn: Predictive, tune: Fit) -> None:
    """Write the page, whole or not at all."""
    measured = fitted.measured
    predictions = drawn.values.reshape(-1, len(measured.bins))
    pulls = plot_predictive(list(measured.bins.path), measured.values, measured.total_errors, predictions)
    parts = [
        *(Paragraph(note, "warning") for note in posterior.notes),
        Paragraph(
            f"{chains_in_words(posterior)} Posterior predictive p-value of chi2: {drawn.p_value:.3g}; small values say "
            "that the model does not describe the data within the errors."
        ),
        posterior_table(posterior, tune),
        corner_figure(posterior, tune),
        Figure(
            to_svg(pulls),
            "Every bin of the fit: median, 68 and 95 % of the predictions of the contents with the surrogate's own "
            "errors, less the data, in errors of the data. Yellow: one error of the data.",
        ),
    ]
    write_page(path, f"Posterior: {fitted.record.title}", parts, _made_of(fitted))


def _made_of(fitted: Fitted) -> str:
    """What tells pages of different fits apart."""
    return " ".join(made_of(fitted.record).values())
