"""Are the data inside what the scan can produce? An inverse model extrapolates outside without knowing.

Three looks at the measured bins:

* the Mahalanobis distance of the compressed bins from the cloud of simulated measurements;
* the length of the remainder, which the compression does not see: differences that no direction of the scan makes;
* bin by bin, whether any run reaches the measured value.

The first two are compared with simulated measurements that were not used in training. The smaller of their two
p-values, times two, is the p-value; it cannot be below 2/(n + 1) for n measurements.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.tuning.inverse.compression import Compression

#: p-values below this are a note at the top of the result
ALARMING = 1e-3


class Outside(NamedTuple):
    """A bin whose measured value no run reaches."""

    label: str
    value: float  #: measured
    low: float  #: smallest content in all runs
    high: float  #: largest
    distance: float  #: from the nearest run, in measured errors


class Inside(NamedTuple):
    """Whether a measurement looks like those that the model was trained on."""

    distance: float  #: Mahalanobis distance of the compressed bins from the cloud
    usual_distance: float  #: its median over simulated measurements
    p_distance: float  #: part of simulated measurements that are as far out
    remainder: float  #: squared length of what the compression does not see, in units of the noise
    usual_remainder: float  #: its median over simulated measurements
    p_remainder: float  #: part of simulated measurements that have as much
    p_value: float  #: of both together
    n: int  #: simulated measurements
    outside: tuple[Outside, ...]  #: the worst first

    def notes(self) -> tuple[str, ...]:
        """Say what a reader must know; empty if there is nothing."""
        said = []
        if self.p_value < ALARMING:
            said.append(
                "the data are NOT like anything that the scan produces "
                f"(p = {self.p_value:.2g}; {self.n} simulated measurements can show {2 / (self.n + 1):.2g} at least; "
                f"distance {self.distance:.1f}, usual is {self.usual_distance:.1f}; remainder {self.remainder:.0f}, "
                f"usual is {self.usual_remainder:.0f}): the inverse model extrapolates and its errors mean little; "
                "prefer the direct fit, leave out what the generator cannot describe, or widen the box"
            )
        far = [bin_ for bin_ in self.outside if bin_.distance > 1]
        if far:
            named = ", ".join(f"{bin_.label} ({bin_.distance:.1f} errors)" for bin_ in far[:5])
            more = f" and {len(far) - 5} more" if len(far) > 5 else ""
            said.append(f"no run reaches the measured value of {named}{more}")
        return tuple(said)


class Cloud(NamedTuple):
    """Simulated measurements with which others are compared."""

    mean: np.ndarray  #: (k,) of the compressed bins
    inverse: np.ndarray  #: (k, k) of their covariance
    distances: np.ndarray  #: (n,) of measurements that did not make mean and inverse, sorted
    remainders: np.ndarray  #: (n,) likewise


def make_cloud(compression: Compression, trained: np.ndarray, held: np.ndarray) -> Cloud:
    """Describe the cloud of compressed training measurements (n, k), and held-out ones (m, n_bins) in it."""
    mean = trained.mean(axis=0)
    inverse = np.linalg.inv(np.cov(trained, rowvar=False).reshape(len(mean), len(mean)))
    distances = _distance(compression.apply(held) - mean, inverse)
    return Cloud(mean, inverse, np.sort(distances), np.sort(compression.remainder(held)))


def look_inside(
    cloud: Cloud, compression: Compression, values: np.ndarray, reached: np.ndarray, errors: np.ndarray, bins: Bins
) -> Inside:
    """Compare a measurement with the cloud and with what the runs reach.

    Args:
        cloud: from `make_cloud`.
        compression: as trained.
        values: (n_bins,) measured.
        reached: (2, n_bins) smallest and largest content in all runs.
        errors: (n_bins,) total measured errors.
        bins: (n_bins,) their names.
    """
    distance = float(_distance(compression.apply(values) - cloud.mean, cloud.inverse))
    remainder = float(compression.remainder(values))
    p = [_p_value(*pair) for pair in ((cloud.distances, distance), (cloud.remainders, remainder))]
    if len(bins) == compression.directions.shape[1]:
        p[1] = 1.0  # the compression sees everything: the remainder is rounding
    return Inside(
        distance=distance,
        usual_distance=float(np.median(cloud.distances)),
        p_distance=p[0],
        remainder=remainder,
        usual_remainder=float(np.median(cloud.remainders)),
        p_remainder=p[1],
        p_value=min(1.0, 2 * min(p)),
        n=len(cloud.distances),
        outside=_outside(values, reached, errors, bins),
    )


def _distance(difference: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("...i,ij,...j->...", difference, inverse, difference))


def _p_value(ordered: np.ndarray, value: float) -> float:
    return float(1 + len(ordered) - np.searchsorted(ordered, value)) / (len(ordered) + 1)


def _outside(values: np.ndarray, reached: np.ndarray, errors: np.ndarray, bins: Bins) -> tuple[Outside, ...]:
    low, high = reached
    distance = np.maximum(low - values, values - high) / errors
    chosen = np.flatnonzero(distance > 0)
    chosen = chosen[np.argsort(-distance[chosen])]
    labels = bins.take(chosen).labels()
    return tuple(
        Outside(label, float(values[i]), float(low[i]), float(high[i]), float(distance[i]))
        for label, i in zip(labels, chosen, strict=True)
    )
