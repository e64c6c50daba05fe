"""Asimov data: what is expected at given parameters, in place of what was observed (G. Cowan et al., arXiv:1007.1727).

Counts are the expected ones, auxiliary measurements the parameters, events those of a simulated pool with the weights
with which they are expected. A fit of these data gives the parameters back, and the errors to be expected, as far as
the pool goes: how far is said by its effective number of events, (sum w)^2 / sum w^2, and by the closure,
sum w / nu - 1, which is 0 if the intensity is normalised on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.curvature import parabola
from sbitune.fitting.likelihood.product import Product, named
from sbitune.fitting.likelihood.terms.unbinned import Sample, UnbinnedEvents

#: a pool that misses what is expected by more, and by more than so many of its errors, is worth a note
_CLOSES, _ERRORS = 0.01, 3.0


@dataclass(frozen=True, eq=False)
class PoolQuality:
    """How well a pool of simulated events stands for what is expected."""

    expected: float  #: number of events that are expected
    effective: float  #: number of events, all of one weight, that would be as good
    closure: float | None  #: sum of weights over the expected number, less 1; None if no number is expected


@dataclass(frozen=True, eq=False)
class Asimov:
    """Data that are what is expected."""

    data: tuple[Any, ...]  #: an entry for each term, as `Product.with_data` takes them
    theta: np.ndarray  #: (n_parameters,) where
    pools: dict[str, PoolQuality]  #: name of a term of events -> how good it is
    notes: tuple[str, ...]


def asimov_data(problem: Product, theta: np.ndarray) -> Asimov:
    """What a problem expects at theta (n_parameters,).

    Raises:
        InputError: for theta outside the limits of the fit, or a term that cannot say what it expects.
    """
    problem.frame().place(theta)
    data, pools, notes = [], dict[str, PoolQuality](), list[str]()
    with problem.computing():
        given = named(problem.parameters, jnp.asarray(theta, float))
        for term in problem.terms:
            expects = getattr(term, "asimov", None)
            if expects is None:
                raise InputError(f"{term.name}: cannot say what it expects; give the term a method `asimov`")
            one = expects(given)
            if isinstance(term, UnbinnedEvents):
                one, pools[term.name] = _events(term, given, one)
                notes += _notes(term.name, pools[term.name])
            data.append(one)
    return Asimov(tuple(data), np.asarray(theta, float), pools, tuple(notes))


def _events(term: UnbinnedEvents, given: Mapping[str, Any], sample: Any) -> tuple[Any, PoolQuality]:
    weights, quality = np.asarray(sample.counts), pool_quality(term, given, sample)
    if quality.closure is None:  # as many as were observed
        sample = sample._replace(counts=weights * (term.n_events / weights.sum()))
    return sample, quality


def pool_quality(term: UnbinnedEvents, given: Mapping[str, Any], sample: Sample) -> PoolQuality:
    """How well simulated events with the counts that are expected at parameters stand for these."""
    weights, number = np.asarray(sample.counts), term.model.expected(given)
    effective = float(weights.sum() ** 2 / np.sum(weights**2))
    if number is None:
        return PoolQuality(float(term.n_events), effective, None)
    return PoolQuality(float(number), effective, float(weights.sum() / number - 1))


def _notes(name: str, pool: PoolQuality) -> list[str]:
    off = pool.closure
    if off is None or abs(off) < max(_CLOSES, _ERRORS / np.sqrt(pool.effective)):
        return []
    return [
        f"{name}: weights of the pool sum up to {1 + off:.4g} of the {pool.expected:.4g} events that are expected; the "
        "ratio is not normalised there, or the pool leaves out where it is large"
    ]


def expected_covariance(problem: Product, theta: np.ndarray) -> np.ndarray:
    """(n_parameters, n_parameters) the covariance that a fit at theta can expect: that of Asimov data, 0 for fixed
    parameters.

    Raises `ComputationError` if the data would not determine the parameters.
    """
    frame = problem.frame()
    with problem.computing():
        objective = problem.objective().refit(asimov_data(problem, theta).data)
        point = objective.point(frame.place(theta))
        return parabola(objective, point).covariance * np.outer(frame.half, frame.half)
