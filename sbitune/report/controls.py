"""Sliders, buttons and the table of chi2 beside the figures that move."""

import re

import numpy as np

from sbitune.data.scan import Parameter
from sbitune.plots.observables import Panel
from sbitune.plots.parameters import short
from sbitune.plots.style import plain
from sbitune.report import html
from sbitune.tuning.record.types import ParameterRecord
from sbitune.tuning.stages.pipeline import Fitted

_CHANGE = '<th class="number" title="from that of the tune">change</th>'


def controls(fitted: Fitted, panels: list[Panel]) -> str:
    """Make the column of controls; `panels` are those of the observables, in the order of the fit."""
    parameters = fitted.surrogate.parameters
    records = list(fitted.record.parameters.values())
    names = short([p.name for p in parameters])
    sliders = [_slider(i, *row) for i, row in enumerate(zip(parameters, records, names, strict=True))]
    return "\n".join(
        [
            '<div class="controls">',
            _totals(fitted),
            f'<div class="buttons"><button class="tune" data-go="tune">tune</button>{_default_button(fitted)}</div>',
            '<label class="follow"><input type="checkbox"> at &minus;&sigma; and +&sigma; the others follow, as they '
            "are correlated in the fit</label>",
            *sliders,
            _table(panels),
            "</div>",
        ]
    )


def _totals(fitted: Fitted) -> str:
    rows = [f"<tr><td>chi2, {len(fitted.measured.bins)} bins</td>{_cells('total', 'change')}</tr>"]
    if np.any(fitted.measured.weights != 1):
        title = "with the card's weights, squared"
        rows.append(f'<tr><td title="{title}">weighted</td>{_cells("weighted", "weighted-change")}</tr>')
    head = f'<tr><th></th><th class="number">sliders</th>{_CHANGE}</tr>'
    return f'<table class="total"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _cells(value: str, change: str) -> str:
    return f'<td class="number" data-field="{value}"></td><td class="number" data-field="{change}"></td>'


def _default_button(fitted: Fitted) -> str:
    reason = ""
    if all(row.default is None for row in fitted.record.parameters.values()):
        return ""
    if fitted.default is None:
        reason = "not known for every parameter"
    elif any(not p.low <= x <= p.high for p, x in zip(fitted.surrogate.parameters, fitted.default, strict=True)):
        reason = "outside the range of the scan"
    disabled = f' disabled title="{reason}"' if reason else ""
    return f'<button class="default" data-go="default"{disabled}>default</button>'


def _slider(index: int, parameter: Parameter, record: ParameterRecord, name: str) -> str:
    unit = f" [{parameter.unit}]" if parameter.unit else ""
    label = html.text(parameter.name + unit)
    steps = "".join(_step(index, parameter, record, sign) for sign in (-1, 1))
    return (
        f'<div class="parameter"><span class="name" title="{label}">{html.text(name + unit)}</span>'
        f'<output></output><span class="steps">{steps}</span>'
        f'<div class="track"><input type="range" min="{parameter.low!r}" max="{parameter.high!r}" step="any" '
        f'aria-label="{label}"><div class="marks">{_marks(parameter, record)}</div>'
        f'<div class="ends"><span>{parameter.low:g}</span><span>{parameter.high:g}</span></div></div></div>'
    )


def _step(index: int, parameter: Parameter, record: ParameterRecord, sign: int) -> str:
    """The button that goes to the tune less, or plus, the error of the fit."""
    label = "&minus;&sigma;" if sign < 0 else "+&sigma;"
    end = record.value + sign * record.error
    if record.error == 0:
        extra = ' disabled title="fixed in the fit"'
    elif not parameter.low <= end <= parameter.high:
        extra = ' disabled title="outside the range of the scan"'
    else:
        extra = f' title="tune {"-" if sign < 0 else "+"} fit error: {end:.6g}"'
    return f'<button data-parameter="{index}" data-error="{sign}"{extra}>{label}</button>'


def _marks(parameter: Parameter, record: ParameterRecord) -> str:
    def part(value: float) -> float:
        return 100 * float(np.clip((value - parameter.low) / (parameter.high - parameter.low), 0, 1))

    low, high = part(record.value - record.error), part(record.value + record.error)
    marks = [f'<i class="error" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>']
    if record.default is not None and parameter.low <= record.default <= parameter.high:
        marks.append(f'<i class="default" style="left:{part(record.default):.2f}%"></i>')
    marks.append(f'<i class="tune" style="left:{part(record.value):.2f}%"></i>')
    return "".join(marks)


def _brief(titles: list[str]) -> list[str]:
    """Titles that are paths without the directories that all have: the column is narrow.

    >>> _brief(["PDG/d02-x01", "PDG/d13-x01"]), _brief(["Thrust", "Sphericity"])
    (['d02-x01', 'd13-x01'], ['Thrust', 'Sphericity'])
    """
    if len(titles) < 2 or not all(re.fullmatch(r"[\w/.:#+-]+", title) for title in titles):
        return titles
    first, last = min(titles), max(titles)  # what these share, all do
    alike = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    cut = first[:alike].rfind("/") + 1
    return [title[cut:] for title in titles]


def _table(panels: list[Panel]) -> str:
    rows = []
    brief = _brief([plain(panel.title) for panel in panels])
    for i, panel in enumerate(panels):
        # observables of one bin share a figure, the first
        place, title = ("#move" if len(panel.low) == 1 else f"#live-{i}"), html.text(plain(panel.title))
        rows.append(
            f'<tr data-line><td><a href="{place}" title="{title}">{html.text(brief[i])}</a></td>'
            '<td class="number"></td><td class="number"></td></tr>'
        )
    head = f'<tr><th>observable</th><th class="number">chi2</th>{_CHANGE}</tr>'
    return f'<table class="chi2s"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
