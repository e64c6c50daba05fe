"""What `result.yaml` holds: a tune and its provenance, every part of its type."""

from typing import Literal

import msgspec

from sbitune.tuning.record.parts import (
    AnswerRecord,
    ChoiceRecord,
    CoverageRecord,
    ExcludedRecord,
    StartRecord,
    SurrogateRecord,
    WorstObservableRecord,
)
from sbitune.workflow.results.checks import Check
from sbitune.workflow.results.fits import MinimumRecord


class ParameterRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One parameter of the tune."""

    value: float
    error: float
    """Symmetric error, that of data and surrogate propagated; 0 if fixed. At a limit: how far into the range the
    interval goes."""
    minos: tuple[float, float] | None
    """Lower (negative) and upper MINOS error."""
    scaled_error: float
    """The error times sqrt(chi2/ndf) where that is above 1, as the Particle Data Group scales."""
    default: float | None
    """Value before tuning."""
    low: float
    high: float
    status: Literal["free", "fixed", "at limit"]
    limits: tuple[float, float] | None = None
    """Of the fit, where they are narrower than low and high."""

    @property
    def one_sided(self) -> tuple[float, float] | None:
        """The interval of a parameter at the end of its range, which says how far into it; None for others."""
        return self.minos if self.status == "at limit" else None


class ObservableRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One observable, chi2 with unit weights."""

    path: str
    bins: int
    weight: float
    chi2: float
    """Of the surrogate at the tune, its error included."""
    chi2_tuned: float | None = None
    """Of the validation run at the tune, its MC error included."""
    chi2_default: float | None = None
    """Of the validation run before tuning."""


class ValidationRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The generator run again at the tune and before it, chi2 with unit weights."""

    events: int
    bins: int
    chi2_tuned: float
    chi2_tuned_error: float
    """From the number of events of the run: what another run would scatter by."""
    chi2_default: float | None
    chi2_default_error: float | None
    weighted_tuned: float
    """The same with the card's weights, squared: what the fit minimises."""
    weighted_default: float | None
    surrogate_pull: float
    """rms of (surrogate - run)/error at the tune, both errors included: 1 if the surrogate is right."""
    surrogate_chi2: float
    """The same with the covariance of both, summed over the bins."""
    surrogate_p: float
    """How often surrogate_chi2 is higher by chance."""
    files: dict[str, str] = {}
    """Hashes of the merged runs in work/validation."""
    fit_chi2: float | None = None
    """Of the surrogate with the data, with the covariance of data, run and surrogate."""
    generator_chi2: float | None = None
    """Of the run with the data, with the same covariance."""
    chi2_deviations: float | None = None
    """By how many standard deviations generator_chi2 is higher than fit_chi2 lets expect; negative: lower."""


class FindingRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One thing that was found in the input, see `sbitune.data.checks.examination`."""

    kind: str
    what: str
    where: list[str]
    """Parameters, runs or bins, all of them."""
    done: str
    """What sbitune did about it, and what the user can do."""


class ErrorSourceRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An error source of the data, see `sbitune.data.error_sources`."""

    label: str
    bins: Literal["independent", "shared"]
    """independent: of one another; shared: all bins of an observable move together."""
    why: str
    """What of the label, or of the card, says so."""
    observables: int
    """In how many it is taken so."""


class ResultRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A tune and its provenance."""

    format: int
    title: str
    status: str
    verdict: str = ""
    """What the checks say of the tune, in a sentence."""
    checks: list[Check] = []
    """Every check of the tune with its outcome, the heaviest first."""
    warnings: list[str] = []
    """What a reader must know before the numbers: errors that are off, what disagrees with what."""
    chi2: float
    """Minimum of the objective, weights squared."""
    chi2_unit: float
    ndf: int
    parameters: dict[str, ParameterRecord]
    covariance: list[list[float]]
    correlation: list[list[float]]
    observables: list[ObservableRecord]
    excluded: list[ExcludedRecord]
    notes: list[str]
    minima: list[StartRecord]
    surrogate: SurrogateRecord
    provenance: dict[str, str | int | float | dict[str, str]]
    validation: ValidationRecord | None = None
    answer: AnswerRecord = {}
    """How sure the tune is: tension, theory errors, weights, goodness of fit and coverage by toys, see `answer`."""
    hesse_difference: float | None = None
    """Largest relative difference between MINUIT's numerical errors and those of the exact second derivatives."""
    other_minima: list[MinimumRecord] = []
    """Minima that are not the tune, lowest first."""
    choice: list[ChoiceRecord] = []
    """What held-out runs say of the surrogate, and of the kinds that were compared with it, best first."""
    worst_observables: list[WorstObservableRecord] = []
    """The observables that the surrogate describes worst in these runs, worst first."""
    closure: CoverageRecord = {}
    """These runs fitted as data: coverage and widths of the errors, see `sbitune.fitting.checks.coverage`."""
    findings: list[FindingRecord] = []
    """What was found in the scan and in the data."""
    error_sources: list[ErrorSourceRecord] = []
    """What error sources of the data are taken for, and from what."""
