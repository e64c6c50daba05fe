"""The section of a report in which the parameters are moved: the surrogate, evaluated by the browser.

The page carries the means of Gaussian processes as they are (see `tuning.surrogates.forms.kernelform`), other
surrogates and all errors as polynomials (`tuning.surrogates.forms.compact`).
"""

from dataclasses import replace

import numpy as np

from sbitune.data.errors import InputError
from sbitune.plots.frames import frame_observable, frame_single_bins
from sbitune.plots.observables import Panel
from sbitune.plots.style import COLOURS
from sbitune.report.pieces.live import Key, LiveFigure, LiveView
from sbitune.report.pieces.parts import Paragraph, Section
from sbitune.report.tune.controls import buttons, rows_of, sliders
from sbitune.report.tune.livedata import drawn, numbers
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.surrogates.forms.compact import MAX_NUMBERS, Compact, compact
from sbitune.tuning.surrogates.regression.basis import count_terms

#: bins at most: their covariance is in the page; and the order that polynomials of so many shall reach
MOST_BINS, _ORDER = 1500, 2
#: numbers of Gaussian processes that a page may carry: 3 MB
_MOST_EXACT = 280_000
#: rms in measured errors beyond which a polynomial is no picture of the surrogate
_FAR = 0.3
#: what the view calls colours -> those of figures
_COLOURS = {"moved": "moved", "best": "tuned", "default": "default", "data-error": "data error"}


def live_section(fitted: Fitted, shown: list[tuple[str, Panel]]) -> Section:
    """Make the section: sliders, chi2 and figures that follow them.

    Args:
        fitted: the tune.
        shown: (path, panel) of every fitted observable, in the fit's order.
    """
    every = len(shown)
    fitted, shown = _what_fits(fitted, shown)
    measured = fitted.measured
    try:
        exact = fitted.surrogate.kernel_form(measured.indices)
        exact = exact if exact is not None and exact.size <= _MOST_EXACT else None
        model = compact(fitted.surrogate, measured.indices, measured.total_errors, fitted.theta, means=exact is None)
    except InputError as error:  # too many bins and parameters for a page
        return _section(Paragraph(f"The surrogate is not in this page: {error}.", "warning"))
    frames = [None if len(panel.low) == 1 else frame_observable(panel) for _, panel in shown]
    single = [i for i, frame in enumerate(frames) if frame is None]
    rows = frame_single_bins([shown[i][1] for i in single]) if single else None
    known = any(row.default is not None for row in fitted.record.parameters.values())
    view = LiveView(
        data=numbers(fitted, model, exact) | drawn(fitted, shown, frames, single, rows),
        bins=len(measured.bins),
        weighted="with the card's weights, squared" if np.any(measured.weights != 1) else "",
        change="from that of the tune",
        keys=_keys(known),
        colours={name: COLOURS[key] for name, key in _COLOURS.items()},
        buttons=buttons(fitted),
        sliders=sliders(fitted),
        rows=rows_of([panel for _, panel in shown]),
        single=rows,
        figures=[
            LiveFigure(i, path, len(panel.low), frame)
            for i, ((path, panel), frame) in enumerate(zip(shown, frames, strict=True))
            if frame is not None
        ],
    )
    words = map(Paragraph, _words(model, exact is not None, known))
    return _section(*words, *_of_all(len(shown), every), *_too_far(model), view)


def _section(*parts: Paragraph | LiveView) -> Section:
    return Section("move", "Move the parameters", parts)


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


def _of_all(here: int, every: int) -> list[Paragraph]:
    if here == every:
        return []
    words = (
        f"Of {every} observables the {here} are here that the parameters move most in units of the measured errors; "
        "more would make this page too large. chi2 is theirs alone."
    )
    return [Paragraph(words, "warning")]


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


def _too_far(model: Compact) -> list[Paragraph]:
    """A polynomial that is no picture of the surrogate."""
    if model.typical < _FAR:
        return []
    words = (
        "Away from the tune these curves are NOT the surrogate's: a polynomial that fits into this page differs from "
        f"it by {model.typical:.1g} of the measured errors on average. Ask `sbitune predict` there."
    )
    return [Paragraph(words, "warning")]


def _keys(known: bool) -> list[Key]:
    names = {"data": "data", "moved": "surrogate at the sliders, with its error", "tuned": "surrogate at the tune"}
    names |= {"data error": "error of the data"} | ({"default": "before tuning (under the sliders)"} if known else {})
    return [Key(name, COLOURS[key]) for key, name in names.items()]
