"""Bringing measured bins and the generator's bins together, with nothing dropped in silence."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.error_sources import Decision
from sbitune.data.errors import InputError
from sbitune.data.formats.selection import Rule, extra_errors_of, weights_of
from sbitune.data.reference import Reference, as_measured
from sbitune.data.scan import Scan, beyond
from sbitune.fitting.likelihood.measured import Measured


class Excluded(NamedTuple):
    """A selected bin that cannot enter the fit."""

    label: str
    reason: str


class SourceUse(NamedTuple):
    """What an error source is taken for in some observables."""

    label: str
    decision: Decision
    observables: int  #: in how many


class Matched(NamedTuple):
    """What enters the fit, and what does not and why."""

    measured: Measured
    excluded: tuple[Excluded, ...]
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of Monte Carlo errors in the measured bins, if known
    notes: tuple[str, ...] = ()  #: what was done about data that do not fit together
    scaling: np.ndarray | float = 1.0  #: (n_bins,) what Monte Carlo errors that a run quotes are multiplied by
    sources: tuple["SourceUse", ...] = ()  #: what error sources of the data are taken for

    def take(self, rows: np.ndarray) -> "Matched":
        """The same with these of the measured bins alone."""
        m = self.measured
        noise = np.broadcast_to(m.noise, m.errors.shape)[rows]
        arrays = (
            m.indices[rows],
            m.bins.take(rows),
            m.values[rows],
            m.errors[rows],
            m.shifts[:, rows],
            m.weights[rows],
        )
        correlation = None if self.correlation is None else self.correlation[np.ix_(rows, rows)]
        scaling = self.scaling if np.ndim(self.scaling) == 0 else np.asarray(self.scaling)[rows]
        return self._replace(measured=Measured(*arrays, noise, m.names), correlation=correlation, scaling=scaling)


def match(
    scan: Scan, reference: Reference, rules: Sequence[Rule], correlations: bool = True, strict: bool = True
) -> Matched:
    """Find the measured value of every selected bin of a scan.

    With `strict` off a rule may select nothing (its bins may have been left out as not finite). Bins without a measured
    value or error, and bins that stay empty in every run, are excluded with the reason. Extra errors of the rules
    (Professor 1's `extraerr`) are added to those of the data in quadrature, independent from bin to bin.

    Raises:
        InputError: if a selected histogram has no reference, or the reference has other bins.
    """
    weights = weights_of(scan.bins, rules, strict)
    chosen = np.flatnonzero(weights > 0)
    found = locate(scan.bins.take(chosen), reference)
    extra = extra_errors_of(scan.bins.take(chosen), rules, reference.values[found])
    reasons = _reasons(scan, chosen, reference, found, extra)
    for i in np.flatnonzero(found < 0):
        reasons[i] = f"the reference has no value {scan.bins.name[chosen[i]][:60]!r} on its axis"
    keep = np.array([reason == "" for reason in reasons], bool)
    labels = scan.bins.take(chosen).labels()
    excluded = tuple(Excluded(label, reason) for label, reason in zip(labels, reasons, strict=True) if reason)
    if not keep.any():
        raise InputError(f"no bin is left to fit; the first, {excluded[0].label}, was left out: {excluded[0].reason}")
    mine = reference.take(found[keep])
    shifts = mine.correlated() if correlations else {}
    matrix = np.array(list(shifts.values())).reshape(len(shifts), len(mine.values))
    independent = np.maximum(mine.errors**2 - (matrix**2).sum(0), 1e-6 * mine.errors**2) + extra[keep] ** 2
    measured = Measured(
        indices=chosen[keep],
        bins=scan.bins.take(chosen[keep]),
        values=mine.values,
        errors=np.sqrt(independent),
        shifts=matrix,
        weights=weights[chosen[keep]],
        names=tuple(shifts),
    )
    notes = [
        f"{path}: its error sources exceed the total error; the total is used, without correlations"
        for path in (mine.inconsistent() if correlations else [])
    ]
    if mine.negative is not None and mine.negative.any():
        some = measured.bins.take(mine.negative).labels()
        notes.append(f"the reference has negative errors, whose magnitude is taken: {', '.join(some)}")
    if np.any(extra[keep]):
        notes.append(f"extra errors of the weight file are added to those of {np.count_nonzero(extra[keep])} bins")
    matrix = None
    if correlations and scan.correlation is not None:
        matrix = scan.correlation[np.ix_(measured.indices, measured.indices)]
    small = int(np.sum(measured.errors < 0.05 * mine.errors))
    if small:
        notes.append(
            f"in {small} bins nearly all of the error is of sources that move the bins of an observable together; if "
            "they do not in truth, say so in the card (`reference: [{file: ..., independent: [LABEL]}]`)"
        )
    scaling = 1.0 if scan.scaling is None else scan.scaling[measured.indices]
    return Matched(measured, excluded, matrix, tuple(notes), scaling, _sources(mine, correlations))


#: error sources that a line names, at most
_SHOWN = 8
#: what every source is taken for where a fit knows no correlations
_WITHOUT = Decision(True, "fit.correlations is false")


def _sources(reference: Reference, correlations: bool) -> tuple[SourceUse, ...]:
    """What the error sources of the data are taken for, and from what, in the order of the reference."""
    taken = Counter(
        (label, decision if correlations else _WITHOUT)
        for labels in reference.decisions().values()
        for label, decision in labels.items()
    )
    return tuple(SourceUse(label, decision, n) for (label, decision), n in taken.items())


def describe_sources(sources: Sequence[SourceUse]) -> list[str]:
    """What error sources are taken for, in a line for those of either kind."""
    said = []
    for independent, words in ((True, "independent from bin to bin"), (False, "shared by all bins of an observable")):
        labels = list(dict.fromkeys(use.label for use in sources if use.decision.independent == independent))
        more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
        if labels:
            said.append(
                f"error sources taken to be {words}: {', '.join(label[:60] for label in labels[:_SHOWN])}{more}"
            )
    return said or ["the data name no error sources: their errors are taken to be independent from bin to bin"]


def locate(bins: Bins, reference: Reference) -> np.ndarray:
    """(n_bins,) where each bin is in the reference, -1 for a value of a discrete axis that it lacks.

    Raises `InputError` naming a histogram or bin that is not there.
    """
    keyed = as_measured(bins)
    found = reference.bins.locate(keyed)
    named = {path for path in reference.bins.paths() if np.any(reference.bins.name[reference.bins.of(path)] != "")}
    lacking = np.array([path in named for path in keyed.path], bool) & (bins.name != "")  # left out, with a word
    missing = np.flatnonzero((found < 0) & ~lacking)
    if len(missing):
        key, label = str(keyed.path[missing[0]]), bins.take(missing[:1]).labels()[0]
        if len(reference.bins.of(key)) == 0:
            raise InputError(f"observable {key}: the reference has no such histogram; add its YODA file to `reference`")
        raise InputError(
            f"observable {label}: the reference has no bin [{bins.low[missing[0]]:g}, {bins.high[missing[0]]:g}]; "
            "generator and reference must have the same binning"
        )
    return found


def _reasons(scan: Scan, chosen: np.ndarray, reference: Reference, found: np.ndarray, extra: np.ndarray) -> list[str]:
    values, errors = reference.values[found], np.hypot(reference.errors[found], extra)
    empty = ~np.any(scan.values[:, chosen] != 0, axis=0)
    reasons = []
    for value, error, nothing in zip(values, errors, empty, strict=True):
        if np.isinf(value) or np.isinf(error):
            reasons.append(f"the reference is not finite: {value:g} +- {error:g}")
        elif np.isnan(value) or np.isnan(error):
            reasons.append("the reference has no value" + ("" if np.isnan(value) else ": its error is not a number"))
        elif beyond(np.array([value, error])).any():
            reasons.append(
                f"the reference is too small or too large for a computer, {value:g} +- {error:g}: change its unit"
            )
        elif error <= 0:
            reasons.append("the reference gives no error")
        else:
            reasons.append("empty in every run of the scan" if nothing else "")
    return reasons
