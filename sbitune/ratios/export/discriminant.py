"""One number of an event in which templates are binned: a column, or the log ratio of signal to the rest."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.samples import as_columns, read_table
from sbitune.ratios.stages.fitstage import FittedRatios

#: what the log ratio is called
LOG_RATIO = "log ratio of signal to the rest"


class Discriminant(NamedTuple):
    """Its values, of simulated and of observed events."""

    name: str
    held: np.ndarray  #: (n_held,)
    data: np.ndarray  #: (n_events,)
    counts: np.ndarray  #: (n_events,) of the data: 1 each of a measurement
    edges: np.ndarray  #: (n_bins - 1,) between bins; the first and last bin have no end


def find_discriminant(fitted: FittedRatios, interest: str, column: str | None, bins: int) -> Discriminant:
    """The log ratio at the nominal parameters, or a column if one is named.

    Edges part the mean of the distributions of what `interest` scales and of the rest evenly: bins in which there is
    hardly any of both say nothing, and where signal is all there is they are fine.

    Raises `InputError` for a column that the ratios do not see, or if there is no rest.
    """
    mixture = fitted.trained.mixture
    if column is not None and column not in mixture.columns:
        raise InputError(f"observable {column}: the ratios do not see it{nearest(column, mixture.columns)}")
    signal = np.array([process.scale == interest for process in mixture.processes])
    if column is None and signal.all():
        raise InputError(
            f"{interest} scales all samples: there is no ratio to the rest; name a column to bin",
            code="workspace-interest",
        )
    sample: Any = fitted.problem.data[0]
    used = np.flatnonzero(sample.counts != 0)
    if column is None:
        held = _log_ratio(mixture, fitted.loaded.nominal, signal, mixture.prepare(mixture.held.x))
        prepared = [np.asarray(leaf)[used] for leaf in sample.prepared]
        data, name = _log_ratio(mixture, fitted.loaded.nominal, signal, prepared), LOG_RATIO
    else:
        i, card = mixture.columns.index(column), fitted.loaded.card
        held, name = mixture.held.x[:, i], column
        data = held[used]
        if card.data is not None:
            data = as_columns(read_table(fitted.loaded.file(card.data), card), card.columns)[:, i]
    weights = _halves(mixture, signal)
    return Discriminant(name, held, data, np.asarray(sample.counts)[used], _edges(held, weights, bins))


def _log_ratio(
    mixture: Mixture, nominal: Mapping[str, float], signal: np.ndarray, prepared: Sequence[np.ndarray]
) -> np.ndarray:
    """(n_events,) log of the sum of N r over signal, less that over the rest, without responses."""
    numbers = [float(mixture.expected_of(process, nominal)) or process.expected for process in mixture.processes]
    logs = np.stack([np.log(n) + column for n, column in zip(numbers, prepared, strict=False)]).astype(float)
    return np.logaddexp.reduce(logs[signal], axis=0) - np.logaddexp.reduce(logs[~signal], axis=0)


def _halves(mixture: Mixture, signal: np.ndarray) -> np.ndarray:
    """(n_held,) weights with which what is scaled and the rest count a half each."""
    held, weights = mixture.held, np.zeros(len(mixture.held.x))
    for part in (signal, ~signal):
        if part.any():
            rows = part[held.sample]
            for i in np.flatnonzero(part):
                mine = held.sample == i
                weights[mine] = mixture.processes[i].expected * held.weights[mine] / held.weights[mine].sum()
            weights[rows] /= weights[rows].sum()
    return weights


def _edges(values: np.ndarray, weights: np.ndarray, bins: int) -> np.ndarray:
    order = np.argsort(values)
    reached = np.cumsum(np.maximum(weights[order], 0.0))
    places = np.searchsorted(reached, reached[-1] * np.arange(1, bins) / bins)
    return np.unique(values[order][np.minimum(places, len(values) - 1)]).astype(float)


def counts_in(edges: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n_bins,) sums of weights, the first and last bin without end."""
    return np.bincount(np.searchsorted(edges, values, side="right"), weights, len(edges) + 1)
