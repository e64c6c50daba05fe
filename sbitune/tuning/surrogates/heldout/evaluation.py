"""How well a surrogate predicts runs that it has not seen."""

from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.protocols import BinnedModel
from sbitune.tuning.surrogates.protocols import Surrogate


class Evaluation(NamedTuple):
    """Pulls of a surrogate on held-out runs. Where a run quotes no Monte Carlo error there is no pull."""

    rms_pull: float  #: rms of (prediction - MC) / MC error over runs and bins: 1 for a perfect surrogate
    pull_width: float  #: the same with the surrogate's own error in quadrature: 1 if its errors are true
    rms_pull_of_bin: np.ndarray  #: (n_bins,) rms over the runs, NaN for a bin without any pull
    pull_width_of_bin: np.ndarray  #: (n_bins,)
    relative_error: float  #: median of |prediction / MC - 1| where MC is not 0
    n_pulls: int  #: runs x bins that enter
    n_excluded: int  #: runs x bins left out since their Monte Carlo error is 0


def evaluate(surrogate: Surrogate, holdout: Scan) -> Evaluation:
    """Compare predictions with held-out runs. Raises `InputError` if parameters or bins are not the same."""
    check_comparable(surrogate, holdout)
    mean, error = surrogate.predict_many(holdout.theta)
    has_error = holdout.errors > 0
    if not has_error.any():
        raise InputError("no bin of the held-out runs has a Monte Carlo error: there is nothing to compare with")
    noise = np.where(has_error, holdout.errors, np.nan)
    difference = mean - holdout.values
    pulls, full_pulls = difference / noise, difference / np.hypot(noise, error)
    filled = holdout.values != 0
    return Evaluation(
        rms_pull=float(np.sqrt(np.nanmean(pulls**2))),
        pull_width=float(np.sqrt(np.nanmean(full_pulls**2))),
        rms_pull_of_bin=_rms_of_bin(pulls),
        pull_width_of_bin=_rms_of_bin(full_pulls),
        relative_error=float(np.median(np.abs(difference[filled] / holdout.values[filled]))),
        n_pulls=int(has_error.sum()),
        n_excluded=int((~has_error).sum()),
    )


def check_comparable(surrogate: BinnedModel, scan: Scan) -> None:
    """Raise `InputError` unless the surrogate has the parameters and the bins of the scan, in its order."""
    ours, theirs = ([p.name for p in item.parameters] for item in (surrogate, scan))
    if ours != theirs:
        raise InputError(f"the surrogate has the parameters {', '.join(ours)}, the scan {', '.join(theirs)}")
    if len(surrogate.bins) != len(scan.bins):
        raise InputError(f"the surrogate has {len(surrogate.bins)} bins, the scan {len(scan.bins)}")
    different = scan.bins.take(~surrogate.bins.matches(scan.bins))
    if len(different):
        raise InputError(f"the scan's bin {different.labels()[0]} is another one in the surrogate")


def _rms_of_bin(pulls: np.ndarray) -> np.ndarray:
    counted = np.isfinite(pulls).sum(axis=0)
    mean_square = np.nansum(pulls**2, axis=0) / np.maximum(counted, 1)
    return np.sqrt(np.where(counted > 0, mean_square, np.nan))
