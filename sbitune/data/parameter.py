"""Parameters: their names, ranges and units, and the box that they span."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import check_name, is_name, repeated, shorten
from sbitune.data.text.numbers import quoted

#: size that a parameter may have
_WIDEST = 1e100
#: of its values, a part that a range must span: of narrower ones rounding is seen in fits
_NARROWEST = 1e-9

#: a run is outside the box if it is so by more than this part of the half width
EDGE = 1e-6


@dataclass(frozen=True)
class Parameter:
    """A generator parameter and the range in which it is scanned."""

    name: str  #: the generator's own name, such as StringZ:aLund
    low: float  #: lower end of the box, in the generator's unit
    high: float  #: upper end of the box
    default: float | None = None  #: the generator's default, if known; may lie outside the box
    unit: str = ""  #: unit for axes and tables, such as GeV

    def __post_init__(self) -> None:
        check_name(self.name)
        size = max(abs(self.low), abs(self.high))
        if not is_name(self.unit):
            code, words = "name-odd-character", f"the unit {quoted(self.unit)} has a character that is not seen"
        elif not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            code, words = "parameter-empty-range", f"need finite low < high, got {self.low} and {self.high}"
        elif size > _WIDEST or self.high - self.low < max(_NARROWEST * size, 1 / _WIDEST):
            code = "parameter-narrow-range"
            words = f"no fit can be made in the range from {self.low!r} to {self.high!r}: it must span a part of "
            words += f"{_NARROWEST:g} of its ends, which may be up to {_WIDEST:g}; take another unit"
        elif self.default is not None and not math.isfinite(self.default):
            code, words = "parameter-not-finite", f"default {self.default} is not finite"
        else:
            return
        raise InputError(f"parameter {self.name}: {words}", code=code)


def parameter_box(parameters: Iterable[Parameter]) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and half width of the box, each (n_parameters,): unit = (theta - centre) / half width."""
    low, high = np.array([(p.low, p.high) for p in parameters], dtype=np.float64).T
    return (low + high) / 2, (high - low) / 2


def read_parameters(stored: Any) -> tuple[Parameter, ...]:
    """Parameters from the header of a file, [name, low, high, default, unit] of each. Raises `InputError`."""
    if not isinstance(stored, list) or not stored:
        raise InputError("it names no parameters")
    parameters = tuple(_read_parameter(fields) for fields in stored)
    names = [parameter.name for parameter in parameters]
    twice = repeated(names)
    if twice:
        raise InputError(f"the parameter {shorten(twice[0])} is there twice")
    return parameters


def read_words(what: str, stored: Any) -> tuple[str, ...]:
    """A list of words from the header of a file. Raises `InputError` naming `what` they are for anything else."""
    if not isinstance(stored, list) or not all(map(is_name, stored)):
        raise InputError(f"{what}: expected a list of words, found {shorten(str(stored))}")
    return tuple(stored)


def _read_parameter(fields: Any) -> Parameter:
    if isinstance(fields, list) and 3 <= len(fields) <= 5:
        fields = [*fields, *(None, "")[len(fields) - 3 :]]
        name, low, high, default, unit = fields
        numbers = [low, high] if default is None else [low, high, default]
        if isinstance(name, str) and isinstance(unit, str) and all(type(number) in (int, float) for number in numbers):
            return Parameter(name, float(low), float(high), None if default is None else float(default), unit)
    raise InputError(f"a parameter is [name, low, high, default, unit], found {shorten(str(fields))}")
