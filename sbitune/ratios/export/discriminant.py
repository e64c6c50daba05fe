"""One number of an event in which templates are binned: a column, or the log ratio of signal to the rest."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.fitting.likelihood.terms.unbinned import Sample
from sbitune.ratios.card import EVENTS, RatiosCardFile
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.samples import as_columns, read_table
from sbitune.ratios.stages.fitstage import FittedRatios
from sbitune.ratios.stages.problem import data_of

#: what the log ratio is called, and what is left where there is none
LOG_RATIO, NUMBER = "log ratio of signal to the rest", "number of events"


class EventRegion(NamedTuple):
    """A region of events of a fit."""

    name: str
    loaded: RatiosCardFile  #: the card of this region
    mixture: Mixture
    sample: Sample  #: its data


def regions_of(fitted: FittedRatios) -> list[EventRegion]:
    """All regions of events of a fit, that of the card itself first."""
    return [
        EventRegion(name, fitted.loaded.event_regions[name], one.mixture, data_of(fitted.problem, name))
        for name, one in fitted.trained.regions.items()
    ]


class Discriminant(NamedTuple):
    """Its values, of simulated and of observed events."""

    name: str
    held: np.ndarray  #: (n_held,)
    data: np.ndarray  #: (n_events,)
    counts: np.ndarray  #: (n_events,) of the data: 1 each of a measurement
    edges: np.ndarray  #: (n_bins - 1,) between bins; the first and last bin have no end


def find_discriminant(region: EventRegion, interest: str, column: str | None, bins: int) -> Discriminant:
    """The log ratio at the nominal parameters, or a column if one is named. In a further region that knows neither the
    column nor signal beside a rest, events are counted in one bin.

    Edges part the mean of the distributions of what `interest` scales and of the rest evenly: bins in which there is
    hardly any of both say nothing, and where signal is all there is they are fine.

    Raises `InputError` for a column that the ratios do not see, or if there is no rest.
    """
    mixture, further = region.mixture, region.name != EVENTS
    if column is not None and column not in mixture.columns and not further:
        raise InputError(f"observable {column}: the ratios do not see it{nearest(column, mixture.columns)}")
    signal = np.array([process.scale == interest for process in mixture.processes])
    sample = region.sample
    used = np.flatnonzero(sample.counts != 0)
    counts = np.asarray(sample.counts)[used]
    if further and (column not in mixture.columns if column is not None else signal.all() or not signal.any()):
        return Discriminant(NUMBER, np.zeros(len(mixture.held.x)), np.zeros(len(used)), counts, np.zeros(0))
    if column is None and signal.all():
        raise InputError(
            f"{interest} scales all samples: there is no ratio to the rest; name a column to bin",
            code="workspace-interest",
        )
    nominal = region.loaded.nominal
    if column is None:
        held = _log_ratio(mixture, nominal, signal, mixture.prepare(mixture.held.x))
        prepared = [np.asarray(leaf)[used] for leaf in sample.prepared]
        data, name = _log_ratio(mixture, nominal, signal, prepared), LOG_RATIO
    else:
        i, card = mixture.columns.index(column), region.loaded.card
        held, name = mixture.held.x[:, i], column
        data = held[used]
        if card.data is not None:
            data = as_columns(read_table(region.loaded.file(card.data), card), card.columns)[:, i]
    weights = _halves(mixture, signal)
    return Discriminant(name, held, data, counts, _edges(held, weights, bins))


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
