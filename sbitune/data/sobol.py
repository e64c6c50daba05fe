"""Quasi-random points, for whatever is spread over a box: designs, starts of fits, points of projections."""

import math

import numpy as np


def sobol_points(n: int, dimensions: int, seed: "int | np.random.Generator") -> np.ndarray:
    """At least n points (2^m, dimensions) of a Sobol sequence in the unit cube, scrambled (Owen) with `seed`.

    With more points the first ones stay. A power of two keeps the sequence balanced, which SciPy asks for.
    """
    from scipy.stats import qmc  # readers of data, which share this floor, do without SciPy

    return qmc.Sobol(dimensions, rng=seed).random_base2(max(0, math.ceil(math.log2(n))))
