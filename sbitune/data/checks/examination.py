"""What is odd about a scan: found before it is learnt from, named, with what is done about it.

Numbers that are not finite and negative errors never make a scan: readers and `Scan` refuse them. What is found here
can be lived with (it is kept, and said), can be put right (a run that is there twice), or makes learning impossible.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sbitune.data.checks.collinearity import Relation, constant_parameters, find_relations
from sbitune.data.checks.outlying import compare_runs
from sbitune.data.checks.repeats import repeated_points, same_content
from sbitune.data.checks.solitary import find_solitary
from sbitune.data.codes import code_of
from sbitune.data.errors import InputError
from sbitune.data.parameter import EDGE
from sbitune.data.scan import Scan

#: kind of the finding that says that runs could not be compared with their neighbours
NOT_COMPARED = "runs not compared"
#: names that a message holds, at most
_SHOWN = 5


class Finding(NamedTuple):
    """One thing that was found in the input."""

    kind: str  #: what it is, in few words: one of `sbitune.data.codes.FINDINGS`
    what: str  #: the same in a sentence, with how many
    where: tuple[str, ...]  #: parameters, runs or bins, all of them
    done: str  #: what sbitune does about it, and what the user can do
    fatal: bool = False  #: nothing can be learnt from the scan as it is

    def __str__(self) -> str:
        more = f", ... ({len(self.where)} in all)" if len(self.where) > _SHOWN else ""
        place = ": " + ", ".join(self.where[:_SHOWN]) + more if self.where else ""
        return f"{self.what}{place}; {self.done}"


def examine(scan: Scan) -> tuple[Finding, ...]:
    """Everything odd about a scan, each thing once: parameters first, then runs, then bins."""
    return (*_parameters(scan), *_runs(scan), *_bins(scan), *_correlation(scan))


def settle(
    scan: Scan, tell: Callable[[str], None] = lambda message: None, where: str = "scan"
) -> tuple[Scan, tuple[Finding, ...]]:
    """Examine a scan, tell every finding, and put right what can be.

    Parameters that do not vary and runs that are there twice are left out; `where` names the scan in messages. Of bins
    that several runs have from one measurement the scan that is returned knows it (`Scan.copies`).

    Returns:
        the scan that is fit to learn from, and what was found in the one that was given.

    Raises:
        InputError: for collinear parameters, or errors whose correlation matrix is none.
    """
    found = examine(scan)
    fatal = [finding for finding in found if finding.fatal]
    if fatal:
        raise InputError("\n".join(f"{where}: {finding}" for finding in fatal), code=code_of(fatal[0].kind))
    for finding in found:
        tell(str(finding))
    varied = ~constant_parameters(scan)
    if not varied.all():
        kept = tuple(p for p, keep in zip(scan.parameters, varied, strict=True) if keep)
        scan = replace(scan, parameters=kept, theta=scan.theta[:, varied], known_copies=None)
    once = np.ones(len(scan.runs), bool)
    for rows in same_content(scan).repeated:
        once[list(rows[1:])] = False
    return (scan if once.all() else replace(scan.take_runs(once), known_copies=None)), found


def _parameters(scan: Scan) -> list[Finding]:
    found = []
    constant = np.flatnonzero(constant_parameters(scan))
    if len(constant):
        names = tuple(f"{scan.parameters[i].name} = {scan.theta[0, i]:g}" for i in constant)
        whole = len(constant) == len(scan.parameters)
        done = (
            "nothing can be learnt from these runs"
            if whole
            else "left out of the parameters; what is learnt holds for this value"
        )
        found.append(Finding("constant parameters", "parameters have one value in all runs", names, done, whole))
    relations = find_relations(scan)
    return [*found, _related(scan, relations)] if relations else found


def _related(scan: Scan, relations: tuple[Relation, ...]) -> Finding:
    where = tuple(relation.words for relation in relations)
    if relations[0].exact:
        last = " and ".join(relation.words.split(" ")[0] for relation in relations)
        return Finding(
            "collinear parameters",
            f"parameters are collinear over the {len(scan.runs)} runs",
            where,
            f"their effects cannot be told apart: take {last} out of the scan, or add runs that are off this",
            fatal=True,
        )
    return Finding(
        "nearly collinear parameters",
        f"parameters are nearly collinear over the {len(scan.runs)} runs",
        where,
        f"kept; the runs scatter around it by {max(r.rms for r in relations):.2g} of a parameter's spread, and that "
        "alone tells them apart: add runs off this line",
    )


def _runs(scan: Scan) -> list[Finding]:
    found = []
    unit = scan.unit()
    outside = [
        f"{scan.runs[i]} ({scan.parameters[k].name} = {scan.theta[i, k]:g})"
        for i, k in enumerate(np.argmax(np.abs(unit), axis=1))
        if abs(unit[i, k]) > 1 + EDGE
    ]
    if outside:
        done = "kept: they teach, too; fits stay inside the box"
        said = f"{len(outside)} of {len(scan.runs)} runs lie outside the box"
        found.append(Finding("runs outside the box", said, tuple(outside), done))
    same = same_content(scan)
    found += _copied(scan)
    if same.repeated:
        said = "runs are there more than once, the same in every bin"
        done = "only the first of each is kept: a run that counts twice makes errors too small"
        found.append(Finding("the same run twice", said, _named(scan, same.repeated, " = "), done))
    elsewhere = tuple(rows for rows in same.elsewhere if not _explained(scan, rows))
    if elsewhere:
        said = "runs at different points have the same contents in all bins"
        done = "kept; are the files those of these points?"
        found.append(Finding("the same contents elsewhere", said, _named(scan, elsewhere, " = "), done))
    found += [*_alone(scan), *_unlike(scan)]
    dropped = {row for rows in same.repeated for row in rows[1:]}
    points = repeated_points(scan, dropped)
    if points:
        said = "several runs are at one point"
        done = "kept, as independent measurements of one point"
        where = _named(scan, tuple(point.rows for point in points), " and ")
        found.append(Finding("runs at one point", said, where, done))
        found += _far_apart(scan, [point for point in points if point.far])
    return found


def _alone(scan: Scan) -> list[Finding]:
    """Runs far from all others in a parameter: a fit passes through them whatever they hold."""
    where = tuple(
        f"{scan.runs[one.row]} ({scan.parameters[one.parameter].name} = {scan.theta[one.row, one.parameter]:g}, "
        f"all others in {one.low:g} .. {one.high:g})"
        for one in find_solitary(scan)
    )
    said = "runs stand alone, far from all others in a parameter"
    done = (
        "kept; are these values those that the generator had? such a run decides alone what is learnt of the parameter "
        "and makes its errors too small: put the values right, or take the runs out of the scan"
    )
    return [Finding("runs that stand alone", said, where, done)] if where else []


def _unlike(scan: Scan) -> list[Finding]:
    """Runs away from what the others tell; or that this could not be looked for."""
    compared = compare_runs(scan)
    if compared.unmade and len(scan.runs) > 1:
        said = f"whether runs are unlike their neighbours was not checked: {compared.unmade}"
        return [Finding(NOT_COMPARED, said, (), "kept; look at the runs, or add some")]
    said = "runs are unlike their neighbours: in brackets, how many times the usual distance from a fit to the others"
    done = "kept; are parameters and files those of these runs, and are they whole? if not, take them out of the scan"
    named = tuple(f"{scan.runs[one.row]} ({one.times:.1f})" for one in compared.outlying)
    return [Finding("outlying runs", said, named, done)] if named else []


def _copied(scan: Scan) -> list[Finding]:
    """Bins that several runs have from one measurement; where all bins are, at one point, the run is there twice."""
    found = []
    for block in scan.copies:
        without = [p.name for p, depends in zip(scan.parameters, block.depends, strict=True) if not depends]
        if not without and len(block.bins) == len(scan.bins):
            continue
        n = len(np.unique(block.measurement))
        differ = f"that differ in {' and '.join(without)} alone" if without else "at one point"
        said = (
            f"{len(block.bins)} of {len(scan.bins)} bins are equal to the last digit in runs {differ}: {n} "
            f"measurements in {len(scan.runs)} runs, of the observables"
        )
        done = (
            "each counts once, with one noise; "
            + (f"they are learnt as independent of {' and '.join(without)}; " if without else "")
            + "runs that are held out take their copies with them"
        )
        found.append(Finding("copied bins", said, tuple(scan.bins.take(block.bins).paths()), done))
    return found


def _explained(scan: Scan, rows: tuple[int, ...]) -> bool:
    """Whether runs at different points are equal in all bins since they have all of them from one measurement."""
    together = sum(len(block.bins) for block in scan.copies)
    same = all(len(set(block.measurement[list(rows)].tolist())) == 1 for block in scan.copies)
    return same and together == len(scan.bins)


def _far_apart(scan: Scan, points: list) -> list[Finding]:
    if not points:
        return []
    where = tuple(
        f"{' and '.join(scan.runs[row] for row in p.rows)} (chi2 = {p.chi2:.4g} for {p.ndf} degrees of freedom)"
        for p in points
    )
    said = "runs at one point differ by far more than their Monte Carlo errors"
    done = "kept; are the errors right, or does a setting vary that is no parameter of the scan?"
    return [Finding("runs at one point that differ", said, where, done)]


def _named(scan: Scan, groups: tuple[tuple[int, ...], ...], between: str) -> tuple[str, ...]:
    return tuple(between.join(scan.runs[row] for row in rows) for rows in groups)


def _bins(scan: Scan) -> list[Finding]:
    labels, n = np.array(scan.bins.labels()), len(scan.bins)
    values, errors = scan.values, scan.errors
    empty = ~(values != 0).any(axis=0)
    constant = (np.ptp(values, axis=0) == 0) & ~empty & (len(values) > 1)
    without = (errors == 0).all(axis=0)
    partly = (errors == 0).any(axis=0) & ~without

    found = []

    def add(kind: str, mask: np.ndarray, words: str, done: str) -> None:
        if mask.any():
            found.append(Finding(kind, f"{mask.sum()} of {n} bins {words}", tuple(labels[mask].tolist()), done))

    if len(values) > 1 and (empty | constant).all():
        said = f"all {n} bins have the same content in every run"
        done = "nothing can be learnt: are these the histograms, and the runs' own ones?"
        return [Finding("nothing changes", said, (), done, fatal=True)]
    add("empty bins", empty, "are empty in every run", "learnt as 0, and left out of fits")
    silent = int((constant & without).sum())
    add(
        "constant bins",
        constant,
        "have the same content in every run" + (f" ({silent} of them without errors)" if silent else ""),
        "kept; they tell nothing of the parameters, and add to chi2 what they are off",
    )
    add(
        "bins without errors",
        without & ~empty & ~constant,
        "have a Monte Carlo error in no run",
        "taken to be without noise; they have no say in how the runs are best learnt from, and closure leaves them out",
    )
    zero = int(((errors == 0) & (values != 0))[:, partly].sum())
    add(
        "bins without errors in some runs",
        partly,
        f"have an error of 0 in some runs ({int((errors == 0)[:, partly].sum())} times, {zero} of them with a content)",
        "kept; errors are smoothed over the runs, so that none counts as exact",
    )
    return found


def _correlation(scan: Scan) -> list[Finding]:
    """A stored correlation matrix of Monte Carlo errors that is none: not finite, symmetric, positive definite."""
    if scan.correlation is None:
        return []
    r, labels = scan.correlation, scan.bins.labels()
    bad = np.asarray(~np.isfinite(r).all(axis=0))
    words = "is not finite"
    if not bad.any():
        bad = (np.abs(r - r.T).max(axis=0) > 1e-6) | (np.abs(np.diag(r) - 1) > 1e-6)
        words = "is not symmetric with a diagonal of 1"
    if not bad.any():
        try:
            np.linalg.cholesky(r)
        except np.linalg.LinAlgError:
            least = np.linalg.eigh(r)[1][:, 0]
            bad = np.abs(least) > 0.5 * np.abs(least).max()
            words = "is not positive definite: a combination of these bins has a negative variance"
        else:
            return []
    where = tuple(label for label, wrong in zip(labels, bad.tolist(), strict=True) if wrong)
    said = f"the correlation matrix of the Monte Carlo errors {words}"
    return [Finding("correlation matrix", said, where, "make the scan again, or store it without `correlation`", True)]
