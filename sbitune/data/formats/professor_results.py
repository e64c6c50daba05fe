"""Professor 2's `results.txt`: the best point, and behind `#` everything else about the fit.

    # ProfVersion: ...        KEY: VALUE lines, then the blocks `# Limits:` and `# Fixed:` (`#<tab>NAME<tab>low high`)
    # GOF 123.4               chi2; `# UNITGOF` with all weights 1, `# NDOF` degrees of freedom
    NAME<tab>value            a line per parameter: all that a reader of plain parameter files sees
    # MIGRAD errors:          `# NAME<tab>error`
    # MINOS errors:           `# NAME<tab>lower<tab>upper`, only if MINOS ran
    # Correlation matrix:     `# NAME  r r ...`, `---` for fixed parameters
    # Covariance matrix:
    # Weights used            lines of the weight file
    # Mean contribution:      `# PATH<tab>chi2 per bin` of every observable, with unit weights

Source: Professor 2, github.com/iamholger/professor, `bin/prof2-tune` (writing), `pyext/professor2/minimize.py`
(readResult, getParamCov, which count lines behind the titles).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sbitune.data.errors import InputError, naming_file
from sbitune.data.formats.parameters import read_values
from sbitune.data.storage.files import read_lines, write_text
from sbitune.data.text.names import check_word, shorten
from sbitune.data.text.numbers import finite

_TITLES = {
    "Limits:": "limits", "Fixed:": "fixed", "Minimisation result:": "", "MIGRAD errors:": "errors",
    "MINOS errors:": "minos", "Correlation matrix:": "correlation", "Covariance matrix:": "covariance",
    "Weights used": "weights", "Mean contribution:": "contributions",
}  # fmt: skip
_HEADER = re.compile(r"(\w+):\s(.*)")
_FIGURES = {"GOF": "gof", "UNITGOF": "unit_gof", "NDOF": "ndof"}
#: in place of a number that a fixed parameter does not have
_NONE = "---"

#: what no numbers of a block are; `---` is nan, which compares as neither
_FAULTS: dict[str, Callable[..., bool]] = {
    "errors": lambda error: error < 0,
    "minos": lambda lower, upper: lower > 0 or upper < 0,
    "limits": lambda low, high: low >= high,
}
#: the two halves of a matrix are the same numbers, printed alike
_DIGITS = 1e-4

#: (number of the line, its words)
Row = tuple[int, list[str]]


@dataclass(frozen=True, eq=False)
class ProfessorResult:
    """A fit as Professor writes it down; a plain parameter file has only `values`."""

    values: Mapping[str, float]  #: parameter -> best value, fixed ones included
    gof: float | None = None  #: chi2 with weights
    unit_gof: float | None = None  #: chi2 with every weight 1
    ndof: float | None = None  #: bins - free parameters
    errors: Mapping[str, float] = field(default_factory=dict)  #: parameter -> MIGRAD's error
    minos: Mapping[str, tuple[float, float]] = field(default_factory=dict)  #: parameter -> (lower < 0, upper) error
    correlation: np.ndarray | None = None  #: (n_parameters, n_parameters) in the order of values; nan where fixed
    covariance: np.ndarray | None = None  #: the same
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)  #: parameter -> (low, high) in the fit
    fixed: Mapping[str, float] = field(default_factory=dict)  #: fixed parameter -> value
    weights: tuple[str, ...] = ()  #: lines of the weight file
    contributions: Mapping[str, float] = field(default_factory=dict)  #: observable -> chi2 per bin, unit weights
    header: Mapping[str, str] = field(default_factory=dict)  #: ProfVersion, Date, InterpolationFile, ...

    def __post_init__(self) -> None:
        shape = (len(self.values),) * 2
        for name in ("correlation", "covariance"):
            matrix = getattr(self, name)
            if matrix is not None and matrix.shape != shape:
                raise InputError(f"result: {name} has shape {matrix.shape}, expected {shape}")


def read_result(path: str | Path) -> ProfessorResult:
    """Read a `results.txt`, or a plain file of `NAME value` lines. Raises `InputError` naming file and line."""
    values = read_values(path)
    header, figures, blocks = _read_comments(path)
    names = list(values)

    def block(name: str, count: int) -> dict[str, list[float]]:
        return _named_numbers(path, name, blocks.get(name, []), count, names if name != "contributions" else None)

    return ProfessorResult(
        values=values,
        errors={name: numbers[0] for name, numbers in block("errors", 1).items() if not np.isnan(numbers[0])},
        minos={name: (numbers[0], numbers[1]) for name, numbers in block("minos", 2).items()},
        correlation=_matrix(path, "correlation", blocks, names),
        covariance=_matrix(path, "covariance", blocks, names),
        limits={name: (numbers[0], numbers[1]) for name, numbers in block("limits", 2).items()},
        fixed={name: numbers[0] for name, numbers in block("fixed", 1).items()},
        weights=tuple(" ".join(words) for _, words in blocks.get("weights", [])),
        contributions={name: numbers[0] for name, numbers in block("contributions", 1).items()},
        header=header,
        **figures,
    )


def write_result(path: str | Path, result: ProfessorResult) -> None:
    """Write a `results.txt` that Professor's own scripts read, whole or not at all; numbers come back exactly.

    Raises `InputError` for names that the format cannot hold.
    """
    names = list(result.values)
    for name in (*names, *result.contributions):
        with naming_file("results.txt"):
            check_word(name, "parameter" if name in result.values else "observable")
    if not names:
        raise InputError("results.txt: a result without parameters cannot be written")
    width = max(map(len, names))
    lines = [f"# {key}: {' '.join(value.split())}" for key, value in result.header.items()]
    lines += ["#", "# Limits:", *_rows("#\t", result.limits, width)]
    lines += ["#", "# Fixed:", *_rows("#\t", result.fixed, width)]
    lines += ["#", "# Minimisation result:", "#"]
    figures = ((key, getattr(result, name)) for key, name in _FIGURES.items())
    lines += [f"# {key} {float(value)!r}" for key, value in figures if value is not None]
    lines += _rows("", result.values, width)
    if result.errors:
        lines += ["#", "# MIGRAD errors:", "#", *_rows("# ", result.errors, width)]
    if result.minos:
        lines += ["#", "# MINOS errors:", "#", *_rows("# ", result.minos, width)]
    for title, matrix in (("Correlation", result.correlation), ("Covariance", result.covariance)):
        if matrix is not None:
            lines += ["#", f"# {title} matrix:", "#", *_matrix_rows(names, matrix, width)]
    lines += ["#", "#", "# Weights used", "#", *(f"# {line}" for line in result.weights)]
    if result.contributions:
        lines += ["#", "# Mean contribution:", "#", *_rows("# ", result.contributions, 0)]
    write_text(path, "\n".join(lines) + "\n")


def _rows(prefix: str, table: Mapping[str, float | tuple[float, ...]], width: int) -> list[str]:
    rows = ((name, np.atleast_1d(np.asarray(entry, float))) for name, entry in table.items())
    return [f"{prefix}{name:<{width}}\t" + "\t".join(repr(float(x)) for x in numbers) for name, numbers in rows]


def _matrix_rows(names: list[str], matrix: np.ndarray, width: int) -> list[str]:
    cells = [[_NONE if np.isnan(x) else repr(float(x)) for x in row] for row in matrix]
    return [f"# {name:<{width}}    " + "    ".join(row) for name, row in zip(names, cells, strict=True)]


def _read_comments(path: str | Path) -> tuple[dict[str, str], dict[str, float], dict[str, list[Row]]]:
    """Header entries, figures of the fit and the rows of every block."""
    header: dict[str, str] = {}
    figures: dict[str, float] = {}
    blocks: dict[str, list[Row]] = {}
    block = ""
    for number, line in read_lines(path, "results file"):
        content = " ".join(line[1:].split()) if line.startswith("#") else ""
        if not line.startswith("#"):
            block = ""
        elif content in _TITLES:
            block = _TITLES[content]
            blocks.setdefault(block, [])
        elif not content:
            block = "" if block in ("limits", "fixed") else block  # only these two end with an empty comment
        elif block:
            blocks[block].append((number, content.split()))
        else:
            words, match = content.split(), _HEADER.fullmatch(content)
            name = words[0] if words[0] in _FIGURES and len(words) == 2 else match[1] if match else ""
            if name in header or _FIGURES.get(name) in figures:
                raise InputError(f"{path}:{number}: {shorten(name)} is given twice")
            if name in _FIGURES:
                figures[_FIGURES[name]] = _numbers(words[1:], f"{path}:{number}", "")[0]
            elif match:
                header[name] = match[2].strip()
    return header, figures, blocks


def _named_numbers(
    path: str | Path, block: str, rows: Iterable[Row], count: int, names: list[str] | None
) -> dict[str, list[float]]:
    table: dict[str, list[float]] = {}
    for number, words in rows:
        where = f"{path}:{number}"
        if len(words) != count + 1:
            raise InputError(f"{where}: expected a name and {count} numbers among the {block}")
        if words[0] in table or (names is not None and words[0] not in names):
            raise InputError(f"{where}: {shorten(words[0])} is given twice, or is no parameter of this file")
        table[words[0]] = _numbers(words[1:], where, _NONE if block in ("errors", "minos") else "")
        if block in _FAULTS and _FAULTS[block](*table[words[0]]):
            raise InputError(f"{where}: the {block} of {shorten(words[0])} have the wrong sign or order; correct them")
    return table


def _matrix(path: str | Path, name: str, blocks: dict[str, list[Row]], names: list[str]) -> np.ndarray | None:
    rows = blocks.get(name, [])
    if not rows:
        return None
    if [words[0] for _, words in rows] != names:
        raise InputError(f"{path}:{rows[0][0]}: the rows of the {name} matrix are not the parameters of this file")
    for number, words in rows:
        if len(words) != len(names) + 1:
            raise InputError(f"{path}:{number}: {len(words) - 1} numbers in a row of the {name} matrix of {len(names)}")
    matrix = np.array([_numbers(words[1:], f"{path}:{number}") for number, words in rows])
    if not np.allclose(matrix, matrix.T, rtol=_DIGITS, atol=0, equal_nan=True):
        raise InputError(f"{path}:{rows[0][0]}: the {name} matrix is not symmetric; is a number damaged?")
    return matrix


def _numbers(words: list[str], where: str, none: str = _NONE) -> list[float]:
    """The numbers of a row; nan for the word that stands for none."""
    try:
        return [np.nan if word == none else finite(word) for word in words]
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
