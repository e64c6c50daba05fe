"""Reading `ipol.dat`; its grammar is told in `sbitune.data.formats.ipol`."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError, naming_file
from sbitune.data.formats.ipol import OWN_KEYS, Interpolation, Polynomial
from sbitune.data.parameter import Parameter
from sbitune.data.storage.files import read_lines, read_text
from sbitune.data.text.names import check_name, misspelt, repeated, shorten, split_words
from sbitune.data.text.numbers import finite, natural, quoted

#: parameters and orders: what is more is damage, and would take all memory before the coefficients are counted
_MOST = 1000
#: (number of the line, its text)
Line = tuple[int, str]


def read_ipol(path: str | Path) -> Interpolation:
    """Read an `ipol.dat` of format `binned 2` or `binned 3`.

    Raises:
        InputError: naming file and line, for a file that is cut short, lines that are no part of the format, a wrong
            number of coefficients or parameters, numbers that are not finite.
    """
    numbered = read_lines(path, "ipol file")
    if numbered and not read_text(path).endswith("\n"):
        raise InputError(f"{path}:{len(numbered)}: the last line does not end: was the file cut short?")
    header, body = _read_header(path, iter(numbered))
    bins, polynomials = _read_bins(path, header, body)
    if not bins:
        raise InputError(f"{path}: no bin behind the header; was the file cut short?")
    without = [label for (label, _, _), found in zip(bins, polynomials, strict=True) if "err" not in found]
    if without and len(without) < len(bins):
        raise InputError(f"{path}: bin {without[0]} has no `err:` line, others have one; was the file cut short?")
    value = tuple(found["val"] for found in polynomials)
    return Interpolation(
        parameters=header.parameters(value),
        bins=_bins(bins),
        value=value,
        error=() if without else tuple(found["err"] for found in polynomials),
        runs=tuple(header.entries.get("Runs", "").split()),
        header={key: text for key, text in header.entries.items() if key not in OWN_KEYS},
    )


def _bins(rows: list[tuple[str, float, float]]) -> Bins:
    split = [label.rpartition("#") for label, _, _ in rows]
    return Bins(
        np.array([name for name, _, _ in split], dtype=np.str_),
        np.array([natural(number) for _, _, number in split]),
        np.array([low for _, low, _ in rows]),
        np.array([high for _, _, high in rows]),
    )


@dataclass(frozen=True)
class _Header:
    path: str | Path
    entries: dict[str, str]
    names: tuple[str, ...]
    limits_in_lines: bool  #: low and high stand behind the coefficients: format `binned 3`
    low: np.ndarray | None  #: (n_parameters,) of the whole file, if the header gives them
    high: np.ndarray | None

    @property
    def scaled(self) -> bool:
        return self.entries.get("DoParamScaling", "0") == "1"

    def parameters(self, polynomials: tuple[Polynomial, ...]) -> tuple[Parameter, ...]:
        """The parameters with their box: the header's, where six decimals do not make it empty."""
        low = np.min([polynomial.low for polynomial in polynomials], axis=0)
        high = np.max([polynomial.high for polynomial in polynomials], axis=0)
        if self.low is not None and self.high is not None:
            given = self.low < self.high
            low, high = np.where(given, self.low, low), np.where(given, self.high, high)
        with naming_file(self.path):
            return tuple(Parameter(n, float(a), float(b)) for n, a, b in zip(self.names, low, high, strict=True))


def _read_header(path: str | Path, lines: Iterator[Line]) -> tuple[_Header, Iterator[Line]]:
    entries: dict[str, str] = {}
    places: dict[str, str] = {}
    for number, line in lines:
        content = line.split("#")[0].strip()
        if content == "---":
            return _checked_header(path, entries, places), lines
        key, colon, value = content.partition(":")
        if content and (not colon or " " in key.strip()):
            raise InputError(f"{path}:{number}: expected 'Key: value' or '---', found {quoted(content)}")
        if content and key.strip() in entries:
            raise InputError(f"{path}:{number}: {shorten(key.strip())} is given twice")
        if content:
            entries[key.strip()] = value.strip()
            places[key.strip()] = f"{path}:{number}: {key.strip()}"
    raise InputError(f"{path}: no line '---' behind a header: not an ipol file, or cut short")


def _checked_header(path: str | Path, entries: dict[str, str], places: dict[str, str]) -> _Header:
    """The header of entries that stand at the given places."""
    form = entries.get("DataFormat", "")
    if form not in ("binned 2", "binned 3"):
        told = f"is {quoted(form)}, not 'binned 2' or 'binned 3'; make the file again with Professor 2.4"
        raise InputError(f"{places.get('DataFormat', f'{path}: DataFormat')} {told}")
    if wrong := misspelt([key for key in entries if key not in OWN_KEYS], [k for k in OWN_KEYS if k not in entries]):
        raise InputError(f"{places[wrong[0]]}: an unknown key; call it {wrong[1]} if it is that")
    names = _names(path, entries, places)
    if entries.get("DoParamScaling", "0") not in ("0", "1"):
        raise InputError(f"{places['DoParamScaling']} is {quoted(entries['DoParamScaling'])}, neither 0 nor 1")
    limits = []
    for key in ("MinParamVals", "MaxParamVals"):
        values = _floats(entries[key].split(), places[key]) if key in entries else None
        if values is not None and len(values) != len(names):
            raise InputError(f"{places[key]}: {len(values)} limits in the header for {len(names)} parameters")
        limits.append(values)
    header = _Header(path, entries, names, form == "binned 3", limits[0], limits[1])
    if not header.limits_in_lines and header.scaled and (header.low is None or header.high is None):
        raise InputError(f"{path}: DoParamScaling is on, and MinParamVals or MaxParamVals is missing")
    return header


def _names(path: str | Path, entries: dict[str, str], places: dict[str, str]) -> tuple[str, ...]:
    """Names of the parameters, each once; without names those that prof2-tune gives them."""
    with naming_file(places.get("ParamNames", str(path))):
        names = tuple(split_words(entries.get("ParamNames", "")))
        for name in names:
            check_name(name)
    twice = repeated(names)
    if twice:
        raise InputError(f"{places['ParamNames']}: parameter {shorten(twice[0])} is named twice")
    try:
        dimension = natural(entries["Dimension"], _MOST) if "Dimension" in entries else len(names)
    except ValueError as error:
        raise InputError(f"{places['Dimension']}: {error}") from None
    if dimension == 0 or (names and len(names) != dimension):
        where = places.get("Dimension", places.get("ParamNames", str(path)))
        raise InputError(f"{where}: {len(names)} names in ParamNames, and Dimension {dimension}")
    return names or tuple(f"A{i:03d}" for i in range(dimension))


def _read_bins(
    path: str | Path, header: _Header, lines: Iterator[Line]
) -> tuple[list[tuple[str, float, float]], list[dict[str, Polynomial]]]:
    bins: list[tuple[str, float, float]] = []
    polynomials: list[dict[str, Polynomial]] = []
    seen: set[str] = set()
    for number, line in lines:
        content, where = line.strip(), f"{path}:{number}"
        if not content:
            continue
        if content.startswith("/"):
            _require_value(path, bins, polynomials)
            bins.append(_bin(content, where))
            if bins[-1][0] in seen:
                raise InputError(f"{where}: bin {shorten(bins[-1][0])} is given twice")
            seen.add(bins[-1][0])
            polynomials.append({})
            continue
        key, _, rest = content.partition(":")
        if key not in ("val", "err") or not bins or key in polynomials[-1]:
            raise InputError(
                f"{where}: expected '/PATH#n XMIN XMAX', then 'val: ...' and 'err: ...', found {quoted(key)}"
            )
        polynomials[-1][key] = _polynomial(rest.split(), header, where)
    _require_value(path, bins, polynomials)
    return bins, polynomials


def _require_value(path: str | Path, bins: list[tuple[str, float, float]], polynomials: list) -> None:
    if bins and "val" not in polynomials[-1]:
        raise InputError(f"{path}: bin {bins[-1][0]} has no `val:` line; was the file cut short?")


def _bin(content: str, where: str) -> tuple[str, float, float]:
    with naming_file(where):
        words = split_words(content)
    name, _, number = words[0].rpartition("#")
    try:
        natural(number)
    except ValueError:
        name = ""
    if len(words) != 3 or not name:
        raise InputError(f"{where}: expected '/PATH#n XMIN XMAX', found {quoted(content)}")
    low, high = _floats(words[1:], where)
    if not low <= high:
        raise InputError(f"{where}: the edges {words[1]} and {words[2]} are not in order")
    return words[0], float(low), float(high)


def _polynomial(words: list[str], header: _Header, where: str) -> Polynomial:
    n = len(header.names)
    try:
        dimension, order = (natural(word, _MOST) for word in words[:2])
    except ValueError as error:
        raise InputError(f"{where}: expected 'DIM ORDER coefficients ...': {error}") from None
    if dimension != n:
        raise InputError(f"{where}: a polynomial of {dimension} parameters, the header names {n}")
    numbers, terms = _floats(words[2:], where), comb(n + order, order)
    if header.limits_in_lines and header.scaled and len(numbers) == terms:
        raise InputError(f"{where}: no minima and maxima of the parameters behind the coefficients")
    limits = 2 * n if header.limits_in_lines and len(numbers) != terms else 0
    if len(numbers) != terms + limits:
        raise InputError(
            f"{where}: {len(numbers)} numbers; order {order} in {n} parameters has {shorten(terms)} coefficients"
            + (f", then {n} minima and {n} maxima" if header.limits_in_lines else "")
        )
    low, high = np.zeros(n), np.ones(n)  # no scaling: every parameter is mapped to itself
    if limits:
        low, high = numbers[terms : terms + n], numbers[terms + n :]
    elif header.scaled and header.low is not None and header.high is not None:
        low, high = header.low, header.high
    if not (low < high).all():
        name = header.names[int(np.flatnonzero(~(low < high))[0])]
        raise InputError(f"{where}: minimum and maximum of {name} are the same, or the wrong way round")
    return Polynomial(order, numbers[:terms], low, high)


def _floats(words: list[str], where: str) -> np.ndarray:
    try:
        return np.array([finite(word) for word in words])
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
