"""The top of the page of a tune: verdict, warnings, the tune beside the values before it, and the fit."""

import numpy as np

from sbitune.generators.config import PythiaConfig
from sbitune.report.pieces.parts import Paragraph
from sbitune.report.pieces.verdicts import verdict_paragraphs
from sbitune.tuning.inverse.inside import ALARMING
from sbitune.tuning.inverse.stage import InverseRecord
from sbitune.tuning.record.types import ResultRecord, ValidationRecord
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.verdict import find_checks, verdict_from

#: a difference of chi2 is one if it is larger than so many of its errors
_SURE = 2.0
#: groups of Pythia's settings that belong to a tune
_OF_A_TUNE = (
    "tune:",
    "string",
    "timeshower",
    "spaceshower",
    "multiparton",
    "colourreconnection",
    "beamremnants",
    "hadronlevel",
)


def summary(fitted: Fitted, inverse: InverseRecord | None) -> list[Paragraph]:
    """What a reader must know first."""
    record = fitted.record
    verdict = verdict_from(record.checks or find_checks(record))._replace(words=record.verdict)
    parts = verdict_paragraphs(verdict, record.warnings)
    if inverse is not None and inverse.inside["p_value"] < ALARMING:
        words = "The inverse model finds that the data are not like anything that the scan produces: see below."
        parts.append(Paragraph(words, "warning"))
    if record.validation is not None and record.validation.chi2_default is not None:
        parts.append(_verdict(record.validation, before(fitted)))
    words = (
        f"Fit: chi2 = {record.chi2:.1f} for {record.ndf} degrees of freedom "
        f"({record.chi2 / max(record.ndf, 1):.2f} each), {record.status}."
    )
    if record.chi2_unit > record.ndf > 0:
        words += (
            " chi2 exceeds its expectation: the model does not describe all bins within their errors. Errors are those "
            "of data and surrogate, propagated, and, scaled, times sqrt(chi2/ndf)"
            f"{_of_unit_weights(record)} = {np.sqrt(record.chi2_unit / record.ndf):.2f}."
        )
    parts.append(Paragraph(words))
    parts += [Paragraph(note, "warning") for note in record.notes]
    return parts


def before(fitted: Fitted) -> str:
    """What the values before tuning are called."""
    if isinstance(fitted.loaded.card.generator, PythiaConfig) and _is_monash(fitted):
        return "Monash 2013"
    return "the values before tuning"


def _is_monash(fitted: Fitted) -> bool:
    settings = [s.replace(" ", "").lower() for s in fitted.loaded.card.generator.settings]  # type: ignore[union-attr]
    changed = any(setting.startswith(_OF_A_TUNE) for setting in settings)
    return not changed and all(p.default is None for p in fitted.loaded.card.parameters.values())


def _of_unit_weights(record: ResultRecord) -> str:
    """Say that chi2 is that of unit weights where that is another."""
    if abs(record.chi2_unit - record.chi2) < 1e-3 * record.chi2:
        return ""
    return f" of unit weights, for which chi2 is {record.chi2_unit:.1f},"


def _verdict(v: ValidationRecord, name: str) -> Paragraph:
    assert v.chi2_default is not None
    assert v.chi2_default_error is not None
    assert v.weighted_default is not None
    weighted = ""
    if abs(v.weighted_tuned - v.chi2_tuned) > 1e-6 * v.chi2_tuned:
        weighted = f"; with the card's weights {v.weighted_tuned:.1f} against {v.weighted_default:.1f}"
    gain, error = v.chi2_default - v.chi2_tuned, np.hypot(v.chi2_tuned_error, v.chi2_default_error)
    if abs(gain) < _SURE * error:
        alike = "by chi2 with unit weights " if weighted else ""
        said, kind = f"Tune and {name} cannot be told apart {alike}on this data", "verdict bad"
    elif gain > 0:
        said, kind = f"The tune beats {name} on this data", "verdict"
    else:
        said, kind = f"The tune does not beat {name} on this data", "verdict bad"
    words = (
        f"{said}: generated with {v.events:,} events each, chi2 is {v.chi2_tuned:.0f} ± {v.chi2_tuned_error:.0f} "
        f"against {v.chi2_default:.0f} ± {v.chi2_default_error:.0f} in {v.bins} bins "
        f"({v.chi2_tuned / v.bins:.2f} against {v.chi2_default / v.bins:.2f} a bin{weighted}); it is lower by "
        f"{gain:.0f} ± {error:.0f}, the errors being those of the number of events."
    )
    return Paragraph(words, kind)
