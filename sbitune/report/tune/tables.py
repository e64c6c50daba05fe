"""Tables and figures of a tune: parameters, their correlations, observables, and what was left out."""

import numpy as np

from sbitune.data.text.paths import reference_key
from sbitune.plots.observables import Panel
from sbitune.plots.parameters import plot_correlation, plot_parameters
from sbitune.plots.style import to_svg
from sbitune.report.pieces.numbers import decimal, rounded
from sbitune.report.pieces.observables import histograms, single_bins
from sbitune.report.pieces.parts import Figure, Figures, Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.tuning.record.types import ParameterRecord, ResultRecord
from sbitune.tuning.stages.fitted import Fitted


def parameters(record: ResultRecord) -> Section:
    """The fitted values with their errors."""
    head = ["parameter", "value", "error", "MINOS", "scaled error", "before", "shift / scaled error", "range", "status"]
    rows = [_parameter_row(name, p) for name, p in record.parameters.items()]
    all_of = list(record.parameters.values())
    drawing = plot_parameters(
        list(record.parameters),
        np.array([(p.low, p.high) for p in all_of]),
        np.array([p.value for p in all_of]),
        np.array([p.scaled_error for p in all_of]),
        [p.default for p in all_of],
    )
    caption = "Parameters inside the range of the scan, with scaled errors."
    picture = Figure(to_svg(drawing), caption, "single")
    return Section("parameters", "Parameters", [table(head, rows, range(1, 8)), picture])


def correlations(record: ResultRecord) -> Section:
    """The correlation of the free parameters."""
    free = [i for i, p in enumerate(record.parameters.values()) if p.status != "fixed"]
    names = [list(record.parameters)[i] for i in free]
    matrix = np.array(record.correlation)[np.ix_(free, free)]
    picture = Figure(to_svg(plot_correlation(names, matrix)), "Correlation of the fitted parameters.", "matrix")
    return Section("correlations", "Correlations", [picture])


def observables(fitted: Fitted) -> Section:
    """chi2 of every observable."""
    rows = []
    for o in fitted.record.observables:
        labels = fitted.reference.labels.get(reference_key(o.path), {})
        row: list[object] = [(o.path, "path"), o.bins, f"{o.weight:g}", decimal(o.chi2)]
        tuned = "" if o.chi2_tuned is None else decimal(o.chi2_tuned)
        default = "" if o.chi2_default is None else decimal(o.chi2_default)
        kind = ""
        if o.chi2_tuned is not None and o.chi2_default is not None:
            kind = "good" if o.chi2_tuned <= o.chi2_default else "bad"
        rows.append([*row, (tuned, kind), default, labels.get("Citation", "")])
    head = ["observable", "bins", "weight", "surrogate", "tuned run", "default run", "measurement"]
    again = ", and the generator run again" if fitted.record.validation is not None else ""
    words = f"chi2 of every observable with unit weights: the surrogate at the tune{again}."
    return Section("observables", "Observables", [Paragraph(words), table(head, rows, range(1, 6))])


def figures(shown: list[tuple[str, Panel]]) -> Section:
    """A figure of every observable; those of one bin share the first."""
    words = (
        "Black: data. Orange: before tuning. Blue: the generator at the tune. Green, dashed: the surrogate at the tune "
        "with its error. Grey: everything the scan reached. Yellow: the error of the data."
    )
    parts = [Paragraph(words, "quiet"), *single_bins(panel for _, panel in shown), Figures(histograms(shown))]
    return Section("figures", "Data and generator", parts)


def left_out(fitted: Fitted) -> Section:
    """Bins that did not enter the fit, and why."""
    parts: list[Part] = []
    if fitted.record.excluded:
        rows = [(e["bin"], e["reason"]) for e in fitted.record.excluded]
        parts.append(table(["left out of the fit", "reason"], rows))
    else:
        parts.append(Paragraph("Every selected bin entered the fit."))
    return Section("left-out", "Left out of the fit", parts)


def _parameter_row(name: str, p: ParameterRecord) -> list[object]:
    minos = "" if p.minos is None else f"{rounded(p.minos[0], p.error)} / +{rounded(p.minos[1], p.error)}"
    shift = "" if p.default is None or p.error == 0 else f"{(p.value - p.default) / p.scaled_error:+.1f}"
    quoted = "" if p.error == 0 or p.one_sided else f"± {rounded(p.error, p.error)}"
    scaled = "" if p.error == 0 or p.one_sided else f"± {rounded(p.scaled_error, p.error)}"
    status = (p.status, "bad") if p.status == "at limit" else p.status
    default = "" if p.default is None else f"{p.default:g}"
    return [name, rounded(p.value, p.error), quoted, minos, scaled, default, shift, _range(p), status]


def _range(p: ParameterRecord) -> str:
    low, high = p.limits or (p.low, p.high)
    return f"{low:g} to {high:g}" + (" (limits of the fit)" if p.limits else "")
