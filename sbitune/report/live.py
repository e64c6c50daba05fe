"""The section of a report in which the parameters are moved: the surrogate, evaluated by the browser.

The page carries the means of Gaussian processes as they are (see `tuning.surrogates.forms.kernelform`), other
surrogates and all errors as polynomials (`tuning.surrogates.forms.compact`), the measured bins with the covariance of
the fit, and figures without predictions, into which `live_view.js` draws what `live_model.js` computes.
"""

import base64
from dataclasses import asdict, replace
from importlib import resources
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.objective import total_covariance
from sbitune.plots.frames import Frame, frame_observable, frame_single_bins
from sbitune.plots.observables import Panel
from sbitune.plots.style import COLOURS
from sbitune.report import html
from sbitune.report.controls import controls
from sbitune.report.panels import bins_of
from sbitune.tuning.stages.pipeline import Fitted
from sbitune.tuning.surrogates.forms.compact import MAX_NUMBERS, Compact, compact
from sbitune.tuning.surrogates.forms.kernelform import KernelForm
from sbitune.tuning.surrogates.regression.basis import count_terms
from sbitune.tuning.surrogates.regression.inputs import LOG_OFFSET

#: bins at most: their covariance is in the page; and the order that polynomials of so many shall reach
MOST_BINS, _ORDER = 1500, 2
#: numbers of Gaussian processes that a page may carry: 3 MB
_MOST_EXACT = 280_000
#: rms in measured errors beyond which a polynomial is no picture of the surrogate
_FAR = 0.3
_FILES = ("live_model.js", "live_view.js")


def live_section(fitted: Fitted, shown: list[tuple[str, Panel]]) -> str:
    """Make the section: sliders, chi2 and figures that follow them.

    Args:
        fitted: the tune.
        shown: (path, panel) of every fitted observable, in the fit's order.
    """
    title = "Move the parameters"
    every = len(shown)
    fitted, shown = _what_fits(fitted, shown)
    measured = fitted.measured
    try:
        exact = fitted.surrogate.kernel_form(measured.indices)
        exact = exact if exact is not None and exact.size <= _MOST_EXACT else None
        model = compact(fitted.surrogate, measured.indices, measured.total_errors, fitted.theta, means=exact is None)
    except InputError as error:  # too many bins and parameters for a page
        return html.section("move", title, html.paragraph(f"The surrogate is not in this page: {error}.", "warning"))
    frames = [None if len(panel.low) == 1 else frame_observable(panel) for _, panel in shown]
    single = [i for i, frame in enumerate(frames) if frame is None]
    rows = frame_single_bins([shown[i][1] for i in single]) if single else None
    numbers = _numbers(fitted, model, exact) | _drawn(fitted, shown, frames, single, rows)
    known = any(row.default is not None for row in fitted.record.parameters.values())
    colours = f"--moved: {COLOURS['moved']}; --tune: {COLOURS['tuned']}; --default: {COLOURS['default']}; "
    return html.section(
        "move",
        title,
        f"<style>{_file('live.css')}</style>",
        *(html.paragraph(words) for words in _words(model, exact is not None, known)),
        *_of_all(len(shown), every),
        *_too_far(model),
        '<noscript><p class="warning">This section needs JavaScript, which this browser does not run.</p></noscript>',
        _keys(known),
        f'<div class="live" id="live" style="{colours}--data-error: {COLOURS["data error"]}">',
        controls(fitted, [panel for _, panel in shown]),
        f'<div class="figures">{_figures(shown, frames, rows)}</div></div>',
        f'<script type="application/json" id="live-data">{html.script_data(numbers)}</script>',
        '<script>"use strict";\n(() => {\n' + "\n".join(_file(name) for name in _FILES) + "})();</script>",
    )


def _what_fits(fitted: Fitted, shown: list[tuple[str, Panel]]) -> tuple[Fitted, list[tuple[str, Panel]]]:
    """The observables that a page can hold: of very many those that the parameters move most."""
    measured = fitted.measured
    n_parameters = len(fitted.surrogate.parameters)
    each = count_terms(n_parameters, _ORDER) + count_terms(n_parameters, 1)  # of the mean and of its error
    room = min(MOST_BINS, MAX_NUMBERS // each)
    if len(measured.bins) <= room:
        return fitted, shown
    moves = fitted.scan.values[:, measured.indices].std(axis=0) / measured.total_errors
    places = {path: measured.bins.of(path) for path, _ in shown}
    taken = set()
    for path in sorted(places, key=lambda path: -np.mean(moves[places[path]] ** 2)):
        if len(places[path]) <= room:
            taken.add(path)
            room -= len(places[path])
    if not taken:
        return fitted, shown
    rows = np.sort(np.concatenate([places[path] for path in taken]))
    return replace(fitted, matched=fitted.matched.take(rows)), [one for one in shown if one[0] in taken]


def _of_all(here: int, every: int) -> list[str]:
    if here == every:
        return []
    words = (
        f"Of {every} observables the {here} are here that the parameters move most in units of the measured errors; "
        "more would make this page too large. chi2 is theirs alone."
    )
    return [html.paragraph(words, "warning")]


def _words(model: Compact, exact: bool, known: bool) -> list[str]:
    bands = f"the widths of their bands differ from the surrogate's by {100 * model.typical_error:.0f} % (rms)"
    if exact:
        drawn = f"The curves are the surrogate's own, which this page carries; {bands}."
    else:
        off = f"at most {model.worst:.2g} of the measured errors (rms over box and bins: {model.typical:.1g})"
        off = "less than 0.001 of the measured errors" if model.worst < 1e-3 else off
        drawn = (
            f"The surrogate is in this page as a polynomial of order {model.order}. The curves drawn here differ from "
            f"the surrogate by {off}; {bands}."
        )
    return [
        "Move a slider and every observable follows: what is drawn is the surrogate, evaluated here in the browser "
        "inside the range of the scan. Under a slider "
        + ("are the tune with its error and the value before tuning." if known else "is the tune with its error."),
        f"{drawn} chi2 has unit weights and is that of the fit, with the covariance of data and surrogate held as it "
        "is at the tune.",
    ]


def _too_far(model: Compact) -> list[str]:
    """A polynomial that is no picture of the surrogate."""
    if model.typical < _FAR:
        return []
    words = (
        "Away from the tune these curves are NOT the surrogate's: a polynomial that fits into this page differs from "
        f"it by {model.typical:.1g} of the measured errors on average. Ask `sbitune predict` there."
    )
    return [html.paragraph(words, "warning")]


def _keys(known: bool) -> str:
    names = {"data": "data", "moved": "surrogate at the sliders, with its error", "tuned": "surrogate at the tune"}
    names |= {"data error": "error of the data"} | ({"default": "before tuning (under the sliders)"} if known else {})
    keys = "".join(
        f'<span><i class="key" style="border-color: {COLOURS[key]}"></i>{html.text(name)}</span>'
        for key, name in names.items()
    )
    return f'<p class="keys">{keys}</p>'


def _numbers(fitted: Fitted, model: Compact, exact: KernelForm | None) -> dict[str, Any]:
    """What the scripts compute with."""
    measured = fitted.measured
    v = total_covariance(fitted.problem, fitted.theta)
    scale = np.sqrt(np.diag(v))
    correlation = (v / np.outer(scale, scale))[np.tril_indices(len(v))]
    default = fitted.default
    errors = np.array([p.error for p in fitted.record.parameters.values()])
    along = np.array(fitted.record.covariance) / np.where(errors > 0, errors, 1.0)[:, None]
    return {
        "surrogate": {
            "low": [p.low for p in model.parameters],
            "high": [p.high for p in model.parameters],
            "bins": len(measured.bins),
            "degree": int(model.exponents.max()),
            "exponents": _encode(model.exponents, "u1"),
            "coefficients": _encode(model.coefficients, "<f4"),
            "error_coefficients": _encode(model.error_coefficients, "<f4"),
            "log": _encode(model.log, "u1"),
            "exact": None if exact is None else _exact(exact),
        },
        "measured": {
            "values": _encode(measured.values),
            "scale": _encode(scale),
            "correlation": _encode(correlation, "<f4"),
            "weights": _encode(measured.weights),
        },
        "tune": fitted.theta.tolist(),
        "default": None if default is None else default.tolist(),
        "along": along.tolist(),
        "digits": [_digits(p.high - p.low) for p in model.parameters],
    }


def _exact(form: KernelForm) -> dict[str, Any]:
    """Gaussian processes as `live_model.js` evaluates them."""
    return {
        "centre": _encode(form.centre),
        "log": _encode(form.log, "u1"),
        "offset": LOG_OFFSET,
        "parts": [
            {
                "logs": np.flatnonzero(part.log_inputs).tolist(),
                "runs": len(part.inputs),
                "groups": len(part.metric),
                "inputs": _encode(part.inputs),
                "metric": _encode(part.metric),
                "line": part.line.tolist(),
                "group": part.group.tolist(),
                "alpha": _encode(part.alpha),
                "shift": part.shift.tolist(),
                "loadings": None if part.loadings is None else _encode(part.loadings),
                "places": part.places.tolist(),
            }
            for part in form.parts
        ],
    }


def _drawn(
    fitted: Fitted, shown: list[tuple[str, Panel]], frames: list[Frame | None], single: list[int], rows: Frame | None
) -> dict[str, Any]:
    """Where things are drawn."""
    observables = []
    for (path, panel), frame in zip(shown, frames, strict=True):
        one: dict[str, Any] = {"bins": bins_of(fitted.measured.bins, path).tolist()}
        if frame is not None:
            one |= {"low": panel.low.tolist(), "high": panel.high.tolist(), "data_errors": panel.data.errors.tolist()}
            one["boxes"] = [asdict(box) for box in frame.boxes]
        observables.append(one)
    inside = [observables[i]["bins"][0] for i in single]
    return {
        "observables": observables,
        "rows": None if rows is None else {"bins": inside, "box": asdict(rows.boxes[0])},
    }


def _figures(shown: list[tuple[str, Panel]], frames: list[Frame | None], rows: Frame | None) -> str:
    parts = []
    if rows is not None:
        plot = f'<div class="plot">{rows.svg}{_moving(rows)}</div>'
        parts.append(html.figure(plot, "Observables of one bin.", "rows"))
    for i, ((path, _), frame) in enumerate(zip(shown, frames, strict=True)):
        if frame is not None:
            caption = (
                f"<span>{html.text(path)}</span><span>chi2 <b data-chi2></b> in {len(shown[i][1].low)} bins</span>"
            )
            parts.append(
                f'<figure id="live-{i}" data-observable="{i}"><div class="plot">{_moving(frame)}{frame.svg}</div>'
                f"<figcaption>{caption}</figcaption></figure>"
            )
    return "\n".join(parts)


def _moving(frame: Frame) -> str:
    """The layer of what moves, by itself so that nothing else is drawn again; before a frame it lies beneath."""
    return f'<svg class="moving" viewBox="0 0 {frame.width:g} {frame.height:g}"></svg>'


def _digits(span: float) -> int:
    """Decimals that show a thousandth of a range."""
    return int(np.clip(3 - np.floor(np.log10(span)), 0, 12))


def _encode(array: np.ndarray, kind: str = "<f8") -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode()


def _file(name: str) -> str:
    return resources.files("sbitune.report").joinpath(name).read_text(encoding="utf-8")
