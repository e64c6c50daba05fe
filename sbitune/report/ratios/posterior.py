"""`report.html` of the posterior of an observation."""

from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.plots.calibration import plot_levels, plot_ranks
from sbitune.plots.posterior import plot_corner
from sbitune.plots.ratios import plot_training
from sbitune.plots.style import to_svg
from sbitune.ratios.posteriors.line.card import PosteriorsCardFile
from sbitune.ratios.posteriors.line.pipeline import infer
from sbitune.ratios.posteriors.line.record import PosteriorRecord, figures_of
from sbitune.ratios.posteriors.line.sampling import SampledPosterior, read_sampled
from sbitune.report.pieces.numbers import rounded
from sbitune.report.pieces.origins import provenance_table
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parameters import correlations_section
from sbitune.report.pieces.parts import Figure, Figures, Navigation, Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.report.pieces.verdicts import verdict_paragraphs
from sbitune.report.ratios.checks import checks_table
from sbitune.workflow.results.checks import judge

_METHODS = {
    "npe": "neural posterior estimation: a flow of the parameters given what is observed",
    "nle": "neural likelihood estimation: a flow of what is observed given the parameters",
    "nre": "neural ratio estimation: a classifier of pairs against shuffled ones",
}
#: draws that are drawn
_DRAWN = 20_000


def infer_card(loaded: PosteriorsCardFile, reporter: Reporter) -> dict[str, Any]:
    """The whole line of a card, for `sbitune infer`."""
    return _written(infer(loaded, reporter))


def report_card(loaded: PosteriorsCardFile, reporter: Reporter) -> dict[str, Any]:
    """The page of a posterior that is there, for `sbitune report`."""
    return _written(read_sampled(loaded, reporter))


def write_report(sampled: SampledPosterior, path: Path | None = None) -> Path:
    """Write the page of a posterior, beside its card unless `path` is given. Gives the path."""
    path = path or sampled.loaded.output("report.html")
    record = sampled.record
    sections = [
        _parameters(sampled),
        *_correlations(record),
        _calibration(sampled),
        _training(sampled),
        Section("checks", "Checks", [checks_table(record.checks)]),
        Section("origin", "Origin", [provenance_table(record.provenance)]),
    ]
    verdict = judge(record.checks, "this posterior")._replace(words=record.verdict)
    rows = "" if record.rows == 1 else f" ({record.rows} independent rows)"
    said = (
        f"{record.draws:,} draws from the posterior of {record.observation}{rows}, by {_METHODS[record.method]}, from "
        f"{record.simulations:,} simulations."
    )
    top: list[Part] = [*verdict_paragraphs(verdict, record.warnings), Paragraph(said)]
    top += [Paragraph(note, "warning") for note in record.notes]
    write_page(path, record.title, [*top, Navigation(sections), *sections])
    return path


def _written(sampled: SampledPosterior) -> dict[str, Any]:
    return figures_of(sampled.record) | {"report": str(write_report(sampled))}


def _parameters(sampled: SampledPosterior) -> Section:
    rows = []
    for name, p in sampled.record.parameters.items():
        unit = sampled.loaded.card.parameters[name].unit
        spans = [" to ".join(rounded(end, p.sd) for end in ends) for ends in (p.interval68, p.interval95)]
        prior = f"{p.prior['low']:g} to {p.prior['high']:g}" if "low" in p.prior else (
            f"{p.prior['mean']:g} ± {p.prior['deviation']:g}"
        )  # fmt: skip
        shown = f"{name} / {unit}" if unit else name
        rows.append((shown, rounded(p.mean, p.sd), rounded(p.sd, p.sd), *spans, prior, f"{100 * p.shrinkage:.0f} %"))
    head = ["parameter", "mean", "sd", "68 %", "95 %", "prior", "variance less than that of the prior"]
    corner = to_svg(plot_corner(list(sampled.record.parameters), sampled.draws[:_DRAWN]))
    picture = Figure(corner, "68 and 95 % of the posterior.")
    return Section("parameters", "Parameters", [table(head, rows, range(1, 7)), Figures([picture])])


def _correlations(record: PosteriorRecord) -> list[Section]:
    names = list(record.parameters)
    return [correlations_section(names, np.array(record.correlation))] if len(names) > 1 else []


def _calibration(sampled: SampledPosterior) -> Section:
    calibration, local = sampled.trained.record.calibration, sampled.record.local
    if calibration is None:
        said = Paragraph("No posteriors of held simulations were asked for.", "quiet")
        return Section("calibration", "Calibration", [said])
    words = (
        f"Posteriors of {calibration.pairs} simulations that no network has seen, {calibration.draws} draws from each: "
        "ranks of the true parameters among the draws must be uniform (band: 95 % of chance), and regions of all "
        "parameters together, of highest density and random ones (TARP), hold the truth as often as they claim."
    )
    rows = [
        (name, f"{100 * r.coverage68:.0f} %", f"{100 * r.coverage95:.0f} %", (r.verdict, "bad" * (r.verdict != _GOOD)))
        for name, r in calibration.parameters.items()
    ]
    curves = [
        (name, c.levels, c.coverage, c.error)
        for name, c in (("highest density", calibration.expected), ("random", calibration.tarp))
    ]
    figures = [Figure(to_svg(plot_ranks(r.ranks, name)), f"{name}: {r.verdict}.")
               for name, r in calibration.parameters.items()]  # fmt: skip
    figures.append(Figure(to_svg(plot_levels(curves, "all parameters")), "Coverage of regions in all parameters."))
    parts: list[Part] = [Paragraph(words), table(["parameter", "68 %", "95 %", "verdict"], rows, (1, 2))]
    if local is not None:
        parts.append(Paragraph(
            f"At the observation itself classifiers tell the posterior from the true one by {local.statistic:.4f} "
            f"(0: not at all, 1/4: always); by chance it is below {local.chance:.4f} in 95 % of cases, P = "
            f"{local.p_value:.2g} (L-C2ST)."
        ))  # fmt: skip
    return Section("calibration", "Calibration", [*parts, Figures(figures)])


_GOOD = "consistent"


def _training(sampled: SampledPosterior) -> Section:
    record = sampled.trained.record
    train, validation = np.array(record.train), np.array(record.validation)
    best = [max(0, epoch) for epoch in record.best_epoch]
    drawing = to_svg(plot_training(train, validation, best, np.nan, sampled.record.method))
    linear = "; a linear model was kept where networks did not describe validation better" * (-1 in record.best_epoch)
    words = (
        f"Learned in {record.cpu_seconds:.0f} s of one processor, checks included; a simulated pair is preferred to a "
        f"shuffled one in {100 * record.preference:.1f} ± {100 * record.preference_error:.1f} % of cases{linear}."
    )
    caption = f"{len(record.best_epoch)} networks; loss in nats, by epoch."
    return Section("training", "Training", [Paragraph(words), Figures([Figure(drawing, caption)])])
