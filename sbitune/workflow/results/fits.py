"""Fits as results keep them, whatever the family: rows of parameters, and minima that are not the fit."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.results import Fit, Minimum


class MinimumRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A minimum that is not the fit."""

    theta: list[float]
    above: float
    """By how much the objective, chi2 or -2 log L, is higher than at the fit."""


class ParameterRow(Protocol):
    """What the record of a fitted parameter tells of the fit."""

    @property
    def value(self) -> float:
        """Fitted."""
        ...

    @property
    def minos(self) -> tuple[float, float] | None:
        """Lower (negative) and upper error, None if there is none."""
        ...

    @property
    def status(self) -> str:
        """As `Fit.status_of` has it."""
        ...


def record_minima(fit: Fit) -> list[MinimumRecord]:
    """Write down the minima that are not the fit."""
    return [MinimumRecord(m.theta.tolist(), float(m.above)) for m in fit.others]


def fit_fields(
    parameters: tuple[Parameter, ...],
    rows: Mapping[str, ParameterRow],
    covariance: Sequence[Sequence[float]],
    others: Sequence[MinimumRecord],
    of: str,
) -> dict[str, Any]:
    """Fields of the `Fit` that was written down; what the minimiser said of its work is not kept.

    Raises `InputError` if the parameters, which are those `of` something, are others than the rows'.
    """
    if [p.name for p in parameters] != list(rows):
        raise InputError(f"the result and the {of} have different parameters; fit again")
    return {
        "parameters": parameters,
        "values": np.array([row.value for row in rows.values()]),
        "covariance": np.array(covariance),
        "minos": {name: row.minos for name, row in rows.items() if row.minos is not None},
        "free": tuple(name for name, row in rows.items() if row.status != "fixed"),
        "at_limit": tuple(name for name, row in rows.items() if row.status == "at limit"),
        "others": tuple(Minimum(np.array(m.theta), m.above) for m in others),
        "edm": np.nan,
        "calls": 0,
    }
