"""`report.html`: one self-contained page of a fit of events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.checks.records import TrainingRecord
from sbitune.ratios.parameterised.line import fitstage as of_parameters
from sbitune.ratios.parameterised.line import pipeline as line_of_parameters
from sbitune.ratios.parameterised.line.card import ParameterisedCardFile
from sbitune.ratios.parameters import EventsCardFile
from sbitune.ratios.record import RatiosRecord, figures_of, made_of
from sbitune.ratios.stages.fitstage import read_fitted
from sbitune.ratios.stages.fitting import ASIMOV
from sbitune.ratios.stages.pipeline import infer
from sbitune.report.beside.hypotheses import hypothesis_sections
from sbitune.report.beside.links import link_to_posterior
from sbitune.report.pieces.coverage import coverage_in_words, coverage_table
from sbitune.report.pieces.numbers import rounded
from sbitune.report.pieces.origins import provenance_table
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parameters import correlations_section, parameters_section, rows_of
from sbitune.report.pieces.parts import Figures, Navigation, Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.report.pieces.verdicts import verdict_paragraphs
from sbitune.report.ratios.checks import checks_table
from sbitune.report.ratios.learned import closure_picture, closure_table, learned_sections
from sbitune.report.ratios.regions import regions_sections
from sbitune.report.ratios.words import OF_MIXTURES, OF_PARAMETERS, Words
from sbitune.workflow.results.checks import judge


class Trained(Protocol):
    """What was learned of a region."""

    @property
    def record(self) -> TrainingRecord:
        """How, and its checks."""
        ...


class TrainedRegions(Protocol):
    """What was learned."""

    @property
    def regions(self) -> Mapping[str, Trained]:
        """By region of events."""
        ...


class Fitted(Protocol):
    """A fit of events, by whatever ratios."""

    @property
    def loaded(self) -> EventsCardFile[Any]:
        """Its card."""
        ...

    @property
    def trained(self) -> TrainedRegions:
        """Its ratios."""
        ...

    @property
    def fit(self) -> Fit:
        """The fit itself."""
        ...

    @property
    def record(self) -> RatiosRecord:
        """As in `result.yaml`."""
        ...


def infer_card(loaded: RatiosCardFile | ParameterisedCardFile, reporter: Reporter) -> dict[str, Any]:
    """The whole line of a card, for `sbitune infer`."""
    if isinstance(loaded, ParameterisedCardFile):
        return _written(line_of_parameters.infer(loaded, reporter))
    return _written(infer(loaded, reporter))


def report_card(loaded: RatiosCardFile | ParameterisedCardFile, reporter: Reporter) -> dict[str, Any]:
    """The page of a fit that is there, for `sbitune report`."""
    if isinstance(loaded, ParameterisedCardFile):
        return _written(of_parameters.read_fitted(loaded, reporter))
    return _written(read_fitted(loaded, reporter))


def _written(fitted: Fitted) -> dict[str, Any]:
    return figures_of(fitted.record) | {"report": str(write_report(fitted))}


def write_report(fitted: Fitted, path: Path | None = None) -> Path:
    """Write the page of a fit, beside its card unless `path` is given. Gives the path."""
    words = OF_PARAMETERS if isinstance(fitted.loaded, ParameterisedCardFile) else OF_MIXTURES
    path = path or fitted.loaded.output("report.html")
    record = fitted.record
    sections = [
        parameters_section(rows_of(fitted.fit, fitted.loaded.card.fit.limits), words=("nominal", "nominal", "fit")),
        *_correlations(fitted),
        _errors(record),
        _numbers(record),
        *regions_sections(record),
        *_data(record, words),
        *hypothesis_sections(fitted.loaded, fitted.fit.names, made_of(record)),
        _coverage(record),
        *(s for name, one in fitted.trained.regions.items() for s in learned_sections(name, one.record, words)),
        Section("checks", "Checks", [checks_table(record.checks)]),
        Section("origin", "Origin", [provenance_table(record.provenance)]),
    ]
    verdict = judge(record.checks, "this fit and its errors")._replace(words=record.verdict)
    top: list[Part] = [*verdict_paragraphs(verdict, record.warnings), Paragraph(_summary(record))]
    top += [Paragraph(note, "warning") for note in record.notes]
    top += link_to_posterior(fitted.loaded, made_of(record))
    write_page(path, record.title, [*top, Navigation(sections), *sections])
    return path


def _summary(record: RatiosRecord) -> str:
    if record.data == ASIMOV:
        return (
            f"There are no data: errors are those expected at the nominal parameters, of an Asimov data set of "
            f"{record.events:,.1f} events."
        )
    return f"Fit of {record.events:,.0f} events of {record.data}: {record.status}."


def _correlations(fitted: Fitted) -> list[Section]:
    free = [i for i, name in enumerate(fitted.fit.names) if name in fitted.fit.free]
    if len(free) < 2:
        return []
    names = [fitted.fit.names[i] for i in free]
    return [correlations_section(names, fitted.fit.correlation[np.ix_(free, free)])]


def _errors(record: RatiosRecord) -> Section:
    words = (
        "Errors from the data are those of the table above. Errors from the ratios are those of the samples that they "
        "were learned from, found by the sandwich covariance of the ensemble's combination over events that were held "
        "back and carried to the fit; other samples of the same size would move the values by so much."
    )
    rows = []
    for name, p in record.parameters.items():
        if p.status != "fixed":
            sizes = p.error, p.ratio_error, float(np.hypot(p.error, p.ratio_error))
            rows.append((name, *(f"± {rounded(size, p.error)}" for size in sizes)))
    head = ["parameter", "from the data", "from the ratios", "both"]
    return Section("errors", "Errors", [table(head, rows, range(1, 4)), Paragraph(words)])


def _numbers(record: RatiosRecord) -> Section:
    rows = [(name, f"{p.nominal:.1f}", f"{p.fitted:.1f}") for name, p in record.processes.items()]
    parts: list[Part] = [table(["process", "events expected at the nominal parameters", "at the fit"], rows, (1, 2))]
    if not rows:
        parts = [Paragraph("The number of events says nothing: their density is fitted.", "quiet")]
    nuisances = [
        (name, f"{p.measured[0]:g} ± {p.measured[1]:g}", f"{rounded(p.value, p.error)} ± {rounded(p.error, p.error)}",
         f"{p.pull:+.2f}", f"{p.error / p.measured[1]:.2f}")
        for name, p in record.parameters.items() if p.measured is not None and p.pull is not None
    ]  # fmt: skip
    if nuisances:
        head = ["nuisance parameter", "measured by others", "fit", "pull", "error / that of the measurement"]
        parts.append(table(head, nuisances, range(1, 5)))
    return Section("events", "Expected events", parts)


def _data(record: RatiosRecord, words: Words) -> list[Section]:
    if not record.columns:
        return []
    said = (
        f"Events of the data, and simulated events with the weights that they have at the fit (blue) and "
        f"{words.reference} (dashed). Points of the lower panel are (fit - data) / error."
    )
    figures = [closure_picture(row, ("data", "reference", "fit")) for row in record.columns]
    return [Section("data", "Data and fit", [Paragraph(said), closure_table(record.columns), Figures(figures)])]


def _coverage(record: RatiosRecord) -> Section:
    words = (
        f"Toys are drawn from {record.pool['events']:,.0f} simulated events that no network has seen, which at the fit "
        f"are worth {record.pool['effective']:,.0f} of one weight; their weights add up to "
        f"{100 * (1 + record.pool['closure']):.2f} % of the expected number."
    )
    if not record.coverage:
        return Section("coverage", "Coverage", [Paragraph(words), Paragraph("No toys were asked for.", "quiet")])
    said = f"{record.coverage['fits']} toys at the fit, auxiliary measurements thrown with them: "
    parts = [Paragraph(words), Paragraph(said + coverage_in_words(record.coverage)), coverage_table(record.coverage)]
    return Section("coverage", "Coverage", parts)
