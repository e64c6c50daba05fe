"""What is noted of a training and its checks, in `work/` and in the result."""

import msgspec

from sbitune.ratios.mixture.learning import Learned


class SampleRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Events of one sample."""

    name: str
    file: str
    train: int
    validation: int
    held: int
    effective: float
    """Events of weight 1 that say as much as all."""
    negative: float
    """Part of the weight that is negative."""
    calibration: int = 0
    """Events that calibrated its ratio."""
    mean_ratio: float | None = None
    """E_ref[r] over held events, before it was made 1."""
    mean_ratio_error: float | None = None
    unsupported: float | None = None
    """Part of the weight where an event of the reference would stand for more than a hundred."""


class ColumnClosure(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One column of held events that were reweighted, beside the events that they should become."""

    what: str
    """The sample, or sample and nuisance parameter with its value."""
    column: str
    edges: list[float]
    """(n_bins + 1,)"""
    target: list[float]
    """(n_bins,) part of the events."""
    target_error: list[float]
    before: list[float]
    """(n_bins,) of what was reweighted, before."""
    after: list[float]
    """(n_bins,) and after."""
    after_error: list[float]
    chi2: float
    ndf: int
    p_value: float
    effective: float
    """Effective number of events that were reweighted."""


class CalibrationCurve(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How often events are of a sample, where the ratio says how often, in an equal mixture of it and the rest."""

    sample: str
    predicted: list[float]
    """(n_bins,) mean of what the ratio says."""
    observed: list[float]
    """(n_bins,) part of the weight that is of the sample."""
    error: list[float]
    chi2: float
    ndf: int
    p_value: float


class MeanAlong(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """E_nominal[p(x|nu)/p(x|0)] along a nuisance parameter, over validation events, which did not normalise it."""

    sample: str
    nuisance: str
    values: list[float]
    mean: list[float]
    error: list[float]
    without: list[float]
    """The same before the response was normalised."""


class TrainingRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A training: its samples, how it went, and its checks."""

    samples: list[SampleRecord]
    learned: list[Learned]
    closure: list[ColumnClosure]
    calibration: list[CalibrationCurve]
    means: list[MeanAlong]
    cpu_seconds: float
