"""Sliders, buttons and the table of chi2 beside the figures that move."""

import re
from collections.abc import Sequence

import numpy as np

from sbitune.data.parameter import Parameter
from sbitune.plots.observables import Panel
from sbitune.plots.parameters import short
from sbitune.plots.style import plain
from sbitune.report.pieces.live import Button, Mark, Row, Slider, Step
from sbitune.tuning.record.types import ParameterRecord
from sbitune.tuning.stages.fitted import Fitted


def buttons(fitted: Fitted) -> list[Button]:
    """Those that lead to the tune and, where values before it are known, to these."""
    tune = Button("tune", "best")
    if all(row.default is None for row in fitted.record.parameters.values()):
        return [tune]
    reason = ""
    if fitted.default is None:
        reason = "not known for every parameter"
    elif any(not p.low <= x <= p.high for p, x in zip(fitted.surrogate.parameters, fitted.default, strict=True)):
        reason = "outside the range of the scan"
    return [tune, Button("default", "default", reason)]


def sliders(fitted: Fitted) -> list[Slider]:
    """One for every parameter."""
    parameters = fitted.surrogate.parameters
    names = short([p.name for p in parameters])
    return [_slider(*row) for row in zip(parameters, fitted.record.parameters.values(), names, strict=True)]


def rows_of(panels: Sequence[Panel]) -> list[Row]:
    """The table of observables, in the order of the fit; those of one bin share a figure, the first."""
    titles = [plain(panel.title) for panel in panels]
    return [
        Row(name, title, "move" if len(panel.low) == 1 else f"live-{i}")
        for i, (panel, title, name) in enumerate(zip(panels, titles, _brief(titles), strict=True))
    ]


def _slider(parameter: Parameter, record: ParameterRecord, name: str) -> Slider:
    unit = f" [{parameter.unit}]" if parameter.unit else ""
    steps = [_step(parameter, record, sign) for sign in (-1, 1)]
    low, high = float(parameter.low), float(parameter.high)
    return Slider(name + unit, parameter.name + unit, low, high, steps, _marks(parameter, record))


def _step(parameter: Parameter, record: ParameterRecord, sign: int) -> Step:
    end = record.value + sign * record.error
    if record.error == 0:
        return Step(sign, "fixed in the fit", disabled=True)
    if not parameter.low <= end <= parameter.high:
        return Step(sign, "outside the range of the scan", disabled=True)
    return Step(sign, f"tune {'-' if sign < 0 else '+'} fit error: {end:.6g}")


def _marks(parameter: Parameter, record: ParameterRecord) -> list[Mark]:
    def part(value: float) -> float:
        return 100 * float(np.clip((value - parameter.low) / (parameter.high - parameter.low), 0, 1))

    low, high = part(record.value - record.error), part(record.value + record.error)
    marks = [Mark("error", low, high - low)]
    if record.default is not None and parameter.low <= record.default <= parameter.high:
        marks.append(Mark("default", part(record.default)))
    return [*marks, Mark("best", part(record.value))]


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
