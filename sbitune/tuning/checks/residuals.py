"""The surrogate against Monte Carlo runs: pulls of every run and bin, and where it is worst: `prof2-residuals`.

pull = (prediction - run) / error, with the Monte Carlo error of the run alone, or with the surrogate's own in
quadrature. Runs that the surrogate learnt from are described too well; hold some out.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.protocols import Surrogate


class Residuals(NamedTuple):
    """Pulls of a surrogate on runs."""

    bins: Bins  #: (n_bins,)
    runs: tuple[str, ...]  #: (n_runs,)
    pulls: np.ndarray  #: (n_runs, n_bins) with the Monte Carlo error; NaN where a run quotes none
    full_pulls: np.ndarray  #: (n_runs, n_bins) with the surrogate's error, too
    outside: tuple[str, ...]  #: runs outside the box of the surrogate, where it extrapolates
    left_out: tuple[str, ...]  #: bins that are not in both

    @property
    def without_error(self) -> int:
        """Runs x bins without a Monte Carlo error, hence without a pull."""
        return int(np.isnan(self.pulls).sum())


class Group(NamedTuple):
    """Pulls of a run, an observable or all."""

    name: str
    pulls: int  #: how many
    rms_pull: float  #: with the Monte Carlo error: 1 if the surrogate were perfect
    pull_width: float  #: rms with the surrogate's error, too: 1 if its errors are true
    bias: float  #: mean pull with all errors


class Worst(NamedTuple):
    """One bin of one run."""

    run: str
    bin: str
    pull: float  #: with all errors


def find_residuals(surrogate: Surrogate, scan: Scan) -> Residuals:
    """Compare a surrogate with runs; parameters are matched by name, bins by path and edges.

    Raises:
        InputError: if the scan lacks a parameter of the surrogate, no bin is in both, or no run quotes an error.
    """
    theta = _theta_for(surrogate, scan)
    place = surrogate.bins.locate(scan.bins)
    both = np.flatnonzero(place >= 0)
    if not len(both):
        raise InputError(f"the surrogate has no bin of the scan, which begins with {scan.bins.labels()[0]}")
    rest = np.setdiff1d(np.arange(len(surrogate.bins)), place)
    left_out = [*scan.bins.take(np.flatnonzero(place < 0)).labels(), *surrogate.bins.take(rest).labels()]
    mean, error = (np.asarray(part)[:, place[both]] for part in surrogate.predict_many(theta))
    noise = np.where(scan.errors[:, both] > 0, scan.errors[:, both], np.nan)
    if np.isnan(noise).all():
        raise InputError("no bin of these runs has a Monte Carlo error: there is nothing to compare with")
    difference = mean - scan.values[:, both]
    low, high = np.array([(p.low, p.high) for p in surrogate.parameters]).T
    outside = ((theta < low) | (theta > high)).any(axis=1)
    return Residuals(
        bins=scan.bins.take(both),
        runs=scan.runs,
        pulls=difference / noise,
        full_pulls=difference / np.hypot(noise, error),
        outside=tuple(run for run, out in zip(scan.runs, outside, strict=True) if out),
        left_out=tuple(left_out),
    )


def _theta_for(surrogate: Surrogate, scan: Scan) -> np.ndarray:
    names = [p.name for p in scan.parameters]
    missing = [p.name for p in surrogate.parameters if p.name not in names]
    if missing:
        raise InputError(f"the surrogate's parameter {missing[0]} is not one of the scan, which has {', '.join(names)}")
    return scan.theta[:, [names.index(p.name) for p in surrogate.parameters]]


def overall(found: Residuals) -> Group:
    """All pulls together."""
    return _group("all", found, np.s_[:, :])


def by_observable(found: Residuals) -> tuple[Group, ...]:
    """A row for every observable, in the order of the bins."""
    return tuple(_group(path, found, np.s_[:, found.bins.of(path)]) for path in found.bins.paths())


def by_run(found: Residuals) -> tuple[Group, ...]:
    """A row for every run, in the order of the scan."""
    return tuple(_group(run, found, np.s_[i : i + 1, :]) for i, run in enumerate(found.runs))


def worst(found: Residuals, most: int = 10) -> tuple[Worst, ...]:
    """The bins and runs with the greatest pulls, all errors included."""
    size = np.where(np.isnan(found.full_pulls), -1.0, np.abs(found.full_pulls))
    order = np.argsort(size, axis=None)[::-1][:most]
    labels = found.bins.labels()
    rows = ((int(run), int(bin_)) for run, bin_ in zip(*np.unravel_index(order, size.shape), strict=True))
    return tuple(Worst(found.runs[r], labels[b], float(found.full_pulls[r, b])) for r, b in rows if size[r, b] >= 0)


def columns_of(found: Residuals) -> dict[str, np.ndarray]:
    """What a table of the bins shows: name of the column -> (n_bins,)."""
    groups = [_group("", found, np.s_[:, i : i + 1]) for i in range(len(found.bins))]
    return {
        name: np.array([getattr(group, name) for group in groups], float)
        for name in ("pulls", "rms_pull", "pull_width", "bias")
    }


def _group(name: str, found: Residuals, chosen: tuple) -> Group:
    pulls, full = found.pulls[chosen], found.full_pulls[chosen]
    known = ~np.isnan(pulls)
    n = int(known.sum())
    if not n:
        return Group(name, 0, np.nan, np.nan, np.nan)
    return Group(
        name=name,
        pulls=n,
        rms_pull=float(np.sqrt(np.mean(pulls[known] ** 2))),
        pull_width=float(np.sqrt(np.mean(full[known] ** 2))),
        bias=float(np.mean(full[known])),
    )
