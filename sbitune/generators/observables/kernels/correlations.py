"""Energy-energy correlations: every pair of an event once, at the cosine of the angle between the two particles."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def energy_correlations(px, py, pz, e, p, weight, offsets):
    """Return cos(chi) (k,) and w E_i E_j / (sum E)^2 (k,) of the pairs i < j of all events, one after another."""
    pairs = 0
    for event in range(len(offsets) - 1):
        n = offsets[event + 1] - offsets[event]
        pairs += n * (n - 1) // 2
    cosine, share = np.empty(pairs), np.empty(pairs)
    pair = 0
    for event in range(len(offsets) - 1):
        a, b = offsets[event], offsets[event + 1]
        energy = 0.0
        for i in range(a, b):
            energy += e[i]
        norm = weight[event] / (energy * energy) if b > a else 0.0
        for i in range(a, b):
            x, y, z = px[i] / p[i], py[i] / p[i], pz[i] / p[i]
            for j in range(i + 1, b):
                cosine[pair] = (x * px[j] + y * py[j] + z * pz[j]) / p[j]
                share[pair] = norm * e[i] * e[j]
                pair += 1
    return cosine, share
