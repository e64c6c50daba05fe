"""Means of Gaussian processes in few numbers, for whoever can evaluate an exponential (a page in a browser, say).

With K_g(theta) = (k(theta, theta_i))_i over the runs i, every output of a process is shift + scale K_g(theta) . alpha;
bins are sums of outputs times loadings, or outputs themselves. Nothing is approximated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sbitune.data.parameter import Parameter
from sbitune.tuning.surrogates.forms.kernel import Form, kernel
from sbitune.tuning.surrogates.regression.inputs import make_features


class Part(NamedTuple):
    """Outputs that share runs."""

    log_inputs: np.ndarray  #: (n_parameters,) True for parameters whose logarithm is an input, too
    inputs: np.ndarray  #: (n_runs, n_features) see `regression.inputs.make_features`
    metric: np.ndarray  #: (n_groups, n_features, n_features) of their kernels
    line: np.ndarray  #: (n_groups,) of their kernels
    group: np.ndarray  #: (n_outputs,) which kernel
    alpha: np.ndarray  #: (n_outputs, n_runs) scale included
    shift: np.ndarray  #: (n_outputs,)
    loadings: np.ndarray | None  #: (n_outputs, n_bins) how outputs move bins; None: an output is added to its own bin
    places: np.ndarray  #: (n_outputs,) which bin that is

    @property
    def size(self) -> int:
        """How many numbers these are."""
        return self.inputs.size + self.alpha.size + (0 if self.loadings is None else self.loadings.size)

    def add_to(self, mean: np.ndarray, theta: np.ndarray, parameters: tuple[Parameter, ...]) -> None:
        """Add to means (n, n_bins) on the fitted scale what these say at theta (n, n_parameters)."""
        x = make_features(theta, parameters, self.log_inputs, np)
        outputs = np.tile(self.shift, (len(theta), 1))
        for g, form in enumerate(Form(m, float(c)) for m, c in zip(self.metric, self.line, strict=True)):
            mine = self.group == g
            outputs[:, mine] += kernel(x, self.inputs, form) @ self.alpha[mine].T
        if self.loadings is not None:
            mean += outputs @ self.loadings
        else:
            mean[:, self.places] += outputs


@dataclass(frozen=True, eq=False)
class KernelForm:
    """The means of a surrogate of Gaussian processes."""

    parameters: tuple[Parameter, ...]
    centre: np.ndarray  #: (n_bins,) to which the parts are added, on the fitted scale
    log: np.ndarray  #: (n_bins,) True where the fitted scale is the logarithm
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """How many numbers these are, the small arrays apart."""
        return sum(part.size for part in self.parts)

    def means(self, theta: np.ndarray) -> np.ndarray:
        """Contents (n, n_bins) at theta (n, n_parameters)."""
        mean = np.tile(self.centre, (len(theta), 1))
        for part in self.parts:
            part.add_to(mean, np.asarray(theta, np.float64), self.parameters)
        return np.where(self.log, np.exp(np.where(self.log, mean, 0.0)), mean)


def of_components(
    inner: KernelForm, centre: np.ndarray, log: np.ndarray, loadings: np.ndarray, left: KernelForm | None = None
) -> KernelForm | None:
    """The form of bins (n_bins,) that are a centre and components times loadings (n_components, n_bins); `left`, in
    which an output is added to its own bin, comes on top. None where components are no sums of kernels.
    """
    if inner.log.any() or any(part.loadings is not None for part in inner.parts):
        return None
    nowhere = np.zeros(0, int)
    parts = [part._replace(loadings=loadings[part.places], places=nowhere) for part in inner.parts]
    centre = centre + inner.centre @ loadings
    return KernelForm(inner.parameters, centre, log, (*parts, *(() if left is None else left.parts)))


def at_places(form: KernelForm, own: np.ndarray, n_bins: int) -> KernelForm:
    """The form of some bins as one of n_bins, among which they have the places `own` (n,); the others are 0."""
    centre, log = np.zeros(n_bins), np.zeros(n_bins, bool)
    centre[own], log[own] = form.centre, form.log
    parts = [_at(part, own, n_bins) for part in form.parts]
    return KernelForm(form.parameters, centre, log, tuple(parts))


def _at(part: Part, own: np.ndarray, n_bins: int) -> Part:
    loadings = None
    if part.loadings is not None:
        loadings = np.zeros((len(part.loadings), n_bins))
        loadings[:, own] = part.loadings
    return part._replace(loadings=loadings, places=own[part.places])


def of_blocks(
    parameters: tuple[Parameter, ...], n_bins: int, blocks: Iterable[tuple[KernelForm, np.ndarray, np.ndarray]]
) -> KernelForm:
    """The form of blocks: that of each, which of the parameters it knows, and the places of its bins."""
    centre, log, parts = np.zeros(n_bins), np.zeros(n_bins, bool), []
    for form, columns, places in blocks:
        placed = at_places(form, places, n_bins)
        centre, log = centre + placed.centre, log | placed.log
        parts += [_among_all(part, columns, len(parameters)) for part in placed.parts]
    return KernelForm(parameters, centre, log, tuple(parts))


def _among_all(part: Part, columns: np.ndarray, n_parameters: int) -> Part:
    """A part that knows some of the parameters (columns) as one of all: it does not move with the others, as its runs
    lie at 0 in these and its metric has no length along them.
    """
    log_inputs = np.zeros(n_parameters, bool)
    log_inputs[columns] = part.log_inputs
    logs = np.searchsorted(np.flatnonzero(log_inputs), columns[part.log_inputs])
    features = np.concatenate([columns, n_parameters + logs])
    size = n_parameters + int(log_inputs.sum())
    inputs = np.zeros((len(part.inputs), size))
    inputs[:, features] = part.inputs
    metric = np.zeros((len(part.metric), size, size))
    metric[np.ix_(np.arange(len(metric)), features, features)] = part.metric
    return part._replace(log_inputs=log_inputs, inputs=inputs, metric=metric)


def chosen_among(own: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of outputs for bins `own`, those whose bin is chosen, and where it is among the chosen."""
    where = {int(b): place for place, b in enumerate(bins)}
    pairs = [(output, where[int(b)]) for output, b in enumerate(own) if int(b) in where]
    outputs, places = np.array(pairs, int).reshape(-1, 2).T
    return outputs, places
