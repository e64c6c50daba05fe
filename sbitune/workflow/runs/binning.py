"""Selected bins, measured bins and booked bins: they must agree before anything runs."""

import difflib
import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.selection import Rule, weights_of
from sbitune.data.reference import as_measured
from sbitune.data.text.numbers import quoted
from sbitune.data.text.paths import analysis_of
from sbitune.generators.config import PythiaConfig
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.runs.booked import Booked


def check_rules(loaded: ScanCardFile, measured: Bins, booked: Booked | None) -> None:
    """Check that every rule of the card selects a measured bin, and that not all of them take bins out.

    Raises:
        InputError: naming the rule and what comes nearest to it.
    """
    rules = loaded.rules()
    for rule in rules:
        if not _selects_any(rule, measured):
            raise InputError(
                f"{rule.where}: no measured bin matches {quoted(rule.path)}{_why(rule, measured, booked)}",
                code="selector-no-bin",
            )
    if not np.any(weights_of(measured, rules) > 0):
        where = loaded.place("weights" if loaded.card.weights is not None else "observables")
        raise InputError(f"{where}: every weight is 0; nothing is left to fit", code="selector-all-zero")


def check_rules_of_scan(loaded: ScanCardFile, booked: Booked) -> None:
    """Check that every rule of a card without measurements selects a bin that the analyses fill.

    Raises:
        InputError: naming the rule and what comes nearest to it.
    """
    for rule in loaded.rules():
        if not _selects_any(rule, booked.bins) and not any(map(rule.selects, booked.later)):
            raise InputError(
                f"{rule.where}: no bin of the analyses matches {quoted(rule.path)}{_why(rule, booked.bins, booked)}",
                code="selector-no-bin",
            )


def _selects_any(rule: Rule, bins: Bins) -> bool:
    """Whether a rule does what it is for: one that takes bins out may find none."""
    return rule.weight == 0 or bool(np.any(weights_of(bins, [rule], strict=False)))


def _why(rule: Rule, measured: Bins, booked: Booked | None) -> str:
    paths = [path for path in measured.paths() if rule.selects(path)]
    if paths:
        bins = measured.take(measured.of(paths[0]))
        return f" in these bins; {paths[0]} has {_describe(bins)}"
    made = booked.paths() if booked is not None else []
    lost = [path for path in made if rule.selects(path)]
    if lost:
        return f"; the analyses fill {lost[0]}, but nothing listed in `reference` holds its measurement"
    return _nearest(rule.path, [*measured.paths(), *made])


def _describe(bins: Bins) -> str:
    return f"{len(bins)} bin{'s' if len(bins) > 1 else ''}, from {bins.low.min():g} to {bins.high.max():g}"


def _nearest(path: str, known: Sequence[str]) -> str:
    """The nearest of the known paths: those of the same analysis if it is known, else those spelt most alike."""
    # a regular expression is compared by its plain characters
    plain = re.sub(r"[\\^$*+?()|{}\[\]]", "", path)
    own = [name for name in known if analysis_of(name) == analysis_of(plain)]
    names = list(dict.fromkeys(own or known))
    near = difflib.get_close_matches(plain, names, n=len(names) or 1, cutoff=0.5)
    near.sort(key=lambda name: -_shared(name, plain))  # d18 is nearer to d18 than d81 is
    if near:
        return f"; the nearest observables are {', '.join(near[:3])}"
    analyses = sorted({analysis_of(name) for name in known} - {""})
    return f"; there are observables of {', '.join(analyses)}" if analyses else ""


def _shared(one: str, other: str) -> int:
    """Number of characters that both begin with."""
    same = (a == b for a, b in zip(one, other, strict=False))
    return sum(1 for _ in itertools.takewhile(bool, same))


def check_coverage(loaded: ScanCardFile, measured: Bins, booked: Booked) -> None:
    """Check that the analyses book every selected measured bin, and that every selected bin they book is measured.

    Raises:
        InputError: naming the rule, the observable and what comes nearest to it.
    """
    rules = loaded.rules()
    found = measured.locate(booked.bins)
    wanted = weights_of(measured, rules) > 0
    wanted &= ~np.isin(measured.path, sorted(booked.later))
    wanted[found[found >= 0]] = False
    if wanted.any():
        raise InputError(
            _not_booked(loaded, measured.take(np.flatnonzero(wanted)), rules, booked), code="selector-not-filled"
        )
    filled = weights_of(booked.bins, rules, strict=False) > 0
    unmeasured = booked.bins.take(np.flatnonzero(filled & (found < 0)))
    if len(unmeasured):
        raise InputError(_not_measured(unmeasured, measured, rules), code="selector-not-measured")


def check_measured(loaded: ScanCardFile, bins: Bins, measured: Bins) -> None:
    """Check that every selected bin of a scan that was read or made is measured.

    Raises:
        InputError: naming the rule that selects the first that is not, and the observable.
    """
    rules = loaded.rules()
    keyed = as_measured(bins)
    lost = np.flatnonzero((weights_of(keyed, rules, strict=False) > 0) & (measured.locate(keyed) < 0))
    if len(lost):
        raise InputError(_not_measured(keyed.take(lost), measured, rules, "the scan has"), code="selector-not-measured")


def _not_booked(loaded: ScanCardFile, missing: Bins, rules: Sequence[Rule], booked: Booked) -> str:
    path = missing.paths()[0]
    where, analysis = _chosen_by(missing, rules), analysis_of(path)
    generator = loaded.card.generator
    assert isinstance(generator, PythiaConfig)
    if analysis not in generator.analyses:
        return f"{_at(where, path)}: its analysis is not run; add {analysis} to generator.analyses{_own(analysis)}"
    others = len(missing.paths()) - 1
    more = f" (and {others} others that are selected)" if others else ""
    mine = booked.bins.take(booked.bins.of(path))
    if len(mine):
        return (
            f"{_at(where, path)}: the reference has a bin [{missing.low[0]:g}, {missing.high[0]:g}] that the "
            f"analysis does not fill: it has {_describe(mine)}; generator and reference must have the same binning"
        )
    return (
        f"{where}: no analysis fills {path}{more} at {booked.beams.energy:g} GeV; take it out of the selection, "
        f"or give it the weight 0 in a line below{_nearest(path, booked.paths())}"
    )


def _at(where: str, path: str) -> str:
    """Place of a rule and the observable that it is about, which is named once if the rule names just this."""
    return where if where.endswith(f".{path}") else f"{where}: observable {path}"


def _own(analysis: str) -> str:
    from sbitune.generators.observables import available

    if analysis in available():
        return ""
    return " with a file of yours in generator.analysis_files: sbitune has none of this name (`sbitune ls analyses`)"


def _not_measured(bins: Bins, measured: Bins, rules: Sequence[Rule], verb: str = "the analysis fills") -> str:
    path, where = bins.paths()[0], _chosen_by(bins, rules)
    if not len(measured.of(path)):
        return f"{_at(where, path)}: the reference has no such histogram; add its YODA file to `reference`"
    mine = measured.take(measured.of(path))
    return (
        f"{_at(where, path)}: {verb} a bin [{bins.low[0]:g}, {bins.high[0]:g}] that the reference "
        f"does not have: it has {_describe(mine)}; generator and reference must have the same binning"
    )


def _chosen_by(bins: Bins, rules: Iterable[Rule]) -> str:
    """Place of the rule that selects the first of the bins: the last that does."""
    first = bins.take([0])
    return [rule.where for rule in rules if rule.selects(str(first.path[0])) and rule.mask(first).any()][-1]
