"""Fitted parameters: values with their errors, and how they are correlated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sbitune.fitting.results import Fit
from sbitune.plots.parameters import plot_correlation, plot_parameters
from sbitune.plots.style import to_svg
from sbitune.report.pieces.numbers import rounded
from sbitune.report.pieces.parts import Figure, Section, table


@dataclass(frozen=True)
class ParameterRow:
    """A parameter as the table shows it."""

    name: str
    value: float
    error: float  #: symmetric; 0 if fixed
    low: float  #: of its range
    high: float
    status: str = "free"  #: "free", "fixed", "at limit"
    minos: tuple[float, float] | None = None  #: lower (negative) and upper error
    scaled_error: float | None = None  #: None where errors are not scaled
    before: float | None = None  #: value before the fit, if there was one
    limits: tuple[float, float] | None = None  #: of the fit, where they are narrower than the range

    @property
    def is_one_sided(self) -> bool:
        """Whether its interval says how far into the range it goes, in place of an error."""
        return self.status == "at limit" and self.minos is not None

    @property
    def drawn_error(self) -> float:
        """The error that a figure shows."""
        return self.error if self.scaled_error is None else self.scaled_error


def rows_of(fit: Fit, limits: Mapping[str, tuple[float, float]] | None = None) -> list[ParameterRow]:
    """The parameters of a fit, with limits by name."""
    rows = []
    for p, value, error in zip(fit.parameters, fit.values, fit.quoted_errors, strict=True):
        given = fit.minos.get(p.name), None, p.default, (limits or {}).get(p.name)
        rows.append(ParameterRow(p.name, float(value), float(error), p.low, p.high, fit.status_of(p.name), *given))
    return rows


def parameters_section(
    rows: Sequence[ParameterRow],
    caption: str = "Parameters inside their ranges.",
    words: tuple[str, str, str] = ("before", "before", "fit"),
) -> Section:
    """The fitted values with their errors, as a table and a figure; `words` are for values before the fit in the table
    and in the figure, and for what was found.
    """
    by = "scaled error" if any(row.scaled_error is not None for row in rows) else "error"
    head = ["parameter", "value", "error", "MINOS", "scaled error", words[0], f"shift / {by}", "range", "status"]
    drawing = plot_parameters(
        [row.name for row in rows],
        np.array([(row.low, row.high) for row in rows]),
        np.array([row.value for row in rows]),
        np.array([row.drawn_error for row in rows]),
        [row.before for row in rows],
        words[1:],
    )
    picture = Figure(to_svg(drawing), caption, "single")
    return Section("parameters", "Parameters", [table(head, map(_cells, rows), range(1, 8)), picture])


def correlations_section(names: Sequence[str], matrix: np.ndarray) -> Section:
    """The correlation (n, n) of parameters."""
    picture = Figure(to_svg(plot_correlation(list(names), matrix)), "Correlation of the fitted parameters.", "matrix")
    return Section("correlations", "Correlations", [picture])


def correlations_of(fit: Fit) -> Section:
    """The correlation of the free parameters of a fit."""
    free = [fit.names.index(name) for name in fit.free]
    return correlations_section(fit.free, fit.correlation[np.ix_(free, free)])


def _cells(p: ParameterRow) -> list[object]:
    minos = "" if p.minos is None else f"{rounded(p.minos[0], p.error)} / +{rounded(p.minos[1], p.error)}"
    shift = "" if p.before is None or p.error == 0 else f"{(p.value - p.before) / p.drawn_error:+.1f}"
    plain = p.error == 0 or p.is_one_sided
    quoted = "" if plain else f"± {rounded(p.error, p.error)}"
    scaled = "" if plain or p.scaled_error is None else f"± {rounded(p.scaled_error, p.error)}"
    status = (p.status, "bad") if p.status == "at limit" else p.status
    before = "" if p.before is None else f"{p.before:g}"
    return [p.name, rounded(p.value, p.error), quoted, minos, scaled, before, shift, _range(p), status]


def _range(p: ParameterRow) -> str:
    low, high = p.limits or (p.low, p.high)
    return f"{low:g} to {high:g}" + (" (limits of the fit)" if p.limits else "")
