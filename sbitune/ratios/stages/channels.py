"""What a fit says of each region: numbers of events, simulated events behind them, columns and bins beside the data."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import stats

from sbitune.fitting.likelihood.histfactory.channel import Channel
from sbitune.fitting.likelihood.product import Product, named
from sbitune.fitting.likelihood.terms.counts import deviance
from sbitune.fitting.likelihood.terms.unbinned import Sample, UnbinnedEvents
from sbitune.fitting.results import Fit
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.checks.closure import column_closure
from sbitune.ratios.mixture.errors import ratio_covariance
from sbitune.ratios.mixture.floating import FloatingMixture
from sbitune.ratios.record import ChannelRecord
from sbitune.ratios.stages.fitting import ASIMOV, Regions, nominal_of, pool_of, terms_of_events
from sbitune.ratios.stages.observed import Observed
from sbitune.ratios.stages.problem import data_of, terms_of_counts
from sbitune.ratios.stages.training import TrainedRatios


def describe_regions(
    loaded: RatiosCardFile,
    trained: TrainedRatios,
    problem: Product,
    data: Mapping[str, Observed] | None,
    best: Fit,
    expected: Mapping[str, Sample],
) -> Regions:
    """Every region at a fit; `expected` are its events. Raises as `ratio_covariance`."""
    with problem.computing():
        given = named(problem.parameters, jnp.asarray(best.values))
        nominal = {name: jnp.asarray(value) for name, value in nominal_of(problem).items()}
    channels, columns, covariance = [], [], np.zeros_like(best.covariance)
    for name, term in terms_of_events(problem).items():
        mixture, sample, card = trained.regions[name].mixture, data_of(problem, name), loaded.event_regions[name].card
        counts = np.asarray(sample.counts)
        with problem.computing():
            channels.append(_events(term, given, nominal, expected[name], counts, card.data))
        x = mixture.pool[0] if data is None else data[name].x
        apart = not isinstance(term.model, FloatingMixture)
        covariance += ratio_covariance(mixture, problem, best, x, counts[: len(x)], name, apart)
        if data is not None:
            weights = expected[name].counts
            what = "data" if len(trained.regions) == 1 else f"data, {name}"
            source = *mixture.pool, weights / weights.sum()
            columns += column_closure(what, card.columns, (x, data[name].counts), source)
    for name, term in terms_of_counts(problem).items():
        channel: Any = term.expected.__self__
        source = ASIMOV if data is None else loaded.counted.sources[name] or "card"
        with problem.computing():
            channels.append(_counts(channel, given, nominal, np.asarray(data_of(problem, name)), source))
    return Regions(channels, columns, covariance)


def _events(
    term: UnbinnedEvents,
    given: Mapping[str, Any],
    nominal: Mapping[str, Any],
    expected: Sample,
    counts: np.ndarray,
    file: str | None,
) -> ChannelRecord:
    mixture = term.model
    before, fitted = (
        {p.name: [float(mixture.expected_of(p, theta))] for p in mixture.processes} for theta in (nominal, given)
    )
    return ChannelRecord(
        name=term.name,
        kind="events",
        data=file or ASIMOV,
        observed=[float(counts.sum())],
        nominal=before,
        fitted=fitted,
        pool=pool_of(term, given, expected),
    )


def _counts(
    channel: Channel, given: Mapping[str, Any], nominal: Mapping[str, Any], observed: np.ndarray, source: str
) -> ChannelRecord:
    before, fitted = (np.asarray(channel.expected_samples(theta)) for theta in (nominal, given))
    names = [sample.name for sample in channel.samples]
    statistic = float(deviance(fitted.sum(axis=0), observed))
    return ChannelRecord(
        name=channel.name,
        kind="counts",
        data=source,
        observed=observed.tolist(),
        nominal=dict(zip(names, before.tolist(), strict=True)),
        fitted=dict(zip(names, fitted.tolist(), strict=True)),
        statistic=statistic,
        p_value=float(stats.chi2.sf(statistic, len(observed))),
    )
