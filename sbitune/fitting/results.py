"""What a fit gives."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sbitune.data.parameter import Parameter


@dataclass(frozen=True, eq=False)
class Start:
    """Where one start of the minimiser ended."""

    theta: np.ndarray  #: (n_parameters,)
    value: float  #: of what was minimised from there: chi2 with V held, or -2 log L
    valid: bool


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum that is not the lowest."""

    theta: np.ndarray  #: (n_parameters,)
    above: float  #: by how much the objective is higher there than at the lowest


@dataclass(frozen=True, eq=False)
class ObservableChi2:
    """How well one observable is described."""

    path: str
    chi2: float  #: with unit weights; with correlated sources it may be negative, as terms are shared
    bins: int
    weight: float  #: mean weight of its bins


#: one number for an error says too little if an end of the interval is off it by more than this part
_LOPSIDED = 0.25


def is_lopsided(error: float, interval: tuple[float, float]) -> bool:
    """Whether an interval (lower < 0, upper > 0) must be quoted beside the error, as one number does not tell it."""
    return max(abs(abs(end) - error) for end in interval) > _LOPSIDED * error


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """Fitted parameters with their errors (see `errors` for what they contain)."""

    parameters: tuple[Parameter, ...]
    values: np.ndarray  #: (n_parameters,) in the model's units
    covariance: np.ndarray  #: (n_parameters, n_parameters); rows of fixed parameters are zero
    minos: dict[str, tuple[float, float]]  #: name -> (lower < 0, upper > 0); empty if not asked for
    minimum: float  #: of the objective: -2 log L, or a chi2
    free: tuple[str, ...]
    at_limit: tuple[str, ...]  #: parameters within 1 % of the end of their range
    starts: tuple[Start, ...]
    edm: float
    calls: int
    hesse_difference: float  #: largest relative difference between HESSE's errors and those of the exact Hessian
    status: str = "converged"
    notes: tuple[str, ...] = field(default=())
    others: tuple[Minimum, ...] = ()  #: lowest first

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names."""
        return tuple(p.name for p in self.parameters)

    @property
    def errors(self) -> np.ndarray:
        """(n_parameters,) symmetric errors; 0 for fixed parameters."""
        return np.sqrt(np.diag(self.covariance))

    def status_of(self, name: str) -> Literal["free", "fixed", "at limit"]:
        """What became of a parameter."""
        return "fixed" if name not in self.free else "at limit" if name in self.at_limit else "free"

    def _is_one_sided(self, name: str) -> bool:
        """Whether a parameter is at the end of its range, with an interval that says how far into it."""
        return name in self.at_limit and name in self.minos

    @property
    def quoted_errors(self) -> np.ndarray:
        """(n_parameters,) the same with, for a parameter at the end of its range, how far into it the interval goes."""
        errors = self.errors
        for i, name in enumerate(self.names):
            if self._is_one_sided(name):
                errors[i] = max(-self.minos[name][0], self.minos[name][1])
        return errors

    @property
    def correlation(self) -> np.ndarray:
        """(n_parameters, n_parameters) correlation matrix; 0 for fixed parameters beside their 1 on the diagonal."""
        errors = np.where(self.errors > 0, self.errors, 1.0)
        matrix = self.covariance / np.outer(errors, errors)
        np.fill_diagonal(matrix, 1.0)
        return matrix

    def __str__(self) -> str:
        """Table of the parameters, as a terminal shows it."""
        width = max(len(name) for name in self.names)
        lines = [f"{self._headline()} ({self.status})"]
        for name, value, error in zip(self.names, self.values, self.quoted_errors, strict=True):
            quoted = f"+- {error:.4g}" if name in self.free else "(fixed)"
            if self._is_one_sided(name) or (name in self.minos and is_lopsided(error, self.minos[name])):
                ends = f"{self.minos[name][0]:+.4g} {self.minos[name][1]:+.4g}"
                quoted = ends if self._is_one_sided(name) else f"{quoted} ({ends})"
            edge = "  at its limit" if name in self.at_limit else ""
            lines.append(f"{name:<{width}}  {value:>10.5g} {quoted}{edge}")
        return "\n".join(lines)

    def _headline(self) -> str:
        return f"minimum {self.minimum:.2f}"


@dataclass(frozen=True, eq=False, kw_only=True)
class BinnedFit(Fit):
    """A fit of bins, with how well they are described."""

    chi2: float  #: at the minimum, weights squared
    chi2_unit: float  #: the same with unit weights
    ndf: int  #: bins - free parameters
    observables: tuple[ObservableChi2, ...]

    def _headline(self) -> str:
        return f"chi2 = {self.chi2:.2f} for {self.ndf} degrees of freedom"
