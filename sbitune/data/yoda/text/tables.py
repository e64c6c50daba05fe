"""Numbers to text, a whole table at once."""

from collections.abc import Sequence

import numpy as np

#: significant digits that the YODA libraries write
DIGITS = 7


class Numbers:
    """How numbers are written: with so many significant digits, in columns of one width for YODA 2."""

    def __init__(self, digits: int = DIGITS):
        self.plain = f"%.{digits - 1}e"
        self.width = digits + 6
        self.padded = f"%-{self.width}.{digits - 1}e"

    def one(self, value: float) -> str:
        """A single number."""
        return self.plain % value

    def mean(self, sumw: float, sums: np.ndarray) -> str:
        """Mean in every coordinate, from the sum of weights and the first moments (n_axes,)."""
        with np.errstate(all="ignore"):
            means = [self.one(value) for value in sums / sumw]
        return means[0] if len(means) == 1 else f"({', '.join(means)})"

    def rows(self, table: np.ndarray, first: str = "") -> str:
        """Lines of tab-separated numbers (YODA 1), each behind the word `first`."""
        return _filled(first + "\t".join([self.plain] * table.shape[1]) + "\n", table)

    def padded_rows(self, table: np.ndarray) -> str:
        """Lines of padded, tab-separated numbers (YODA 2), the last without padding."""
        formats = [self.padded] * (table.shape[1] - 1) + [self.plain]
        return _filled("\t".join(formats) + "\n", table)

    def cell(self, word: str) -> str:
        """A word padded to the width of a column."""
        return word.ljust(self.width)

    def heading(self, names: Sequence[str]) -> str:
        """The comment line with column names above padded rows."""
        return "\t".join(self.cell(name) for name in [f"# {names[0]}", *names[1:]]).rstrip() + "\n"


def _filled(line: str, table: np.ndarray) -> str:
    return (line * len(table)) % tuple(table.ravel().tolist())
