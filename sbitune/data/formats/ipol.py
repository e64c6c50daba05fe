"""Professor 2's `ipol.dat`: a polynomial in the generator's parameters for the value and the error of every bin.

    KEY: VALUE                          # header; `#` starts a comment
    ---
    /PATH#n XMIN XMAX
      val: DIM ORDER c_1 ... c_N low_1 ... low_DIM high_1 ... high_DIM
      err: DIM ORDER ...                # in no bin if errors were not parametrised

Parameters are mapped to u = (p - low) / (high - low), so the box of the runs goes to [0, 1], before the polynomial is
evaluated. Coefficients stand by degree, and within a degree in the order of nondecreasing lists of parameters: for two
parameters 1, u, v, u^2, uv, v^2, u^3, u^2 v, ... `DataFormat: binned 3` has low and high in every line, `binned 2`
takes them from the header (`MinParamVals`, `MaxParamVals`, if `DoParamScaling: 1`). `binned 1` is refused, as Professor
does: its coefficients stood in another order.

Source: Professor 2, github.com/iamholger/professor: `src/Ipol.cc` (mkStructure, map_prange, toString, fromString),
`pyext/professor2/ipol.py` (writeIpol) and `ipolio.py`; Professor: arXiv:0907.2973.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.storage.files import write_text
from sbitune.data.text.numbers import quoted

#: header keys that are fields of `Interpolation` or fixed by the format
OWN_KEYS = ("DataFormat", "ParamNames", "Dimension", "MinParamVals", "MaxParamVals", "DoParamScaling", "Runs")


class Polynomial(NamedTuple):
    """A polynomial of one bin, in parameters that are mapped to [0, 1]."""

    order: int  #: highest degree
    coefficients: np.ndarray  #: (n_terms,) in the order of `exponents`, in the unit of the bin's content
    low: np.ndarray  #: (n_parameters,) what is mapped to 0
    high: np.ndarray  #: (n_parameters,) what is mapped to 1


@dataclass(frozen=True, eq=False)
class Interpolation:
    """The content of an `ipol.dat`. Raises `InputError` for polynomials that do not fit parameters and bins."""

    parameters: tuple[Parameter, ...]  #: with the box that the runs span
    bins: Bins  #: (n_bins,)
    value: tuple[Polynomial, ...]  #: (n_bins,) of the contents
    error: tuple[Polynomial, ...] = ()  #: (n_bins,) of the Monte Carlo errors; empty: not parametrised
    runs: tuple[str, ...] = ()  #: names of the runs that were parametrised
    header: Mapping[str, str] = field(default_factory=dict)  #: further keys, such as Summary or Date

    def __post_init__(self) -> None:
        for name, polynomials in (("value", self.value), ("error", self.error)):
            if len(polynomials) != len(self.bins) and (name == "value" or polynomials):
                raise InputError(f"interpolation: {len(polynomials)} polynomials ({name}) for {len(self.bins)} bins")
            for label, polynomial in zip(self.bins.labels(), polynomials, strict=False):
                _check(polynomial, self.parameters, f"interpolation: {label}, {name}")

    @property
    def orders(self) -> np.ndarray:
        """(n_bins, 2) orders of value and error; -1 where there is no polynomial of the error."""
        errors = [polynomial.order for polynomial in self.error] or [-1] * len(self.bins)
        return np.array([[polynomial.order for polynomial in self.value], errors], int).T

    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and errors, each (n_points, n_bins), at theta (n_points, n_parameters).

        A polynomial of an error that is negative counts as 0, as in Professor; without polynomials errors are 0.
        """
        theta = np.asarray(theta, float)
        if theta.ndim != 2 or theta.shape[1] != len(self.parameters):
            raise InputError(f"theta has shape {theta.shape}, expected (n_points, {len(self.parameters)})")
        errors = _evaluate(self.error, theta) if self.error else np.zeros((len(theta), len(self.bins)))
        return _evaluate(self.value, theta), np.maximum(errors, 0.0)


@lru_cache(maxsize=64)
def exponents(n_parameters: int, order: int) -> np.ndarray:
    """Powers of the parameters in every term, (n_terms, n_parameters), in Professor's order.

    >>> exponents(2, 2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    terms = [
        np.bincount(np.array(chosen, int), minlength=n_parameters)
        for degree in range(order + 1)
        for chosen in combinations_with_replacement(range(n_parameters), degree)
    ]
    powers = np.array(terms)
    powers.setflags(write=False)
    return powers


def monomials(unit: np.ndarray, order: int) -> np.ndarray:
    """Every term (n_points, n_terms) at parameters that are mapped to [0, 1], (n_points, n_parameters)."""
    powers = unit[:, :, None] ** np.arange(order + 1)
    terms = np.ones((len(unit), comb(unit.shape[1] + order, order)))
    for column, power in enumerate(exponents(unit.shape[1], order).T):
        terms *= powers[:, column, power]
    return terms


def is_word(text: str) -> bool:
    """Tell whether the format can hold a name: blanks divide names, and `#` begins a comment."""
    return bool(text) and not any(c.isspace() or c == "#" for c in text)


def write_ipol(path: str | Path, interpolation: Interpolation) -> None:
    """Write an `ipol.dat` of format `binned 3`, whole or not at all; every digit comes back.

    Without runs there is no line `Runs`, and `NumInputs` only if it is in the header: Professor asks for neither.

    Raises `InputError` for names, paths or header values that the format cannot hold.
    """
    names = [parameter.name for parameter in interpolation.parameters]
    for what, words in (
        ("parameter", names),
        ("run", interpolation.runs),
        ("path", interpolation.bins.paths()),
        ("header key", interpolation.header),
    ):
        bad = [word for word in words if not is_word(word)]
        if bad:
            raise InputError(f"ipol.dat: the {what} {quoted(bad[0])} has a blank or `#`, which the format cannot hold")
    wrong = [path for path in interpolation.bins.paths() if not path.startswith("/")]
    if wrong:
        raise InputError(f"ipol.dat: the path {quoted(wrong[0])} does not begin with `/`")
    lines = [*_header_lines(interpolation, names), "---"]
    bins = interpolation.bins
    for i, label in enumerate(bins.labels()):
        lines += [f"{label} {_numbers(bins.low[[i]])} {_numbers(bins.high[[i]])}", _line("val", interpolation.value[i])]
        lines += [_line("err", interpolation.error[i])] if interpolation.error else []
    write_text(path, "\n".join(lines) + "\n")


def _header_lines(interpolation: Interpolation, names: list[str]) -> list[str]:
    lines = []
    for key, value in interpolation.header.items():
        if key in OWN_KEYS or ":" in key:
            raise InputError(
                f"ipol.dat: the header key {quoted(key)} is the format's own, or has a colon; choose another"
            )
        if value != value.strip() or "#" in value or len(value.splitlines()) > 1:
            raise InputError(f"ipol.dat: the header value of {key}, {quoted(value)}, must be one line without `#`")
        lines.append(f"{key}: {value}")
    low, high = np.array([(p.low, p.high) for p in interpolation.parameters]).T
    return [
        *lines,
        "DataFormat: binned 3",
        f"ParamNames: {' '.join(names)}",
        f"Dimension: {len(names)}",
        f"MinParamVals: {_numbers(low)}",
        f"MaxParamVals: {_numbers(high)}",
        "DoParamScaling: 1",
        *_run_lines(interpolation),
    ]


def _run_lines(interpolation: Interpolation) -> list[str]:
    if not interpolation.runs:
        return []
    number = [] if "NumInputs" in interpolation.header else [f"NumInputs: {len(interpolation.runs)}"]
    return [*number, f"Runs: {' '.join(interpolation.runs)}"]


def _line(key: str, polynomial: Polynomial) -> str:
    numbers = np.concatenate([polynomial.coefficients, polynomial.low, polynomial.high])
    return f"  {key}: {len(polynomial.low)} {polynomial.order} {_numbers(numbers)}"


def _numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values)


def _check(polynomial: Polynomial, parameters: tuple[Parameter, ...], where: str) -> None:
    n = len(parameters)
    order, coefficients, low, high = polynomial
    if order < 0 or len(coefficients) != comb(n + order, order):
        raise InputError(
            f"{where}: {len(coefficients)} coefficients, another number than order {order} in {n} parameters has"
        )
    if low.shape != (n,) or high.shape != (n,):
        raise InputError(f"{where}: low and high need {n} numbers, one per parameter")
    if not all(np.isfinite(numbers).all() for numbers in (coefficients, low, high)):
        raise InputError(f"{where}: a number is not finite")
    flat = [p.name for p, a, b in zip(parameters, low, high, strict=True) if not a < b]
    if flat:
        raise InputError(f"{where}: the range of parameter {flat[0]} is empty; take out parameters that do not vary")


def _evaluate(polynomials: tuple[Polynomial, ...], theta: np.ndarray) -> np.ndarray:
    """(n_points, n_bins); bins that share order and box are evaluated together."""
    alike: dict[tuple[int, bytes, bytes], list[int]] = {}
    for i, polynomial in enumerate(polynomials):
        key = (polynomial.order, np.asarray(polynomial.low).tobytes(), np.asarray(polynomial.high).tobytes())
        alike.setdefault(key, []).append(i)
    result = np.zeros((len(theta), len(polynomials)))
    for members in alike.values():
        order, _, low, high = polynomials[members[0]]
        terms = monomials((theta - low) / (high - low), order)
        result[:, members] = terms @ np.array([polynomials[i].coefficients for i in members]).T
    return result
