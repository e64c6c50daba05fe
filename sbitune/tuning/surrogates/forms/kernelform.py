"""Means of Gaussian processes in few numbers, for whoever can evaluate an exponential (a page in a browser, say).

With K_g(theta) = (k(theta, theta_i))_i over the runs i, every output of a process is shift + scale K_g(theta) . alpha;
bins are sums of outputs times loadings, or outputs themselves. Nothing is approximated.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.scan import Parameter
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate
from sbitune.tuning.surrogates.gaussian.kernels import Form, kernel
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate
from sbitune.tuning.surrogates.regression.inputs import make_features


class Part(NamedTuple):
    """Outputs that share runs."""

    log_inputs: np.ndarray  #: (n_parameters,) True for parameters whose logarithm is an input, too
    inputs: np.ndarray  #: (n_runs, n_features) see `inputs.make_features`
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


def kernel_form(surrogate: Any, bins: np.ndarray) -> KernelForm | None:
    """The form of some bins (n_bins,) of a surrogate; None if it is not one of Gaussian processes."""
    if isinstance(surrogate, JoinedSurrogate):
        return _of_blocks(surrogate, bins)
    if isinstance(surrogate, GaussianSurrogate):
        log = surrogate.posterior.log[bins]
        alone = _part(surrogate, bins)._replace(places=np.arange(len(bins)))
        return KernelForm(surrogate.parameters, np.zeros(len(bins)), log, (alone,))
    if not isinstance(surrogate, ComponentSurrogate) or not isinstance(surrogate.inner, GaussianSurrogate):
        return None
    components = surrogate.components
    every = np.arange(len(components.loadings))
    parts = [_part(surrogate.inner, every)._replace(loadings=components.loadings[:, bins])]
    if surrogate.left is not None:
        if not isinstance(surrogate.left, GaussianSurrogate):
            return None
        outputs, places = _chosen(surrogate.left_bins, bins)
        parts.append(_part(surrogate.left, outputs)._replace(places=places))
    return KernelForm(surrogate.parameters, components.centre[bins], components.log[bins], tuple(parts))


def _of_blocks(surrogate: JoinedSurrogate, bins: np.ndarray) -> KernelForm | None:
    n, found = len(surrogate.parameters), []
    centre, log = np.zeros(len(bins)), np.zeros(len(bins), bool)
    for member in surrogate.members:
        outputs, places = _chosen(member.bins, bins)
        form = kernel_form(member.surrogate, outputs)
        if form is None:
            return None
        centre[places], log[places] = form.centre, form.log
        found += [_among_all(part, member.columns, n, places, len(bins)) for part in form.parts]
    return KernelForm(surrogate.parameters, centre, log, tuple(found))


def _among_all(part: Part, columns: np.ndarray, n_parameters: int, places: np.ndarray, n_bins: int) -> Part:
    """A part that knows some of the parameters (columns) and bins (places), as one of all: it does not move with the
    others, as its runs lie at 0 in these and its metric has no length along them.
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
    loadings = None
    if part.loadings is not None:
        loadings = np.zeros((len(part.loadings), n_bins))
        loadings[:, places] = part.loadings
    of_all = {"loadings": loadings, "places": places[part.places]}
    return part._replace(log_inputs=log_inputs, inputs=inputs, metric=metric, **of_all)


def _part(surrogate: GaussianSurrogate, outputs: np.ndarray) -> Part:
    post = surrogate.posterior
    group = post.group[outputs]
    alpha = np.empty((len(outputs), len(surrogate.inputs)))
    for g in np.unique(group):
        alpha[group == g] = post.weights[outputs[group == g]] @ post.vectors[g].T
    return Part(
        log_inputs=surrogate.log_inputs,
        inputs=surrogate.inputs,
        metric=post.metric,
        line=post.line,
        group=group,
        alpha=alpha * post.scale[outputs, None],
        shift=post.shift[outputs],
        loadings=None,
        places=np.zeros(0, int),
    )


def _chosen(own: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of outputs for bins `own`, those whose bin is chosen, and where it is among the chosen."""
    where = {int(b): place for place, b in enumerate(bins)}
    pairs = [(output, where[int(b)]) for output, b in enumerate(own) if int(b) in where]
    outputs, places = np.array(pairs, int).reshape(-1, 2).T
    return outputs, places
