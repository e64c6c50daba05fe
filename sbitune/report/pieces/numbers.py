"""Numbers as pages show them."""

import numpy as np


def decimal(value: float) -> str:
    """A chi2 with one decimal.

    >>> decimal(-0.01), decimal(12.34)
    ('0.0', '12.3')
    """
    return f"{round(value, 1) + 0.0:.1f}"  # adding 0 makes 0 of -0


def rounded(value: float, error: float) -> str:
    """A value with the digits that its error justifies.

    >>> rounded(0.123456, 0.012), rounded(0.123456, 0.0)
    ('0.123', '0.123456')
    """
    if error <= 0:
        return f"{value:.6g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    text = f"{value:.{min(digits, 8)}f}"
    return text if float(text) != 0 or value == 0 else f"{value:.2g}"


def with_error(value: float, error: float) -> str:
    """A value and its error, if it has one.

    >>> with_error(0.123456, 0.012), with_error(1.0, 0.0)
    ('0.12346 ± 0.012', '1')
    """
    return f"{value:.5g} ± {error:.2g}" if error > 0 else f"{value:.5g}"
