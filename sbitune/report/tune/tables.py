"""Tables and figures of a tune: parameters, their correlations, observables, and what was left out."""

import numpy as np

from sbitune.data.text.paths import reference_key
from sbitune.plots.observables import Panel
from sbitune.report.pieces.numbers import decimal
from sbitune.report.pieces.observables import histograms, single_bins
from sbitune.report.pieces.parameters import ParameterRow, correlations_section, parameters_section
from sbitune.report.pieces.parts import Figures, Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.stages.fitted import Fitted


def parameters(record: ResultRecord) -> Section:
    """The fitted values with their errors."""
    rows = [
        ParameterRow(
            name, p.value, p.error, p.low, p.high, p.status, p.minos, p.scaled_error, p.default, p.limits
        )
        for name, p in record.parameters.items()
    ]  # fmt: skip
    caption = "Parameters inside the range of the scan, with scaled errors."
    return parameters_section(rows, caption, words=("before", "default", "tuned"))


def correlations(record: ResultRecord) -> Section:
    """The correlation of the free parameters."""
    free = [i for i, p in enumerate(record.parameters.values()) if p.status != "fixed"]
    names = [list(record.parameters)[i] for i in free]
    return correlations_section(names, np.array(record.correlation)[np.ix_(free, free)])


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
