"""What toys say of a fit: how often intervals hold the truth, of the figures that `sbitune.fitting.checks.coverage`
gives, and how often toys are described no better than the data.
"""

from collections.abc import Mapping
from typing import Any

from sbitune.report.pieces.parts import Table, table


def coverage_in_words(figures: Mapping[str, Any]) -> str:
    """What all parameters together say, to stand behind a description of the fits."""
    return (
        f"68 % intervals hold the truth in {_percent(figures, 'coverage68')}, 95 % intervals in "
        f"{_percent(figures, 'coverage95')} of cases; (fitted - true) / error has a width of "
        f"{figures['pull_width']:.2f}. {figures['failed']} fits failed.{_at_limits(figures)}"
    )


def goodness_in_words(figures: Mapping[str, Any], thrown: str) -> str:
    """How good the fit is, by toys.

    Args:
        figures: `toys`, `p_value`, `p_error` and `asymptotic` (None if not known), see
            `sbitune.fitting.checks.goodness`.
        thrown: how these toys were made: "thrown from the model at the fit, ".
    """
    toys = f"{figures['toys']} toys {thrown}"
    if figures["p_value"] <= 1 / (figures["toys"] + 1):
        words = f"Of {toys}none is described as badly as the data are: P is below {figures['p_value']:.2g}"
    else:
        share = f"{100 * figures['p_value']:.1f} +- {100 * figures['p_error']:.1f} %"
        words = f"Of {toys}{share} are described no better than the data are"
    if figures["asymptotic"] is not None:
        words += f" (by the chi2 distribution: {figures['asymptotic']:.2g})"
    return f"{words}."


def coverage_table(figures: Mapping[str, Any]) -> Table:
    """Bias, pull width and coverage of every parameter."""
    rows = [
        (name, f"{row['bias']:+.2f} ± {row['bias_error']:.2f}",
         f"{row['pull_width']:.2f} ± {row['pull_width_error']:.2f}",
         f"{100 * row['coverage68']:.0f} %", f"{100 * row['coverage95']:.0f} %")
        for name, row in figures["parameters"].items()
    ]  # fmt: skip
    head = ["parameter", "bias / error", "pull width", "68 % intervals", "95 % intervals"]
    return table(head, rows, range(1, 5))


def _at_limits(c: Mapping[str, Any]) -> str:
    """What limits change: nothing is said where they are far."""
    if "quoted68" not in c or (c["quoted68"], c["quoted95"]) == (c["coverage68"], c["coverage95"]):
        return ""
    return (
        " That is what intervals should hold that know of the limits; those that are quoted hold the truth in "
        f"{100 * c['quoted68']:.1f} and {100 * c['quoted95']:.1f} %."
    )


def _percent(figures: Mapping[str, Any], key: str) -> str:
    return f"{100 * figures[key]:.1f} +- {100 * figures[key + '_error']:.1f} %"
