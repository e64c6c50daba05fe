"""What the parts of `result.yaml` hold that are tables of figures: read as dictionaries, every number of its type."""

from typing import NotRequired, Required, TypedDict


class StartRecord(TypedDict):
    """Where a start of the minimiser ended, with the surrogate's error of the middle of the box."""

    theta: list[float]  #: (n_parameters,)
    chi2: float
    valid: bool


class ExcludedRecord(TypedDict):
    """Something selected that is not in the fit."""

    bin: str
    reason: str


class ChoiceRecord(TypedDict):
    """A kind of surrogate on held-out runs, see `choice.judge.Score`."""

    name: str
    log_density: float
    behind: float
    behind_error: float
    rms_pull: float
    pull_width: float


class WorstObservableRecord(TypedDict):
    """An observable on held-out runs, see `choice.judge.Observable`."""

    path: str
    bins: int
    rms_pull: float
    error: float
    pull_width: float


class ParameterCoverageRecord(TypedDict):
    """Of one parameter, in errors or as a part of the fits."""

    bias: float
    bias_error: float
    pull_width: float
    pull_width_error: float
    coverage68: float
    coverage68_error: float
    coverage95: float
    coverage95_error: float
    at_limit: NotRequired[int]


class CoverageRecord(TypedDict, total=False):
    """Figures of `sbitune.fitting.checks.coverage`, all of those that are read or none at all."""

    fits: int
    coverage68: float
    coverage68_error: float
    coverage95: float
    coverage95_error: float
    pull_width: float
    pull_width_error: float
    quoted68: float
    quoted95: float
    mean_relative_error: float
    mean_error_of_range: float
    chi2_per_ndf: float
    failed: int
    rough: int
    parameters: dict[str, ParameterCoverageRecord]
    failures: list[str]
    warnings: list[str]


class GoodnessRecord(TypedDict):
    """How often toys are described no better than the data."""

    p_value: float
    p_error: float
    asymptotic: float | None
    expected_chi2: NotRequired[float]
    toys: int
    failed: NotRequired[int]


class ObservableTensionRecord(TypedDict):
    """One observable against what a fit to all others predicts."""

    path: str
    bins: int
    chi2: float
    p: float
    p_given_rest: float | None
    moves: NotRequired[str]
    moves_by: NotRequired[float]


class BinPullRecord(TypedDict):
    """A bin far from what all others predict, in errors."""

    bin: str
    pull: float


class TensionRecord(TypedDict):
    """What disagrees with what."""

    observables: list[ObservableTensionRecord]
    in_tension: list[str]
    bins: list[BinPullRecord]


class TheoryErrorRecord(TypedDict):
    """See `sbitune.fitting.binned.theory.TheoryError`."""

    path: str
    relative: float
    low: float
    high: float
    fitted: bool


class DownweightedRecord(TypedDict):
    """See `sbitune.fitting.binned.robust.Downweighted`."""

    label: str
    weight: float
    pull: float


class MetricsRecord(TypedDict):
    """See `sbitune.fitting.binned.autoweights.Metrics`."""

    outer: float
    weighted_chi2: float
    chi2: float
    a_optimality: float
    d_optimality: float
    chi2_per_bin: NotRequired[dict[str, float]]


BothMetricsRecord = TypedDict("BothMetricsRecord", {"automatic": MetricsRecord, "as given": MetricsRecord})


class ValueRecord(TypedDict):
    """A parameter of another fit."""

    value: float
    error: float


class WeightsRecord(TypedDict):
    """Weights that were chosen automatically."""

    weights: dict[str, float]
    metrics: BothMetricsRecord
    as_given: dict[str, ValueRecord]


class AnswerRecord(TypedDict, total=False):
    """How sure a tune is, see `sbitune.tuning.stages.assessment`."""

    tension: TensionRecord
    near: dict[str, float]  #: parameter -> where the surrogate's errors are taken
    theory_errors: list[TheoryErrorRecord]
    downweighted: list[DownweightedRecord]
    automatic_weights: WeightsRecord
    goodness: GoodnessRecord
    coverage: CoverageRecord
    unjudged: str  #: why toys could not judge the tune


class SurrogateFigures(TypedDict, total=False):
    """Kind and size of a surrogate, see `sbitune.tuning.surrogates.description`."""

    kind: Required[str]
    file: str
    order: int
    order_of_errors: int
    numerator: int
    denominator: int
    least_denominator: float
    groups: int
    members: int
    hidden: list[int]
    components: int
    bins_of_their_own: int
    whitened: bool
    details: dict[str, float | int | str | bool | list[int]]  #: what only one kind says of itself
    median_chi2_per_ndf: float
    components_median_chi2_per_ndf: float
    chosen: str
    held_out_runs: int


class BlockRecord(SurrogateFigures):
    """A part of a joined surrogate: some bins, and the parameters that they depend on."""

    bins: int
    measurements: int
    parameters: list[str]
    observables: list[str]


class SurrogateRecord(SurrogateFigures, total=False):
    """The whole surrogate."""

    blocks: list[BlockRecord]


class AboutRecord(SurrogateRecord, total=False):
    """What is known of a surrogate: its kind, and what held-out runs say of it."""

    choice: list[ChoiceRecord]
    worst_observables: list[WorstObservableRecord]
    closure: CoverageRecord
