"""The live view of a page: sliders of parameters, chi2, and figures in which curves follow, all in the browser.

`live_model.js` computes predictions and chi2 from `LiveView.data`, `live_view.js` draws them into figures without
predictions. The data are a dictionary for JSON, with arrays as `encode` spells them:

- `model`: what predicts. `low` and `high` of the parameters, the number of `bins`, polynomials of all bins (`degree`,
  `exponents`, `coefficients` of the means, `error_coefficients` of the logarithms of the errors, `log`: which means are
  logarithms) and, for means, `exact`: Gaussian processes, or null.
- `measured`: `values` of the bins, the covariance of chi2 as `scale` (square roots of its diagonal) and `correlation`
  (lower triangle, row by row), `weights` of the residuals.
- `best`: the point that was fitted; `default`: another that a button leads to, or null; `along`: the step of all
  parameters, for each, as they follow its error; `digits` of the parameters.
- `observables`: `bins` of each, and of one with a figure of its own `low`, `high`, `data_errors` and `boxes`; `rows`:
  `bins` and `box` of the figure of all others, or null.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sbitune.plots.frames import Frame


@dataclass(frozen=True)
class Key:
    """A colour and what it stands for."""

    words: str
    colour: str


@dataclass(frozen=True)
class Button:
    """A button that moves all parameters to a point."""

    words: str
    goes_to: str  #: "best" or "default"
    disabled: str = ""  #: why it cannot be used


@dataclass(frozen=True)
class Step:
    """A button that moves one parameter to the best value less, or plus, its error."""

    sign: int  #: -1 or 1
    title: str
    disabled: bool = False


@dataclass(frozen=True)
class Mark:
    """A mark under a slider."""

    kind: str  #: "best", "default", or "error", which has a width
    left: float  #: in percent of the slider's length, as the width
    width: float | None = None


@dataclass(frozen=True)
class Slider:
    """What moves a parameter."""

    name: str
    title: str  #: the name at full length
    low: float
    high: float
    steps: Sequence[Step]
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Row:
    """A row of the table of chi2."""

    name: str
    title: str  #: the name at full length
    place: str  #: the anchor of its figure


@dataclass(frozen=True)
class LiveFigure:
    """A figure of an observable."""

    number: int  #: in the list of observables
    path: str
    bins: int
    frame: Frame


@dataclass(frozen=True)
class LiveView:
    """Sliders, chi2 and figures that follow them."""

    data: Mapping[str, Any]  #: see above
    bins: int
    weighted: str  #: what the weighted chi2 is; empty: weights are all 1
    change: str  #: what changes of chi2 are counted from
    keys: Sequence[Key]
    colours: Mapping[str, str]  #: of "moved", "best", "default", "data-error"
    buttons: Sequence[Button]
    sliders: Sequence[Slider]
    rows: Sequence[Row]
    single: Frame | None  #: the figure of observables of one bin
    figures: Sequence[LiveFigure]
    template: ClassVar[str] = "pieces/live.html"


def encode(array: np.ndarray, kind: str = "<f8") -> str:
    """Numbers of an array, as this type, in base64."""
    return base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode()


def digits(span: float) -> int:
    """Decimals that show a thousandth of a range."""
    return int(np.clip(3 - np.floor(np.log10(span)), 0, 12))
