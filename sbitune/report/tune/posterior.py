"""`posterior.html`: the posterior beside the direct fit, and what it says of every bin."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sbitune.fitting.results import BinnedFit
from sbitune.fitting.sampling.chains import Posterior
from sbitune.fitting.sampling.predictive import Predictive
from sbitune.plots.posterior import plot_corner, plot_predictive
from sbitune.plots.style import to_svg
from sbitune.report.pieces.page import is_made_of, write_page
from sbitune.report.pieces.parts import Figure, Paragraph, Table, table
from sbitune.report.pieces.templates import Part
from sbitune.tuning.record.result import made_of
from sbitune.tuning.stages.fitted import Fitted

#: stands beside the card
PAGE = "posterior.html"


def half_widths(posterior: Posterior, tune: BinnedFit) -> dict[str, float]:
    """Half the 68 % interval over that of MINOS, else HESSE's error; NaN where the fit has none. Of free parameters."""
    found = {}
    for name, (low, high), error in zip(posterior.names, posterior.intervals(), tune.errors, strict=True):
        below, above = tune.minos.get(name, (-error, error))
        if name in posterior.free:
            found[name] = float((high - low) / (above - below)) if above > below else np.nan
    return found


def write_posterior_page(
    path: str | Path, fitted: Fitted, posterior: Posterior, drawn: Predictive, tune: BinnedFit
) -> None:
    """Write the page, whole or not at all."""
    free = [posterior.names.index(name) for name in posterior.free]
    measured = fitted.measured
    corner = plot_corner(posterior.free, posterior.draws[:, free], tune.values[free], tune.errors[free])
    predictions = drawn.values.reshape(-1, len(measured.bins))
    pulls = plot_predictive(list(measured.bins.path), measured.values, measured.total_errors, predictions)
    parts = [
        *(Paragraph(note, "warning") for note in posterior.notes),
        Paragraph(
            f"{posterior.samples.shape[0]} chains of {posterior.samples.shape[1]} draws, {posterior.divergences} "
            f"divergences. Posterior predictive p-value of chi2: {drawn.p_value:.3g}; small values say that the model "
            "does not describe the data within the errors."
        ),
        _table(posterior, tune),
        Figure(to_svg(corner), "Blue: 68 and 95 % of the posterior. Orange: the direct fit with its errors."),
        Figure(
            to_svg(pulls),
            "Every bin of the fit: median, 68 and 95 % of the predictions of the contents with the surrogate's own "
            "errors, less the data, in errors of the data. Yellow: one error of the data.",
        ),
    ]
    write_page(path, f"Posterior: {fitted.record.title}", parts, _made_of(fitted))


@dataclass(frozen=True)
class PosteriorLink:
    """A sentence that leads to the page of the posterior."""

    page: str
    template: ClassVar[str] = "tune/posterior_link.html"


def link_to_posterior(fitted: Fitted) -> list[Part]:
    """A paragraph that leads to the page beside the card, if there is one of this fit."""
    path = fitted.loaded.output(PAGE)
    if not path.is_file():
        return []
    return [PosteriorLink(PAGE) if is_made_of(path, _made_of(fitted)) else of_another_fit(PAGE, "posterior")]


def of_another_fit(name: str, command: str) -> Paragraph:
    """A paragraph on a file beside the card that is not shown."""
    return Paragraph(
        f"{name} beside the card is of another fit and is not shown: run `sbitune {command}` again, or take it away."
    )


def _made_of(fitted: Fitted) -> str:
    """What tells pages of different fits apart."""
    return " ".join(made_of(fitted.record).values())


def _fitted(tune: BinnedFit, i: int) -> str:
    """Value and error; of a parameter at a limit how far its interval goes to either side."""
    name, value = tune.names[i], f"{tune.values[i]:.5g}"
    if name in tune.at_limit and name in tune.minos:
        return f"{value} {tune.minos[name][0]:+.2g} {tune.minos[name][1]:+.2g}"
    return f"{value} ± {tune.errors[i]:.2g}" if tune.errors[i] > 0 else f"{value} (at its limit)"


def _table(posterior: Posterior, tune: BinnedFit) -> Table:
    ratio = half_widths(posterior, tune)
    rows = []
    for i, name in enumerate(posterior.names):
        if name not in ratio:
            continue
        low, high = posterior.intervals()[i]
        d = posterior.diagnoses[name]
        rows.append(
            (name, _fitted(tune, i), f"{posterior.mean[i]:.5g}",
             f"{posterior.errors[i]:.2g}", f"{low:.5g} to {high:.5g}", f"{ratio[name]:.2f}", f"{d.r_hat:.3f}",
             f"{d.ess:.0f}")
        )  # fmt: skip
    head = ["parameter", "direct fit", "mean", "sd", "68 % interval", "half width / fit", "R-hat", "ESS"]
    return table(head, rows, range(1, 8))
