"""Filling one-dimensional histograms and profiles.

Sums have one row per bin and three more: all fills (bin gaps included), underflow, overflow. Bins are [low, high);
the axis need not be gapless. Fills at NaN are dropped.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _row(x, low, high):
    """Return the row of the bin that holds x, or n (gap), n + 1 (underflow), n + 2 (overflow)."""
    n = len(low)
    if x < low[0]:
        return n + 1
    if x >= high[n - 1]:
        return n + 2
    first, last = 0, n
    while last - first > 1:
        middle = (first + last) // 2
        if x < low[middle]:
            last = middle
        else:
            first = middle
    return first if x < high[first] else n


@njit(cache=True, nogil=True)
def fill_histogram(x, weight, low, high, sums):
    """Add fills at x (k,) with weights (k,) to sums (n + 3, 5): w, w^2, w x, w x^2, number of fills."""
    n = len(low)
    total = np.zeros(5)
    for i in range(len(x)):
        if np.isnan(x[i]):
            continue
        w, wx = weight[i], weight[i] * x[i]
        total[0] += w
        total[1] += w * w
        total[2] += wx
        total[3] += wx * x[i]
        total[4] += 1.0
        row = _row(x[i], low, high)
        if row != n:
            sums[row, 0] += w
            sums[row, 1] += w * w
            sums[row, 2] += wx
            sums[row, 3] += wx * x[i]
            sums[row, 4] += 1.0
    sums[n] += total


@njit(cache=True, nogil=True)
def fill_profile(x, y, weight, low, high, sums):
    """Add fills of y (k,) at x (k,) to sums (n + 3, 7): w, w^2, w x, w x^2, w y, w y^2, number of fills."""
    n = len(low)
    terms = np.empty(7)
    for i in range(len(x)):
        if np.isnan(x[i]) or np.isnan(y[i]):
            continue
        w = weight[i]
        terms[0], terms[1], terms[2], terms[3] = w, w * w, w * x[i], w * x[i] * x[i]
        terms[4], terms[5], terms[6] = w * y[i], w * y[i] * y[i], 1.0
        row = _row(x[i], low, high)
        for c in range(7):
            sums[n, c] += terms[c]
            if row != n:
                sums[row, c] += terms[c]
