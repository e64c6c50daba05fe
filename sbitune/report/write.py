"""`report.html`: one self-contained page of a tune."""

from pathlib import Path

import numpy as np

from sbitune.data.storage.files import write_text
from sbitune.data.text.paths import reference_key
from sbitune.generators.config import PythiaConfig
from sbitune.plots.observables import Panel, plot_observable, plot_single_bins
from sbitune.plots.parameters import plot_correlation, plot_parameters
from sbitune.plots.style import to_svg
from sbitune.report import html
from sbitune.report.found import error_sources, found_in_the_input
from sbitune.report.live import live_section
from sbitune.report.panels import panels
from sbitune.report.posterior import link_to_posterior, of_another_fit
from sbitune.report.story import how_it_was_made
from sbitune.report.trust import how_sure
from sbitune.tuning.inverse.inside import ALARMING
from sbitune.tuning.inverse.stage import FILE, InverseRecord, read_inverse
from sbitune.tuning.output.settings import command_file
from sbitune.tuning.record.types import ParameterRecord, ResultRecord, ValidationRecord
from sbitune.tuning.stages.pipeline import Fitted
from sbitune.tuning.verdict import find_checks, verdict_from


def write_report(fitted: Fitted, path: Path | None = None) -> Path:
    """Write the page of a tune, beside its card unless `path` is given. Gives the path."""
    path = path or fitted.loaded.output("report.html")
    record = fitted.record
    shown = list(panels(fitted))
    inverse = read_inverse(fitted)
    others = link_to_posterior(fitted)
    if inverse is None and fitted.loaded.output(FILE).is_file():
        others += of_another_fit(FILE, "inverse")
    body = [
        f"<h1>{html.text(record.title)}</h1>",
        _summary(fitted, inverse),
        _navigation(record),
        _parameters(record),
        _correlations(record),
        how_sure(record, inverse, others),
        _observables(fitted),
        live_section(fitted, shown),
        _figures(shown),
        error_sources(record),
        _left_out(fitted),
        found_in_the_input(record),
        how_it_was_made(fitted),
        html.section("settings", "Settings", _settings(fitted)),
    ]
    text = html.page(record.title, body)
    write_text(path, text)
    return path


def _settings(fitted: Fitted) -> str:
    """The settings of the tune, without those that only fix what another version might change."""
    text = f"<pre>{html.text(command_file(fitted.loaded.card, fitted.record, fixed=False))}</pre>"
    if not isinstance(fitted.loaded.card.generator, PythiaConfig):
        return text
    return f"{text}<p>tune.cmnd also fixes what other versions of Pythia may have other defaults of.</p>"


#: a difference of chi2 is one if it is larger than so many of its errors
_SURE = 2.0
#: groups of Pythia's settings that belong to a tune
_OF_A_TUNE = (
    "tune:",
    "string",
    "timeshower",
    "spaceshower",
    "multiparton",
    "colourreconnection",
    "beamremnants",
    "hadronlevel",
)


def _navigation(record: ResultRecord) -> str:
    names = ["parameters", "correlations", "sure", "observables", "move", "figures", "errors", "left-out", "made"]
    names.append("settings")
    if record.findings:
        names.insert(names.index("made"), "found")
    return "<nav>" + "".join(f'<a href="#{n}">{n.replace("-", " ")}</a>' for n in names) + "</nav>"


def before(fitted: Fitted) -> str:
    """What the values before tuning are called."""
    if isinstance(fitted.loaded.card.generator, PythiaConfig) and _is_monash(fitted):
        return "Monash 2013"
    return "the values before tuning"


def _is_monash(fitted: Fitted) -> bool:
    settings = [s.replace(" ", "").lower() for s in fitted.loaded.card.generator.settings]  # type: ignore[union-attr]
    changed = any(setting.startswith(_OF_A_TUNE) for setting in settings)
    return not changed and all(p.default is None for p in fitted.loaded.card.parameters.values())


def _summary(fitted: Fitted, inverse: InverseRecord | None) -> str:
    record = fitted.record
    parts = []
    if record.verdict:
        good = verdict_from(record.checks or find_checks(record)).good
        words = f"{record.verdict[0].upper()}{record.verdict[1:]}."
        parts.append(html.paragraph(words, "verdict" if good else "verdict bad"))
    parts += [html.paragraph(f"{words[0].upper()}{words[1:]}.", "warning") for words in record.warnings]
    if inverse is not None and inverse.inside["p_value"] < ALARMING:
        words = "The inverse model finds that the data are not like anything that the scan produces: see below."
        parts.append(html.paragraph(words, "warning"))
    if record.validation is not None and record.validation.chi2_default is not None:
        parts.append(_verdict(record.validation, before(fitted)))
    words = (
        f"Fit: chi2 = {record.chi2:.1f} for {record.ndf} degrees of freedom "
        f"({record.chi2 / max(record.ndf, 1):.2f} each), {record.status}."
    )
    if record.chi2_unit > record.ndf > 0:
        words += (
            " chi2 exceeds its expectation: the model does not describe all bins within their errors. Errors are those "
            "of data and surrogate, propagated, and, scaled, times sqrt(chi2/ndf)"
            f"{_of_unit_weights(record)} = {np.sqrt(record.chi2_unit / record.ndf):.2f}."
        )
    parts.append(html.paragraph(words))
    parts += [html.paragraph(note, "warning") for note in record.notes]
    return "\n".join(parts)


def _of_unit_weights(record: ResultRecord) -> str:
    """Say that chi2 is that of unit weights where that is another."""
    if abs(record.chi2_unit - record.chi2) < 1e-3 * record.chi2:
        return ""
    return f" of unit weights, for which chi2 is {record.chi2_unit:.1f},"


def _verdict(v: ValidationRecord, name: str) -> str:
    assert v.chi2_default is not None
    assert v.chi2_default_error is not None
    assert v.weighted_default is not None
    weighted = ""
    if abs(v.weighted_tuned - v.chi2_tuned) > 1e-6 * v.chi2_tuned:
        weighted = f"; with the card's weights {v.weighted_tuned:.1f} against {v.weighted_default:.1f}"
    gain, error = v.chi2_default - v.chi2_tuned, np.hypot(v.chi2_tuned_error, v.chi2_default_error)
    if abs(gain) < _SURE * error:
        alike = "by chi2 with unit weights " if weighted else ""
        said, kind = f"Tune and {name} cannot be told apart {alike}on this data", "verdict bad"
    elif gain > 0:
        said, kind = f"The tune beats {name} on this data", "verdict"
    else:
        said, kind = f"The tune does not beat {name} on this data", "verdict bad"
    words = (
        f"{said}: generated with {v.events:,} events each, chi2 is {v.chi2_tuned:.0f} ± {v.chi2_tuned_error:.0f} "
        f"against {v.chi2_default:.0f} ± {v.chi2_default_error:.0f} in {v.bins} bins "
        f"({v.chi2_tuned / v.bins:.2f} against {v.chi2_default / v.bins:.2f} a bin{weighted}); it is lower by "
        f"{gain:.0f} ± {error:.0f}, the errors being those of the number of events."
    )
    return html.paragraph(words, kind)


def _number(value: float, error: float) -> str:
    """A value with the digits that its error justifies."""
    if error <= 0:
        return f"{value:.6g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    text = f"{value:.{min(digits, 8)}f}"
    return text if float(text) != 0 or value == 0 else f"{value:.2g}"


def _parameter_row(name: str, p: ParameterRecord) -> list[object]:
    minos = "" if p.minos is None else f"{_number(p.minos[0], p.error)} / +{_number(p.minos[1], p.error)}"
    shift = "" if p.default is None or p.error == 0 else f"{(p.value - p.default) / p.scaled_error:+.1f}"
    quoted = "" if p.error == 0 or p.one_sided else f"± {_number(p.error, p.error)}"
    scaled = "" if p.error == 0 or p.one_sided else f"± {_number(p.scaled_error, p.error)}"
    status = (p.status, "bad") if p.status == "at limit" else p.status
    default = "" if p.default is None else f"{p.default:g}"
    return [name, _number(p.value, p.error), quoted, minos, scaled, default, shift, _range(p), status]


def _range(p: ParameterRecord) -> str:
    low, high = p.limits or (p.low, p.high)
    return f"{low:g} to {high:g}" + (" (limits of the fit)" if p.limits else "")


def _parameters(record: ResultRecord) -> str:
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
    picture = html.figure(to_svg(drawing), caption, "single")
    return html.section("parameters", "Parameters", html.table(head, rows, range(1, 8)), picture)


def _correlations(record: ResultRecord) -> str:
    free = [i for i, p in enumerate(record.parameters.values()) if p.status != "fixed"]
    names = [list(record.parameters)[i] for i in free]
    matrix = np.array(record.correlation)[np.ix_(free, free)]
    picture = html.figure(to_svg(plot_correlation(names, matrix)), "Correlation of the fitted parameters.", "matrix")
    return html.section("correlations", "Correlations", picture)


def _observables(fitted: Fitted) -> str:
    rows = []
    for o in fitted.record.observables:
        labels = fitted.reference.labels.get(reference_key(o.path), {})
        row: list[object] = [(o.path, "path"), o.bins, f"{o.weight:g}", html.decimal(o.chi2)]
        tuned = "" if o.chi2_tuned is None else html.decimal(o.chi2_tuned)
        default = "" if o.chi2_default is None else html.decimal(o.chi2_default)
        kind = ""
        if o.chi2_tuned is not None and o.chi2_default is not None:
            kind = "good" if o.chi2_tuned <= o.chi2_default else "bad"
        rows.append([*row, (tuned, kind), default, labels.get("Citation", "")])
    head = ["observable", "bins", "weight", "surrogate", "tuned run", "default run", "measurement"]
    again = ", and the generator run again" if fitted.record.validation is not None else ""
    words = f"chi2 of every observable with unit weights: the surrogate at the tune{again}."
    return html.section("observables", "Observables", html.paragraph(words), html.table(head, rows, range(1, 6)))


def _figures(shown: list[tuple[str, Panel]]) -> str:
    single = [(panel.title, panel) for _, panel in shown if len(panel.low) == 1]
    parts = [html.figure(to_svg(plot_observable(panel)), path) for path, panel in shown if len(panel.low) > 1]
    words = (
        "Black: data. Orange: before tuning. Blue: the generator at the tune. Green, dashed: the surrogate at the tune "
        "with its error. Grey: everything the scan reached. Yellow: the error of the data."
    )
    top = [html.paragraph(words, "quiet")]
    if single:
        top.append(html.figure(to_svg(plot_single_bins(single)), "Observables of one bin.", "single"))
    return html.section("figures", "Data and generator", *top, '<div class="figures">' + "\n".join(parts) + "</div>")


def _left_out(fitted: Fitted) -> str:
    parts = []
    if fitted.record.excluded:
        rows = [(e["bin"], e["reason"]) for e in fitted.record.excluded]
        parts.append(html.table(["left out of the fit", "reason"], rows))
    else:
        parts.append(html.paragraph("Every selected bin entered the fit."))
    return html.section("left-out", "Left out of the fit", *parts)
