"""The posterior in numbers, and beside the direct fit."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.results import BinnedFit

#: probabilities of the quantiles: the median, and the ends of central intervals of 68 and 95 %
PROBABILITIES = (0.025, 0.16, 0.5, 0.84, 0.975)
#: members whose means differ by more than this part of the posterior's width are noted
_DISAGREE = 0.5


@dataclass(frozen=True, eq=False)
class InverseSummary:
    """The posterior of the parameters, in the generator's units."""

    parameters: tuple[Parameter, ...]
    mean: np.ndarray  #: (n_parameters,)
    covariance: np.ndarray  #: (n_parameters, n_parameters)
    quantiles: np.ndarray  #: (5, n_parameters) at `PROBABILITIES`
    disagreement: np.ndarray  #: (n_parameters,) scatter of the members' means, in units of the posterior's width
    draws: np.ndarray  #: (n, n_parameters) from the posterior
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names."""
        return tuple(p.name for p in self.parameters)

    @property
    def errors(self) -> np.ndarray:
        """(n_parameters,) standard deviations."""
        return np.sqrt(np.diag(self.covariance))

    def __str__(self) -> str:
        """Notes, then a table of the parameters, as a terminal shows it."""
        width = max(len(name) for name in self.names)
        lines = [*self.notes, f"{'':<{width}}  {'mean':>10} {'error':>10}   68 % interval"]
        for i, name in enumerate(self.names):
            low, high = self.quantiles[[1, 3], i]
            lines.append(f"{name:<{width}}  {self.mean[i]:>10.5g} {self.errors[i]:>10.4g}   [{low:.5g}, {high:.5g}]")
        return "\n".join(lines)


class Comparison(NamedTuple):
    """Posterior minus direct fit, for the parameters that are free in the fit."""

    names: tuple[str, ...]  #: (n,) free parameters
    difference: np.ndarray  #: (n,) posterior mean - fitted value, in units of the fit's error; NaN if it has none
    difference_of_width: np.ndarray  #: (n,) the same in units of the posterior's standard deviation
    width: np.ndarray  #: (n,) posterior's standard deviation / the fit's error; NaN if it has none
    quantile: np.ndarray  #: (n,) part of the posterior below the fitted value
    fixed: tuple[str, ...]  #: parameters that the fit holds fixed, and the posterior does not: not compared
    at_limit: tuple[str, ...]  #: compared, but the fit's symmetric error means little there, or there is none

    def __str__(self) -> str:
        """Table of the differences."""
        size = max(len(name) for name in self.names)
        lines = [f"{'':<{size}}  posterior - fit (fit's errors)  (posterior's errors)  width (fit's errors)"]
        for i, name in enumerate(self.names):
            row = (self.difference[i], self.difference_of_width[i], self.width[i])
            shown = ["-" if np.isnan(number) else f"{number:.2f}" for number in row]
            edge = "  fit at its limit" if name in self.at_limit else ""
            lines.append(f"{name:<{size}}  {shown[0]:>30}  {shown[1]:>20}  {shown[2]:>20}{edge}")
        return "\n".join(lines)


def summarise(parameters: tuple[Parameter, ...], draws: np.ndarray, notes: tuple[str, ...]) -> InverseSummary:
    """Summarise draws (n_members, n_draws, n_parameters) of the members of an ensemble."""
    every = draws.reshape(-1, draws.shape[-1])
    covariance = np.cov(every, rowvar=False).reshape(draws.shape[-1], draws.shape[-1])
    spread = draws.mean(axis=1).std(axis=0, ddof=1) / np.sqrt(np.diag(covariance))
    torn = [f"{p.name} ({s:.1f})" for p, s in zip(parameters, spread, strict=True) if s > _DISAGREE]
    if torn:
        notes = (
            *notes,
            f"members of the ensemble disagree about {', '.join(torn)} (scatter of their means in posterior widths): "
            "more runs, more points or more steps are needed, or the data are unusual",
        )
    return InverseSummary(
        parameters, every.mean(axis=0), covariance, np.quantile(every, PROBABILITIES, axis=0), spread, every, notes
    )


def compare(summary: InverseSummary, tune: BinnedFit) -> Comparison:
    """Compare the posterior with the direct fit of the same data.

    Both use the same data, so differences should be small against the errors; they grow where chi2 is not a parabola
    inside the box (limits, several minima), where weights are not 1, and where the data are outside of the scan.

    Raises:
        InputError: the parameters are not the same, or all are fixed.
    """
    if summary.names != tune.names:
        raise InputError(
            f"the posterior has the parameters {', '.join(summary.names)}, the fit {', '.join(tune.names)}"
        )
    free = np.array([name in tune.free for name in tune.names])
    if not free.any():
        raise InputError("the fit has no free parameter: nothing to compare")
    difference = (summary.mean - tune.values)[free]
    errors = np.where(tune.errors > 0, tune.errors, np.nan)[free]  # a parameter that is held at its limit has none
    return Comparison(
        names=tuple(name for name, is_free in zip(tune.names, free, strict=True) if is_free),
        difference=difference / errors,
        difference_of_width=difference / summary.errors[free],
        width=summary.errors[free] / errors,
        quantile=np.mean(summary.draws < tune.values, axis=0)[free],
        fixed=tuple(name for name, is_free in zip(tune.names, free, strict=True) if not is_free),
        at_limit=tune.at_limit,
    )
