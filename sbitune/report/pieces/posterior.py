"""A sampled posterior beside the fit of the same data."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sbitune.fitting.results import Fit
from sbitune.fitting.sampling.chains import Posterior
from sbitune.plots.posterior import plot_corner
from sbitune.plots.style import to_svg
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parts import Figure, Paragraph, Table, table


def half_widths(posterior: Posterior, fit: Fit) -> dict[str, float]:
    """Half the 68 % interval over that of MINOS, else HESSE's error; NaN where the fit has none. Of free parameters."""
    found = {}
    for name, (low, high), error in zip(posterior.names, posterior.intervals(), fit.errors, strict=True):
        below, above = fit.minos.get(name, (-error, error))
        if name in posterior.free:
            found[name] = float((high - low) / (above - below)) if above > below else np.nan
    return found


def chains_in_words(posterior: Posterior) -> str:
    """How it was sampled."""
    n_chains, n_draws = posterior.samples.shape[:2]
    return f"{n_chains} chains of {n_draws} draws, {posterior.divergences} divergences."


def posterior_table(posterior: Posterior, fit: Fit) -> Table:
    """Every free parameter: fit, mean, width, interval, and how well the chains agree."""
    ratio = half_widths(posterior, fit)
    rows = []
    for i, name in enumerate(posterior.names):
        if name not in ratio:
            continue
        low, high = posterior.intervals()[i]
        d = posterior.diagnoses[name]
        rows.append(
            (name, _fitted(fit, i), f"{posterior.mean[i]:.5g}",
             f"{posterior.errors[i]:.2g}", f"{low:.5g} to {high:.5g}", f"{ratio[name]:.2f}", f"{d.r_hat:.3f}",
             f"{d.ess:.0f}")
        )  # fmt: skip
    head = ["parameter", "direct fit", "mean", "sd", "68 % interval", "half width / fit", "R-hat", "ESS"]
    return table(head, rows, range(1, 8))


def corner_figure(posterior: Posterior, fit: Fit) -> Figure:
    """All free parameters and pairs of them."""
    free = [posterior.names.index(name) for name in posterior.free]
    corner = plot_corner(posterior.free, posterior.draws[:, free], fit.values[free], fit.errors[free])
    return Figure(to_svg(corner), "Blue: 68 and 95 % of the posterior. Orange: the direct fit with its errors.")


def write_posterior(path: str | Path, title: str, posterior: Posterior, fit: Fit, made_of: Mapping[str, str]) -> None:
    """Write the page of a posterior of any fit, whole or not at all."""
    parts = [
        *(Paragraph(note, "warning") for note in posterior.notes),
        Paragraph(chains_in_words(posterior)),
        posterior_table(posterior, fit),
        corner_figure(posterior, fit),
    ]
    write_page(path, f"Posterior: {title}" if title else "Posterior", parts, " ".join(made_of.values()))


def _fitted(fit: Fit, i: int) -> str:
    """Value and error; of a parameter at a limit how far its interval goes to either side."""
    name, value = fit.names[i], f"{fit.values[i]:.5g}"
    if name in fit.at_limit and name in fit.minos:
        return f"{value} {fit.minos[name][0]:+.2g} {fit.minos[name][1]:+.2g}"
    return f"{value} ± {fit.errors[i]:.2g}" if fit.errors[i] > 0 else f"{value} (at its limit)"
