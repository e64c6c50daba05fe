"""`report.html`: one self-contained page of a tune."""

from pathlib import Path
from typing import Any

from sbitune.data.reporting import Reporter
from sbitune.generators.config import PythiaConfig
from sbitune.report.beside.links import link_to_posterior, of_another_fit
from sbitune.report.pieces.findings import findings_section
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parts import Navigation, Paragraph, Preformatted, Section
from sbitune.report.pieces.templates import Part
from sbitune.report.tune.errorsources import error_sources
from sbitune.report.tune.live import live_section
from sbitune.report.tune.method import method_section
from sbitune.report.tune.panels import panels
from sbitune.report.tune.reliability import reliability_section
from sbitune.report.tune.summary import summary
from sbitune.report.tune.tables import correlations, figures, left_out, observables, parameters
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.inverse.stage import FILE, read_inverse
from sbitune.tuning.output.settings import command_file
from sbitune.tuning.record.result import made_of
from sbitune.tuning.stages.fitted import Fitted, read_fitted


def report_card(loaded: LoadedCard, reporter: Reporter) -> dict[str, Any]:
    """Write the page of a tune again, from the results that are there. Raises as `read_fitted` does."""
    page = write_report(read_fitted(loaded, reporter))
    return {"report": str(page), "bytes": page.stat().st_size}


def write_report(fitted: Fitted, path: Path | None = None) -> Path:
    """Write the page of a tune, beside its card unless `path` is given. Gives the path."""
    path = path or fitted.loaded.output("report.html")
    record = fitted.record
    shown = list(panels(fitted))
    inverse = read_inverse(fitted)
    others = link_to_posterior(fitted.loaded, made_of(fitted.record))
    if inverse is None and fitted.loaded.output(FILE).is_file():
        others.append(of_another_fit(FILE, "inverse"))
    sections = [
        parameters(record),
        correlations(record),
        reliability_section(record, inverse, others),
        observables(fitted),
        live_section(fitted, shown),
        figures(shown),
        error_sources(record),
        left_out(fitted),
        *findings_section(record.findings),
        method_section(fitted),
        _settings(fitted),
    ]
    write_page(path, record.title, [*summary(fitted, inverse), Navigation(sections), *sections])
    return path


def _settings(fitted: Fitted) -> Section:
    """The settings of the tune, without those that only fix what another version might change."""
    parts: list[Part] = [Preformatted(command_file(fitted.loaded.card, fitted.record, fixed=False))]
    if isinstance(fitted.loaded.card.generator, PythiaConfig):
        parts.append(Paragraph("tune.cmnd also fixes what other versions of Pythia may have other defaults of."))
    return Section("settings", "Settings", parts)
