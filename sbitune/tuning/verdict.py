"""What a reader must know of a tune before its numbers: a verdict, and warnings."""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import stats

from sbitune.data.checks.examination import NOT_COMPARED, Finding
from sbitune.tuning.record.parts import WorstObservableRecord
from sbitune.tuning.record.result import UNJUDGED
from sbitune.tuning.record.types import ResultRecord, ValidationRecord
from sbitune.workflow.results.checks import Check, Verdict, judge, made, not_made, warnings_of

#: other minima that are higher than the tune by less are as good at 95 %
_AS_GOOD = 4.0
#: width of held-out pulls beyond which the surrogate's errors are called wrong; the kinds that fit stay well inside
_WIDTHS = (0.8, 1.25)
#: width of pulls at the tune, below which the surrogate's errors are worth a word
_TOO_WIDE = 0.6
#: P of a chi2 of surrogate and generator that is so low only where errors are too large
_NEVER = 1e-6
#: standard errors by which the pulls of an observable must be too wide
_BEYOND = 3.0
#: standard deviations by which the generator's chi2 may differ from what the fit lets expect
_DEVIATIONS = 4.0
#: an error of more than this part of the range tells no value from the others: one that is spread evenly has 0.29
_UNDETERMINED = 0.25
#: P values below this are called disagreement
TELLING = 1e-3
#: findings in the input that stand before the numbers
TELLING_KINDS = (
    "settings undone by later ones",
    "runs that stand alone",
    "outlying runs",
    "runs at one point that differ",
    "the same contents elsewhere",
)


def with_warnings(record: ResultRecord) -> ResultRecord:
    """Write down what the checks say of a tune: their outcome, the verdict, and what a reader must know before the
    numbers.
    """
    checks = find_checks(record)
    return msgspec.structs.replace(
        record, checks=checks, warnings=warnings_of(checks), verdict=verdict_from(checks).words
    )


def verdict_from(checks: Sequence[Check]) -> Verdict:
    """The verdict on a tune."""
    return judge(checks, "this tune and its errors")


def as_before(record: ResultRecord, before: ResultRecord) -> ResultRecord:
    """The record of the same tune with what was found out about it since: validation, coverage by more toys."""
    answer, known = record.answer, before.answer.get("coverage")
    if known and known.get("fits", 0) > answer.get("coverage", {}).get("fits", 0):
        answer = answer | {"coverage": known}
    closure = max(record.closure, before.closure, key=lambda figures: figures.get("fits", 0))
    kept = {"observables": before.observables, "validation": before.validation, "answer": answer, "closure": closure}
    return with_warnings(msgspec.structs.replace(record, **kept))


def find_checks(record: ResultRecord) -> list[Check]:
    """Every check of a tune, the heaviest first."""
    return [
        _input(record),  # before what may come of it
        *_parameters(record),
        *_errors(record),
        *_surrogate(record),
        *_generator(record),
        *_data(record),
        *_unmade(record),
    ]


def _input(record: ResultRecord) -> Check:
    odd = [f for f in record.findings if f.kind in TELLING_KINDS]
    kinds = ", ".join(dict.fromkeys(f.kind for f in odd))
    warnings = [str(Finding(f.kind, f.what, tuple(f.where), f.done)) for f in odd]
    return made("input", bool(odd), f"the input has something odd ({kinds})", warnings)


def _parameters(record: ResultRecord) -> list[Check]:
    undetermined = ", ".join(_undetermined(record))
    bad = _is_bad(record)
    near = [minimum for minimum in record.other_minima if minimum.above < _AS_GOOD]
    many = len(near) > 1
    held = [name for name, p in record.parameters.items() if p.status == "at limit"]
    free = [name for name, p in record.parameters.items() if p.status != "fixed"]
    return [
        made(
            "parameters are determined",
            bool(undetermined),
            f"the data do not determine {undetermined}",
            [
                f"the data do not determine {undetermined}: an error comparable with the range says no more "
                "than the range did; fix such a parameter (fit.fixed), or add observables that depend on it"
            ],
            expected=f"errors below {_UNDETERMINED:g} of the range",
        ),
        made(
            "degrees of freedom",
            record.ndf <= 0,
            ""
            if bad
            else "there are no more bins than parameters, so that nothing tells whether the data are described",
            [
                f"there are no more bins than parameters:{'' if bad else ' any data would be described;'} add "
                "observables"
            ],
            value=record.ndf,
            expected="at least 1",
        ),
        made(
            "other minima",
            bool(near),
            "another minimum is as good",
            [
                f"{len(near)} other minim{'a describe' if many else 'um describes'} the data nearly as well, the first "
                f"{near[0].above:.2f} above the tune (see notes): the quoted intervals are those around the tune alone"
                for _ in near[:1]
            ],
            value=min((minimum.above for minimum in record.other_minima), default=None),
            expected=f"more than {_AS_GOOD:g} above the tune",
        ),
        made(
            "limits",
            bool(held),
            f"{len(held)} of {len(free)} parameters end at a limit",
            [
                f"at the end of {'their ranges' if len(held) > 1 else 'its range'}: {', '.join(held)}; what is quoted "
                "there is how far into the range chi2 rises by 1, which a bend of the surrogate can make too short"
            ],
            value=len(held),
            expected="no parameter at a limit",
        ),
    ]


def _errors(record: ResultRecord) -> list[Check]:
    """Errors of the parameters: on runs that were held out, and on toys; nothing, where neither were fitted."""
    figures = {"held-out runs": record.closure, "toys": record.answer.get("coverage", {})}
    if set(_undetermined(record)) >= {name for name, p in record.parameters.items() if p.status != "fixed"}:
        del figures["toys"]  # fits of a flat valley end where they begin, and tell nothing of errors
    off = [what for what, found in figures.items() if found.get("warnings")]
    warnings = [f"errors are off on {what}: {words}" for what in off for words in figures[what].get("warnings", [])]
    unjudged = record.answer.get("unjudged")
    warnings += [] if unjudged is None else [f"{UNJUDGED}: {unjudged}"]
    if not warnings and not any(found.get("fits", 0) for found in figures.values()):
        return []
    words = f"errors are off on {' and '.join(off)}" if off else ""
    return [made("errors of the parameters", bool(warnings), words, warnings, expected="true coverage and widths")]


def _surrogate(record: ResultRecord) -> list[Check]:
    width, v = _pull_width(record), record.validation
    badly = [row for row in record.worst_observables if _is_badly_learnt(row)]
    some = ", ".join(f"{row['path']} ({row['pull_width']:.2f})" for row in badly)
    checks = []
    if record.choice:
        checks.append(
            made(
                "held-out pulls",
                _width_is_off(record),
                "the surrogate's errors are off",
                [f"the surrogate's errors are off: pulls of held-out runs have a width of {width:.2f}"],
                value=width,
                expected=f"{_WIDTHS[0]:g} to {_WIDTHS[1]:g}",
            )
        )
    if v is not None:
        checks += [_surrogate_is_off(v), _surrogate_is_too_wide(v)]
    if record.worst_observables:
        checks.append(_observables_are_learnt(badly, some))
    return checks


def _observables_are_learnt(badly: Sequence[WorstObservableRecord], some: str) -> Check:
    return made(
        "observables are learnt",
        bool(badly),
        f"the surrogate's errors are too small in {len(badly)} observable{'s' * (len(badly) > 1)}",
        [f"the surrogate's errors are too small in {some}: so wide are its pulls of held-out runs there"],
        value=len(badly),
        expected=f"no width above {_WIDTHS[1]:g}",
    )


def _surrogate_is_off(v: ValidationRecord) -> Check:
    return made(
        "surrogate at the tune",
        v.surrogate_p < TELLING,
        "the surrogate is off at the tune",
        [
            "the surrogate is off at the tune: it differs from the generator there by "
            f"chi2 = {v.surrogate_chi2:.0f} in {v.bins} bins (P = {v.surrogate_p:.1g}); more runs, or "
            "narrower ranges around the tune, will mend that"
        ],
        value=v.surrogate_p,
        expected=f"P above {TELLING:g}",
    )


def _surrogate_is_too_wide(v: ValidationRecord) -> Check:
    return made(
        "surrogate's errors at the tune",
        _is_too_wide(v),
        "the surrogate's errors are too large at the tune",
        [
            "the surrogate's errors are too large at the tune: its pulls against the generator have a width of "
            f"{v.surrogate_pull:.2f} there, chi2 = {v.surrogate_chi2:.0f} in {v.bins} bins, and errors of parameters "
            "are larger than they had to be; more runs, or more events a run, make them smaller"
        ],
        value=v.surrogate_pull,
        expected=f"at least {_TOO_WIDE:g}",
    )


def _generator(record: ResultRecord) -> list[Check]:
    """chi2 of the generator at the tune, beside that of the fit."""
    off, v = _chi2_is_off(record), record.validation
    if v is None or v.chi2_deviations is None:
        return []
    name, expected = "chi2 of the generator", f"{-_DEVIATIONS:g} to {_DEVIATIONS:g} standard deviations"
    if not off:
        return [made(name, False, value=v.chi2_deviations, expected=expected)]
    figures = (
        f"with one covariance for both, chi2 is {v.generator_chi2:.0f} with its own run and {v.fit_chi2:.0f} with the "
        f"surrogate, {abs(v.chi2_deviations or 0):.1f} standard deviations {'more' if off > 0 else 'less'} than the "
        "surrogate's errors allow"
    )
    if off > 0:
        words = "the generator describes the data less well than the fit says"
        more = "; more runs, or narrower ranges around the tune, will mend that"
    else:
        words = "the generator describes the data better than the fit says"
        more = (
            ". Its errors are too small, and so are those of the parameters: it is not the data that disagree. More "
            "runs, or more events a run, will mend that"
        )
    return [made(name, True, words, [f"{words}: {figures}{more}"], value=v.chi2_deviations, expected=expected)]


def _data(record: ResultRecord) -> list[Check]:
    figures = f"chi2 = {record.chi2_unit:.1f}, with no more bins than parameters"
    scaled = ""
    if record.ndf > 0:
        figures = f"chi2/ndf = {record.chi2_unit / record.ndf:.1f}: take the scaled errors"
        scaled = "; errors are quoted with and without the factor by which that scales them"
    checks = [
        not_made("data are described", "whether the data are described (no more bins than parameters)")
        if record.ndf <= 0 and not _is_bad(record)
        else made(
            "data are described",
            _is_bad(record),
            f"the data are not described within their errors ({figures})",
            [
                f"the data are not described within their errors: chi2 = {record.chi2_unit:.0f} for {record.ndf} "
                f"degrees of freedom{scaled}"
            ],
            value=record.chi2_unit,
            expected=f"some {record.ndf}",
        )
    ]
    tension = record.answer.get("tension")
    if tension is None:
        return checks
    worst = tension["in_tension"]
    if worst:
        given = {row["path"]: row["p_given_rest"] or 0.0 for row in tension["observables"]}
        worst = sorted(worst, key=lambda path: given[path])
    some = ", ".join(worst[:6]) + (f" and {len(worst) - 6} more" if len(worst) > 6 else "")
    many = len(worst) > 1
    words = f"{len(worst)} observable{'s disagree' if many else ' disagrees'} with"
    warning = f"{words} what a fit to the others predicts (P below {TELLING:g}): {some}"
    expected = f"no P below {TELLING:g}"
    agree = made(
        "observables agree", bool(worst), f"{words} the others", [warning], value=len(worst), expected=expected
    )
    return [*checks, agree]


def _undetermined(record: ResultRecord) -> list[str]:
    """Parameters one of whose errors is comparable with the range that they are fitted in."""
    found = []
    for name, p in record.parameters.items():
        low, high = p.limits or (p.low, p.high)
        quoted = max(p.error, p.scaled_error, *(abs(end) for end in p.minos or ()))
        if p.status != "fixed" and not quoted < _UNDETERMINED * (high - low):
            found.append(name)
    return found


def _unmade(record: ResultRecord) -> list[Check]:
    """The checks that were not, or could not be, made."""
    missing = {
        ("runs are alike", "whether runs are unlike their neighbours"): any(
            f.kind == NOT_COMPARED for f in record.findings
        ),
        ("held-out runs", "held-out runs"): not record.closure.get("fits", 0),
        ("toys", "toys"): not record.answer.get("coverage", {}).get("fits", 0),
        ("observables agree", "whether observables agree"): "tension" not in record.answer,
        ("generator at the tune", "the generator at the tune"): record.validation is None,
    }
    return [not_made(name, words) for (name, words), absent in missing.items() if absent]


def _pull_width(record: ResultRecord) -> float:
    """Of held-out runs; 1 where none were."""
    return float(record.choice[0]["pull_width"]) if record.choice else 1.0


def _width_is_off(record: ResultRecord) -> bool:
    """Whether the pulls of held-out runs have another width than chance gives those of so few runs and bins."""
    runs = record.surrogate.get("held_out_runs")
    pulls = runs * sum(row.bins for row in record.observables) if isinstance(runs, int) else 0
    chance = float(_BEYOND / np.sqrt(2 * pulls)) if pulls else 0.0
    return not _WIDTHS[0] - chance < _pull_width(record) < _WIDTHS[1] + chance


def _is_bad(record: ResultRecord) -> bool:
    """Whether the data are described worse than chance has it, by toys or else by the distribution of chi2."""
    if "goodness" in record.answer:
        g = record.answer["goodness"]
        return g["p_value"] <= max(2 / (g["toys"] + 1), TELLING) and record.chi2_unit > record.ndf
    return record.ndf > 0 and bool(stats.chi2.sf(record.chi2_unit, record.ndf) < TELLING)


def _is_too_wide(validation: ValidationRecord) -> bool:
    """Whether surrogate and run agree better at the tune than their errors say: that of a few bins may be chance."""
    chance = float(stats.chi2.cdf(validation.surrogate_chi2, validation.bins))
    return chance < _NEVER or (validation.surrogate_pull < _TOO_WIDE and not chance > TELLING)


def _is_badly_learnt(row: WorstObservableRecord) -> bool:
    """Whether an observable's pulls of held-out runs are wider than their errors say, beyond chance."""
    width, error = float(row["pull_width"]), float(row["error"]) / max(float(row["rms_pull"]), 1e-300)
    return width * (1 - _BEYOND * error) > _WIDTHS[1]


def _chi2_is_off(record: ResultRecord) -> int:
    """1 where the generator describes the data less well than the fit says, -1 where it does better, else 0."""
    v = record.validation
    if v is None or v.chi2_deviations is None or _is_too_wide(v):  # errors too large: that has a word
        return 0
    return int(np.sign(v.chi2_deviations)) if abs(v.chi2_deviations) > _DEVIATIONS else 0
