"""What the parameters do to the bins: which observable tells what about which parameter.

For a bin f_b(p) at a point p, with derivatives of the surrogate by JAX:

    logarithmic slope     S_bi = d ln f_b / d ln p_i = (p_i / f_b) df_b/dp_i       (Professor's sensitivity)
    in units of the data  D_bi = (max - min of f_b along the range of p_i) / sigma_b, all others held at p,
                          E_bi = df_b/dp_i * (fitted error of p_i) / sigma_b

S has no unit and knows no errors, so it favours bins that nobody measured well; D and E say what a fit sees. S is 0
where p_i is 0, and does not exist where the prediction is not positive.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.tuning.surrogates.protocols import Surrogate

#: points along the range of a parameter, its ends included
_STEPS = 33


class Sensitivities(NamedTuple):
    """How the bins respond at a point."""

    parameters: tuple[Parameter, ...]
    theta: np.ndarray  #: (n_parameters,) the point
    bins: Bins  #: (n_bins,)
    mean: np.ndarray  #: (n_bins,) the prediction there
    slope: np.ndarray  #: (n_bins, n_parameters) df/dp
    span: np.ndarray  #: (n_bins, n_parameters) max - min of f along the range of each parameter
    measured_error: np.ndarray | None  #: (n_bins,) NaN where a bin is not measured; None: no data given
    fitted_error: np.ndarray | None  #: (n_parameters,) of a fit; None: no fit

    @property
    def logarithmic(self) -> np.ndarray:
        """(n_bins, n_parameters) d ln f / d ln p; NaN where the prediction is not positive."""
        safe = np.where(self.mean > 0, self.mean, np.nan)[:, None]
        return self.slope * self.theta / safe

    @property
    def by_range(self) -> np.ndarray | None:
        """(n_bins, n_parameters) change over the whole range in units of the measured error."""
        return None if self.measured_error is None else self.span / self.measured_error[:, None]

    @property
    def by_fitted_error(self) -> np.ndarray | None:
        """(n_bins, n_parameters) change when a parameter moves by its fitted error, in units of the measured error."""
        if self.measured_error is None or self.fitted_error is None:
            return None
        return self.slope * self.fitted_error / self.measured_error[:, None]


def find_sensitivities(
    model: Surrogate, theta: np.ndarray, measured: Measured | None = None, fitted_error: np.ndarray | None = None
) -> Sensitivities:
    """Differentiate a surrogate.

    Args:
        model: any surrogate.
        theta: (n_parameters,) where; the middle of the box, or a tune.
        measured: its errors are the unit of changes; bins that are not in it have none.
        fitted_error: (n_parameters,) errors of a fit, 0 for fixed parameters.

    Raises:
        ComputationError: if a derivative is not finite, with the bin and the parameter.
    """
    theta = np.asarray(theta, np.float64)
    with double_precision(small=False):
        slope = np.asarray(jax.jit(jax.jacfwd(lambda at: model.predict(at).mean))(jnp.asarray(theta)))
    bad = np.argwhere(~np.isfinite(slope))
    if len(bad):
        bin_, parameter = bad[0]
        raise ComputationError(
            f"the derivative of {model.bins.take([bin_]).labels()[0]} by {model.parameters[parameter].name} is not "
            "finite; choose another point"
        )
    error = None
    if measured is not None:
        error = np.full(len(model.bins), np.nan)
        error[measured.indices] = measured.total_errors
    mean = np.asarray(model.predict_many(theta[None]).mean)[0]
    return Sensitivities(model.parameters, theta, model.bins, mean, slope, _spans(model, theta), error, fitted_error)


def _spans(model: Surrogate, theta: np.ndarray) -> np.ndarray:
    """(n_bins, n_parameters) max - min along the range of every parameter, the others at theta."""
    spans = []
    for i, p in enumerate(model.parameters):
        points = np.tile(theta, (_STEPS, 1))
        points[:, i] = np.linspace(p.low, p.high, _STEPS)
        spans.append(np.ptp(np.asarray(model.predict_many(points).mean), axis=0))
    return np.stack(spans, axis=1)


class ObservableSensitivity(NamedTuple):
    """How an observable responds to every parameter: rms over its bins."""

    path: str
    bins: int
    logarithmic: np.ndarray  #: (n_parameters,) rms of d ln f / d ln p over bins with a positive prediction
    by_range: np.ndarray | None  #: (n_parameters,) rms over measured bins; NaN where none is measured
    by_fitted_error: np.ndarray | None  #: (n_parameters,)


def sensitivities_of_observables(found: Sensitivities) -> tuple[ObservableSensitivity, ...]:
    """A row for every observable, in the order of the bins."""
    rows = []
    for path in found.bins.paths():
        mine = found.bins.of(path)
        tables = (found.logarithmic, found.by_range, found.by_fitted_error)
        first, *others = (None if table is None else _rms(table[mine]) for table in tables)
        assert first is not None
        rows.append(ObservableSensitivity(path, len(mine), first, *others))
    return tuple(rows)


def _rms(rows: np.ndarray) -> np.ndarray:
    """(n_columns,) over the rows that exist; NaN if there is none."""
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0) ** 2
    count = known.sum(axis=0)
    return np.sqrt(np.where(count > 0, total.sum(axis=0) / np.maximum(count, 1), np.nan))


def columns_of(found: Sensitivities) -> dict[str, np.ndarray]:
    """What a table of the bins shows: name of the column -> (n_bins,)."""
    columns = {"prediction": found.mean}
    tables = {"dlnf/dlnp": found.logarithmic, "range/error": found.by_range, "fit/error": found.by_fitted_error}
    for what, table in tables.items():
        if table is not None:
            columns |= {f"{what} {p.name}": table[:, i] for i, p in enumerate(found.parameters)}
    return columns
