"""Outputs that a surrogate learns independently of each other: what is known of how well they are known.

An output is a bin or a component; errors of two points of one output move together, those of two outputs do not. With
the noise of a run this tells what one more run would teach (see `teaching`).
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.regression.outputs import make_targets


@runtime_checkable
class Explained(Protocol):
    """A surrogate that knows how its errors at different points move together."""

    @property
    def bins(self) -> Bins:
        """(n_bins,) or the components in their place."""
        ...

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        ...

    @property
    def unexplained(self) -> np.ndarray:
        """(n_bins,) variance of what no run lowers, on the fitted scale."""
        ...

    def covariance_of_points(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(n_bins, n_a, n_b) of what is learnt, between points (n_a, n_parameters) and (n_b, n_parameters)."""
        ...


class Outputs(NamedTuple):
    """Quantities that a surrogate learns independently of each other."""

    inner: Any  #: what predicts them, an `Explained`
    rows: np.ndarray  #: (n_outputs, n_bins) how much they move every bin, on the fitted scale
    noise: np.ndarray  #: (n_outputs,) variance of a run's value around the prediction, typical of the scan's runs
    columns: np.ndarray | slice = slice(None)  #: which parameters they know

    def covariance(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(n_outputs, n_a, n_b) K between points (n_a, n_parameters) and (n_b, n_parameters)."""
        return self.inner.covariance_of_points(a[:, self.columns], b[:, self.columns])


def outputs_of(inner: Explained, rows: np.ndarray, noise: np.ndarray) -> Outputs:
    """Add what an output scatters by beyond its Monte Carlo noise: a new run will scatter as the old ones did."""
    return Outputs(inner, rows, noise + inner.unexplained)


def every_bin(surrogate: Explained, scan: Scan) -> Outputs:
    """The bins of a surrogate that learnt them from a scan one by one, which are taken to be independent."""
    noise = np.mean(make_targets(scan, "log" if surrogate.log.any() else "linear").errors ** 2, axis=0)
    return outputs_of(surrogate, np.eye(len(surrogate.bins)), noise)


@runtime_checkable
class Taught(Protocol):
    """A surrogate that knows of its outputs."""

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        ...

    def independent_outputs(self, scan: Scan) -> tuple[Outputs, ...]:
        """What it learnt from a scan; none if a run's effect on it cannot be foretold."""
        ...
