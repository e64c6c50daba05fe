"""What is asked of a surrogate, and of a kind of surrogates.

`Surrogate` is what evaluates and judges it: any model of bins that predicts many points at once. `TrainedSurrogate` is
what this package makes, widens, stores and describes; `base.BaseSurrogate` answers what a kind need not know of, so
that a new one writes down little more than its prediction. `Kind` trains one, and is found in the `registry`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import Layout
from sbitune.fitting.likelihood.protocols import BinnedModel, Prediction
from sbitune.tuning.surrogates.kindconfig import KindConfig, Scale

Meta = dict[str, Any]
Arrays = dict[str, np.ndarray]


class Surrogate(BinnedModel, Protocol):
    """A `BinnedModel` that can also predict many points at once."""

    @property
    def correlation(self) -> np.ndarray | None:
        """(n_bins, n_bins) how Monte Carlo errors of different bins move together, as far as it is known."""
        ...

    def predict_many(self, theta: np.ndarray) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters): NumPy arrays (n, n_bins)."""
        ...


class Packed(NamedTuple):
    """A surrogate on its way to a file, without what all have: parameters and bins."""

    meta: Meta  #: plain numbers and words
    arrays: Arrays  #: those of a part that belong to the whole carry its name before a slash
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) if it is one of the numbers that are kept
    parts: Mapping[str, "TrainedSurrogate"] = {}  #: the surrogates inside, by name


class Unpacked(NamedTuple):
    """A surrogate on its way from a file."""

    parameters: tuple[Parameter, ...]
    bins: Bins
    correlation: np.ndarray | None
    meta: Meta
    arrays: Arrays  #: compared with the layout; what this does not know, as it stands in the file
    parts: Mapping[str, Any]  #: the surrogates inside, by name
    where: str  #: begins a message: the file


class TrainedSurrogate(Surrogate, Protocol):
    """A surrogate with all that this package asks of it."""

    tag: ClassVar[str]  #: names it in files
    version: ClassVar[int]  #: of its arrays in files
    takes_point: ClassVar[bool]  #: whether some of its errors are an average over the box until a point is named

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        ...

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        ...

    def learnt_covariances(self, theta: np.ndarray, bins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `wider` multiplies of the covariance (k, k) of bins (k,) at theta (n, n_parameters), and the rest."""
        ...

    def wider(self, factor: float) -> Self:
        """The same with the errors of what it learnt multiplied; its means stay, and what components leave."""
        ...

    def near(self, theta: np.ndarray) -> Self:
        """The same with its errors as they are at `theta` (n_parameters,); itself where it does not `takes_point`."""
        ...

    def unknown_parameters(self, indices: np.ndarray) -> list[str]:
        """Names of parameters that none of some bins (n,) may depend on, as runs share measurements of these."""
        ...

    def describe(self) -> dict[str, Any]:
        """Kind and size as plain numbers and words, as results keep them: `kind` is the tag, figures that a result has
        no place for stand under `details`.
        """
        ...

    @classmethod
    def in_words(cls, about: Mapping[str, Any]) -> str:
        """A few sentences on what `describe` gave."""
        ...

    def listed(self) -> dict[str, Any]:
        """What `sbitune ls` says of its file."""
        ...

    def cautions(self, name: str) -> list[str]:
        """What whoever fits it has to know, `name` being its file's."""
        ...

    def legendre(self) -> tuple[int, np.ndarray] | None:
        """Order and coefficients (n_terms, n_bins) of Legendre products, in the order of `basis.list_exponents`, if its
        means are such polynomials of the parameters; None otherwise.
        """
        ...

    def kernel_form(self, bins: np.ndarray) -> Any:
        """The means of some bins (n_bins,) as a `forms.kernelform.KernelForm`; None if they have none."""
        ...

    def independent_outputs(self, scan: Scan) -> tuple[Any, ...]:
        """What it learnt from a scan, as `forms.independent.Outputs`; none if a run's effect cannot be foretold."""
        ...

    def pack(self) -> Packed:
        """What a file keeps of it."""
        ...

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """What its arrays have to be like."""
        ...

    @classmethod
    def sizes(cls, meta: Meta, arrays: Arrays) -> dict[str, int]:
        """Lengths of arrays that meta tells, beside `n_parameters`. Raises `InputError` for numbers that are none."""
        ...

    @classmethod
    def part_names(cls, meta: Meta) -> Sequence[str]:
        """Names of the surrogates inside."""
        ...

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """Make it from what a file has. Raises `InputError` for arrays that do not fit together."""
        ...


@runtime_checkable
class WithoutDefaults(Protocol):
    """A surrogate whose file knows no values before tuning: they are filled in where the generator does."""

    def with_parameters(self, parameters: tuple[Parameter, ...]) -> Any:
        """The same with what is known of the parameters."""
        ...


#: scales in the order in which they are tried, and what is learnt then in words
SCALES: tuple[Scale, ...] = ("linear", "log")
LEARNT: Mapping[Scale, str] = {"linear": "contents", "log": "logarithms"}
#: turns of the automatic choice: all scales; the better of them; where none is good enough the others, and the rest
Turn = Literal["first", "better scale", "other scales", "last"]
TURNS: tuple[Turn, ...] = ("first", "better scale", "other scales", "last")


class Candidate(NamedTuple):
    """What the automatic choice may try."""

    name: str  #: in tables
    config: KindConfig
    simplicity: int  #: of those that are as good as the best the one with the smallest number is taken
    scale: Scale | None = None  #: of what is learnt; None: the choice of scales is not concerned


class Kind(Protocol):
    """How surrogates of one kind are trained, and when the automatic choice tries them."""

    config: type[KindConfig]  #: what describes one
    surrogate: type[TrainedSurrogate]  #: what is trained: by itself, or inside of components

    def train(self, key: Any, scan: Scan, config: Any, progress: Any = None) -> TrainedSurrogate:
        """Train on a scan whose runs share no measurements.

        Args:
            key: a typed random key.
            scan: the runs.
            config: of the type `config`.
            progress: called after every epoch, where there are epochs.

        Raises:
            InputError: too few runs for the config.
            ComputationError: the training failed.
        """
        ...

    def candidate(self, config: Any, turn: Turn, scale: Scale) -> Candidate | None:
        """What is tried in a turn: asked once for each scale of the turn; in the last for the scale with which this
        kind was best so far. None: nothing.
        """
        ...


def takes_point(model: BinnedModel) -> bool:
    """Whether some errors of a model are an average over the box until a point is named; any model of bins will do."""
    return bool(getattr(model, "takes_point", False))


def near_point(model: Any, theta: np.ndarray) -> Any:
    """A model with these errors as they are at `theta` (n_parameters,); itself, if it has none."""
    return model.near(theta) if takes_point(model) else model


def unknown_parameters(model: Any, indices: np.ndarray) -> list[str]:
    """Names of parameters that none of some bins (n,) of a model may depend on, as runs have these from measurements
    that they share; none for a model that knows nothing of runs.
    """
    return model.unknown_parameters(indices) if hasattr(model, "unknown_parameters") else []
