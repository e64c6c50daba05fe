"""Numbers as pages show them."""


def decimal(value: float) -> str:
    """A chi2 with one decimal.

    >>> decimal(-0.01), decimal(12.34)
    ('0.0', '12.3')
    """
    return f"{round(value, 1) + 0.0:.1f}"  # adding 0 makes 0 of -0
