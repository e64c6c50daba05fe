r"""The error that fitted parameters have from a learned ratio: finite samples of simulated events, not the data.

The ratio follows the numbers phi of its combination (`fitting`), whose covariance is carried to the fit by implicit
differentiation (`fitting.minimise.implicit`). Where log r was divided by E_ref[r] (`normalisation`), that follows phi,
too, and its coefficients have an error of their own from the number of events of the reference, which is independent.
What members do not differ in, and what is no product of a parameter and a column, is not in phi.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import Sample
from sbitune.fitting.minimise.implicit import carried_covariance
from sbitune.fitting.results import Fit
from sbitune.ratios.parameterised.combination.network import CombinedNetwork, member
from sbitune.ratios.parameterised.correction import Correction
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.parameterised.ratio import LearnedRatio

#: events of which mixed derivatives are found at once
_SLICE = 1 << 12


def ratio_covariance(model: RatioModel, problem: Product, best: Fit) -> np.ndarray:
    """The covariance (n_parameters, n_parameters) of fitted parameters from the ratio; rows of fixed ones are 0.

    Args:
        model: of a ratio whose members were combined with `combine_members`.
        problem: what was fitted, with the data; all its terms of this model count.
        best: its fit.

    Raises:
        InputError: if the members were not combined, or no term is of this model.
        ComputationError: if the second derivatives at the fit are not positive, or a derivative is not finite.
    """
    ratio, parameters = model.ratio, [p.name for p in problem.parameters]
    of_phi = ratio.combination
    if of_phi is None:
        raise InputError(
            "the members of this ratio were not combined on events that were held back, so that its error is not "
            "known; call `combine_members` with such events first",
            code="ratio-not-combined",
        )
    terms = zip(problem.terms, problem.data, strict=True)
    samples = [data for term, data in terms if getattr(term, "model", None) is model]
    if not samples:
        raise InputError("no term of the fit is of this model")
    places = [parameters.index(p.name) for p in ratio.parameters]
    row = best.values[places]
    mixed = np.zeros((len(parameters), len(of_phi)))
    with double_precision():
        for prepared, counts in (part for sample in samples for part in _slices(sample)):
            mixed[places] += np.asarray(_mixed(member(ratio.networks), row, prepared, counts))
    sources = [(mixed, of_phi)]
    correction = ratio.correction
    if correction is not None:
        number = sum(float(np.sum(sample.counts)) for sample in samples)
        of_coefficients = np.zeros((len(parameters), len(correction.coefficients)))
        of_coefficients[places] = 2 * number * _slopes_of_terms(ratio, correction, row)
        mixed += of_coefficients @ correction.slopes
        sources.append((of_coefficients, correction.covariance))
    return carried_covariance(problem, best, sources)


def _slices(sample: Sample) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Prepared events and their counts, of one number at a time; those that fill up do not count."""
    for i in range(0, len(sample.counts), _SLICE):
        rows = np.arange(i, i + _SLICE)
        there = np.minimum(rows, len(sample.counts) - 1)
        yield np.asarray(sample.prepared, float)[there], np.where(rows == there, np.asarray(sample.counts)[there], 0.0)


@jax.jit
def _mixed(network: CombinedNetwork, row: Any, prepared: Any, counts: Any) -> Any:
    """d2 / (d theta d phi) of -2 sum of counts times log r, (n_parameters, n_phi), at theta (n_parameters,)."""

    def total(theta: Any, phi: Any) -> Any:
        moved = replace(network, phi=phi)
        return -2 * jnp.sum(counts * moved.combine(moved.embed(theta), prepared[:, 0]))

    return jax.jacfwd(jax.grad(total), argnums=1)(row, jnp.asarray(network.phi, float))


def _slopes_of_terms(ratio: LearnedRatio, correction: Correction, row: np.ndarray) -> np.ndarray:
    """Derivatives (n_parameters, n_terms) of what the coefficients of the correction multiply."""
    point = None if ratio.point is None else ratio.scaled(ratio.point)
    with double_precision():
        return np.asarray(jax.jacfwd(lambda theta: correction.terms(ratio.scaled(theta), point))(row)).T
