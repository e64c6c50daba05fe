"""Surrogates whose means are polynomials, as coefficients of Legendre products in the order of `list_exponents`."""

from collections.abc import Sequence

import numpy as np

from sbitune.tuning.surrogates.regression.basis import count_terms, list_exponents

#: order, and coefficients (n_terms, n_bins)
Legendre = tuple[int, np.ndarray]


def of_components(
    n_parameters: int,
    inner: Legendre,
    centre: np.ndarray,
    loadings: np.ndarray,
    left: Legendre | None,
    left_bins: np.ndarray,
) -> Legendre:
    """Those of bins (n_bins,) that are a centre and components times loadings (n_components, n_bins); `left` is added
    to some of them.
    """
    order = max(inner[0], -1 if left is None else left[0])
    coefficients = np.zeros((count_terms(n_parameters, order), len(centre)))
    coefficients[0] = centre
    coefficients[: len(inner[1])] += inner[1] @ loadings  # lower orders are the first terms
    if left is not None:
        coefficients[: len(left[1]), left_bins] += left[1]
    return order, coefficients


def of_blocks(n_parameters: int, n_bins: int, blocks: Sequence[tuple[Legendre, np.ndarray, np.ndarray]]) -> Legendre:
    """Those of blocks, each with which parameters it knows and which bins are its own: the terms in the other
    parameters have no coefficient.
    """
    order = max(own[0] for own, _, _ in blocks)
    place = {tuple(row): i for i, row in enumerate(list_exponents(n_parameters, order).astype(int).tolist())}
    coefficients = np.zeros((len(place), n_bins))
    for (own, numbers), columns, bins in blocks:
        exponents_of = np.zeros((len(numbers), n_parameters), int)
        exponents_of[:, columns] = list_exponents(len(columns), own)
        rows = [place[tuple(row)] for row in exponents_of.tolist()]
        coefficients[np.array(rows)[:, None], bins] = numbers
    return order, coefficients
