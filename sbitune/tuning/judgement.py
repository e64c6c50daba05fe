"""What a reader must know of a tune before its numbers: a verdict, and warnings."""

import msgspec
import numpy as np
from scipy import stats

from sbitune.data.examination import NOT_COMPARED, Finding
from sbitune.tuning.recordparts import WorstObservableRecord
from sbitune.tuning.recordtypes import ResultRecord, ValidationRecord

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
#: how a note begins that says that toys could not judge a tune
UNJUDGED = "toys cannot judge this tune"


def with_warnings(record: ResultRecord) -> ResultRecord:
    """Write down what a reader must know before the numbers."""
    return msgspec.structs.replace(record, warnings=find_warnings(record), verdict=find_verdict(record))


def as_before(record: ResultRecord, before: ResultRecord) -> ResultRecord:
    """The record of the same tune with what was found out about it since: validation, coverage by more toys."""
    answer, known = record.answer, before.answer.get("coverage")
    if known and known.get("fits", 0) > answer.get("coverage", {}).get("fits", 0):
        answer = answer | {"coverage": known}
    closure = max(record.closure, before.closure, key=lambda figures: figures.get("fits", 0))
    kept = {"observables": before.observables, "validation": before.validation, "answer": answer, "closure": closure}
    return with_warnings(msgspec.structs.replace(record, **kept))


def find_verdict(record: ResultRecord) -> str:
    """What the checks say of the tune, in a sentence: the heaviest first, and which checks could not be made."""
    said = []
    kinds = dict.fromkeys(f.kind for f in record.findings if f.kind in TELLING_KINDS)
    if kinds:  # before what may come of it
        said.append(f"the input has something odd ({', '.join(kinds)})")
    if undetermined := _undetermined(record):
        said.append(f"the data do not determine {', '.join(undetermined)}")
    if record.ndf <= 0 and not _is_bad(record):
        said.append("there are no more bins than parameters, so that nothing tells whether the data are described")
    if record.other_minima and min(minimum.above for minimum in record.other_minima) < _AS_GOOD:
        said.append("another minimum is as good")
    held = [name for name, p in record.parameters.items() if p.status == "at limit"]
    free = [name for name, p in record.parameters.items() if p.status != "fixed"]
    if held:
        said.append(f"{len(held)} of {len(free)} parameters end at a limit")
    off = [what for what, figures in (("held-out runs", record.closure), ("toys", record.answer.get("coverage", {})))
           if figures.get("warnings")]  # fmt: skip
    if off:
        said.append(f"errors are off on {' and '.join(off)}")
    v = record.validation
    if _width_is_off(record):
        said.append("the surrogate's errors are off")
    if v is not None and v.surrogate_p < TELLING:
        said.append("the surrogate is off at the tune")
    if v is not None and _is_too_wide(v):
        said.append("the surrogate's errors are too large at the tune")
    badly = sum(map(_is_badly_learnt, record.worst_observables))
    if badly:
        said.append(f"the surrogate's errors are too small in {badly} observable{'s' * (badly > 1)}")
    off = _chi2_is_off(record)
    if off:
        said.append(f"the generator describes the data {'less well' if off > 0 else 'better'} than the fit says")
    if _is_bad(record):
        figures = f"chi2 = {record.chi2_unit:.1f}, with no more bins than parameters"
        if record.ndf > 0:
            figures = f"chi2/ndf = {record.chi2_unit / record.ndf:.1f}: take the scaled errors"
        said.append(f"the data are not described within their errors ({figures})")
    in_tension = record.answer.get("tension", {}).get("in_tension", [])
    if in_tension:
        said.append(
            f"{len(in_tension)} observable{'s disagree' if len(in_tension) > 1 else ' disagrees'} with the others"
        )
    if not said and find_warnings(record):
        said.append("a warning stands beside it")
    unmade = _unmade(record)
    if said:
        return f"to be read with care: {'; '.join(said)}{f'; not checked: {unmade}' if unmade else ''}"
    if unmade:
        return f"nothing speaks against this tune and its errors as far as they were checked; not checked: {unmade}"
    return "no check speaks against this tune and its errors"


def _undetermined(record: ResultRecord) -> list[str]:
    """Parameters one of whose errors is comparable with the range that they are fitted in."""
    found = []
    for name, p in record.parameters.items():
        low, high = p.limits or (p.low, p.high)
        quoted = max(p.error, p.scaled_error, *(abs(end) for end in p.minos or ()))
        if p.status != "fixed" and not quoted < _UNDETERMINED * (high - low):
            found.append(name)
    return found


def _unmade(record: ResultRecord) -> str:
    """The checks that were not, or could not be, made."""
    missing = {
        "whether the data are described (no more bins than parameters)": record.ndf <= 0 and not _is_bad(record),
        "whether runs are unlike their neighbours": any(f.kind == NOT_COMPARED for f in record.findings),
        "held-out runs": not record.closure.get("fits", 0),
        "toys": not record.answer.get("coverage", {}).get("fits", 0),
        "whether observables agree": "tension" not in record.answer,
        "the generator at the tune": record.validation is None,
    }
    return ", ".join(name for name, absent in missing.items() if absent)


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


def find_warnings(record: ResultRecord) -> list[str]:
    """What a reader must know before the numbers, in words."""
    return [*_of_input(record), *_of_errors(record), *_of_surrogate(record), *_of_chi2(record), *_of_data(record)]


def _of_errors(record: ResultRecord) -> list[str]:
    said = []
    if undetermined := _undetermined(record):
        said.append(
            f"the data do not determine {', '.join(undetermined)}: an error comparable with the range says no more "
            "than the range did; fix such a parameter (fit.fixed), or add observables that depend on it"
        )
    if record.ndf <= 0:
        any_data = "" if _is_bad(record) else " any data would be described;"
        said.append(f"there are no more bins than parameters:{any_data} add observables")
    said += [f"errors are off on held-out runs: {words}" for words in record.closure.get("warnings", [])]
    said += [note for note in record.notes if note.startswith(UNJUDGED)]
    near = [minimum for minimum in record.other_minima if minimum.above < _AS_GOOD]
    if near:
        many = len(near) > 1
        said.append(
            f"{len(near)} other minim{'a describe' if many else 'um describes'} the data nearly as well, the first "
            f"{near[0].above:.2f} above the tune (see notes): the quoted intervals are those around the tune alone"
        )
    said += [f"errors are off on toys: {words}" for words in record.answer.get("coverage", {}).get("warnings", [])]
    held = [name for name, p in record.parameters.items() if p.status == "at limit"]
    if held:
        said.append(
            f"at the end of {'their ranges' if len(held) > 1 else 'its range'}: {', '.join(held)}; what is quoted "
            "there is how far into the range chi2 rises by 1, which a bend of the surrogate can make too short"
        )
    return said


def _of_surrogate(record: ResultRecord) -> list[str]:
    said = []
    width = _pull_width(record)
    if _width_is_off(record):
        said.append(f"the surrogate's errors are off: pulls of held-out runs have a width of {width:.2f}")
    badly = [row for row in record.worst_observables if _is_badly_learnt(row)]
    if badly:
        some = ", ".join(f"{row['path']} ({row['pull_width']:.2f})" for row in badly)
        said.append(f"the surrogate's errors are too small in {some}: so wide are its pulls of held-out runs there")
    v = record.validation
    if v is not None and v.surrogate_p < TELLING:
        said.append(
            "the surrogate is off at the tune: it differs from the generator there by "
            f"chi2 = {v.surrogate_chi2:.0f} in {v.bins} bins (P = {v.surrogate_p:.1g}); more runs, or "
            "narrower ranges around the tune, will mend that"
        )
    if v is not None and _is_too_wide(v):
        said.append(
            "the surrogate's errors are too large at the tune: its pulls against the generator have a width of "
            f"{v.surrogate_pull:.2f} there, chi2 = {v.surrogate_chi2:.0f} in {v.bins} bins, and errors of parameters "
            "are larger than they had to be; more runs, or more events a run, make them smaller"
        )
    return said


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


def _of_chi2(record: ResultRecord) -> list[str]:
    off, v = _chi2_is_off(record), record.validation
    if not off or v is None:
        return []
    figures = (
        f"with one covariance for both, chi2 is {v.generator_chi2:.0f} with its own run and {v.fit_chi2:.0f} with the "
        f"surrogate, {abs(v.chi2_deviations or 0):.1f} standard deviations {'more' if off > 0 else 'less'} than the "
        "surrogate's errors allow"
    )
    if off > 0:
        return [
            f"the generator describes the data less well than the fit says: {figures}; more runs, or narrower ranges "
            "around the tune, will mend that"
        ]
    return [
        f"the generator describes the data better than the fit says: {figures}. Its errors are too small, and so are "
        "those of the parameters: it is not the data that disagree. More runs, or more events a run, will mend that"
    ]


def _of_input(record: ResultRecord) -> list[str]:
    return [str(Finding(f.kind, f.what, tuple(f.where), f.done)) for f in record.findings if f.kind in TELLING_KINDS]


def _of_data(record: ResultRecord) -> list[str]:
    said = []
    if _is_bad(record):
        said.append(
            f"the data are not described within their errors: chi2 = {record.chi2_unit:.0f} for {record.ndf} degrees "
            "of freedom"
            + ("; errors are quoted with and without the factor by which that scales them" if record.ndf > 0 else "")
        )
    tension = record.answer.get("tension")
    if tension is not None and tension["in_tension"]:
        in_tension = tension["in_tension"]
        given = {row["path"]: row["p_given_rest"] or 0.0 for row in tension["observables"]}
        worst = sorted(in_tension, key=lambda path: given[path])
        some = ", ".join(worst[:6]) + (f" and {len(worst) - 6} more" if len(worst) > 6 else "")
        many = len(in_tension) > 1
        said.append(
            f"{len(in_tension)} observable{'s' if many else ''} disagree{'' if many else 's'} with what a fit to the "
            f"others predicts (P below {TELLING:g}): {some}"
        )
    return said
