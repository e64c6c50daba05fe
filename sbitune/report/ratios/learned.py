"""Sections on what was learned: closure, calibration, responses, trainings, of each region of events."""

import numpy as np

from sbitune.plots.ratios import plot_calibration, plot_closure, plot_means, plot_training
from sbitune.plots.style import to_svg
from sbitune.ratios.card import EVENTS
from sbitune.ratios.checks.records import ColumnClosure, TrainingRecord
from sbitune.report.pieces.parts import Figure, Figures, Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.report.ratios.words import Words

#: comparisons that are drawn, the worst first; all are in the table
_DRAWN = 12


def learned_sections(region: str, record: TrainingRecord, words: Words) -> list[Section]:
    """Sections of a region, its name in their titles if it is not that of the card itself."""
    found = [_closure(record, words), _calibration(record, words), *_means(record, words), _training(record)]
    if region == EVENTS:
        return found
    return [Section(f"{s.name}-{region}", f"{s.title}: {region}", s.parts) for s in found]


def closure_picture(row: ColumnClosure, labels: tuple[str, str, str]) -> Figure:
    """A column, before and after it was reweighted; `labels` are for target, before and after."""
    drawing = plot_closure(
        row.edges,
        (row.target, row.target_error),
        row.before,
        (row.after, row.after_error),
        row.what,
        labels,
        row.column,
    )
    return Figure(to_svg(drawing), f"{row.what}: {row.column}, chi2 = {row.chi2:.1f} for {row.ndf} bins.")


def closure_table(rows: list[ColumnClosure]) -> Part:
    """Comparisons of columns."""
    head = ["events", "column", "chi2", "bins", "P", "effective events"]
    cells = [(r.what, r.column, f"{r.chi2:.1f}", r.ndf, f"{r.p_value:.2g}", f"{r.effective:,.0f}") for r in rows]
    return table(head, cells, range(2, 6))


def _closure(record: TrainingRecord, words: Words) -> Section:
    rows = sorted(record.closure, key=lambda row: row.p_value)
    if not rows:
        return Section("closure", "Reweighted events", [Paragraph("There is one sample, and no response.", "quiet")])
    labels = ("simulated there", "before", "reweighted")
    figures = [closure_picture(row, labels) for row in rows[:_DRAWN]]
    return Section("closure", "Reweighted events", [Paragraph(words.closure), closure_table(rows), Figures(figures)])


def _calibration(record: TrainingRecord, words: Words) -> Section:
    figures = [
        Figure(
            to_svg(plot_calibration(row.predicted, row.observed, row.error, row.sample)),
            f"{row.sample}: chi2 = {row.chi2:.1f} for {row.ndf} bins (P = {row.p_value:.2g}).",
        )
        for row in record.calibration
    ]
    rows = [
        (s.name, s.file, f"{s.train:,}", f"{s.validation:,}", f"{s.held:,}",
         f"{s.calibration:,}" if s.calibration else "", f"{s.effective:,.0f}",
         f"{100 * s.negative:.1f} %",
         "" if s.mean_ratio is None else f"{s.mean_ratio:.4f} ± {s.mean_ratio_error:.4f}",
         "" if s.unsupported is None else f"{100 * s.unsupported:.2f} %")
        for s in record.samples
    ]  # fmt: skip
    head = ["sample", "file", "train", "validate", "held back", "calibrate", "effective", "negative"]
    head += ["mean ratio", "no support"]
    parts = [table(head, rows, range(2, 10)), Paragraph(words.calibration), Figures(figures)]
    return Section("calibration", "Calibration", parts)


def _means(record: TrainingRecord, words: Words) -> list[Section]:
    rows = record.means
    if not rows:
        return []
    figures = [
        Figure(
            to_svg(plot_means(r.values, r.mean, r.error, r.without, r.nuisance, r.sample)),
            f"{words.mean.format(sample=r.sample, nuisance=r.nuisance)}, over events that did not normalise it.",
        )
        for r in rows
    ]
    return [Section("responses", words.means, [Figures(figures)])]


def _training(record: TrainingRecord) -> Section:
    figures = [
        Figure(
            to_svg(plot_training(np.array(row.train), np.array(row.validation), row.best_epoch, row.nothing, row.what)),
            f"{row.what}: {len(row.best_epoch)} networks, best validation loss {row.best.mean():.4f}; guessing "
            f"{row.nothing:.4f}.",
        )
        for row in record.learned
    ]
    words = f"Learned in {record.cpu_seconds:.0f} s of one processor."
    return Section("training", "Training", [Paragraph(words), Figures(figures)])
