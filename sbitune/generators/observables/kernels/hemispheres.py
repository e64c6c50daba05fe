"""Invariant masses and jet broadenings of the two hemispheres of an event.

With the axis n and the halves n.p > 0 and n.p < 0 (a particle at exactly 0 counts half in each):

    M^2 = (sum E)^2 - |sum p|^2,    B = sum_half |p x n| / (2 sum_all |p|)

(S. Catani et al., Phys. Lett. B 295 (1992) 269; the masses: L. Clavelli, Phys. Lett. B 85 (1979) 111.)
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def hemispheres(px, py, pz, e, p, axis, offsets):
    """Return per event (m, 5): visible energy, larger and smaller mass squared, larger and smaller broadening.

    `axis` (m, 3). Rounding can make the square of a small mass negative: it is returned as it is.
    """
    events = len(offsets) - 1
    result = np.zeros((events, 5))
    half = np.empty((2, 5))
    for event in range(events):
        for c in range(5):
            half[0, c] = half[1, c] = 0.0
        nx, ny, nz = axis[event, 0], axis[event, 1], axis[event, 2]
        energy, scale = 0.0, 0.0
        for i in range(offsets[event], offsets[event + 1]):
            along = px[i] * nx + py[i] * ny + pz[i] * nz
            x, y, z = px[i] - along * nx, py[i] - along * ny, pz[i] - along * nz
            across = np.sqrt(x * x + y * y + z * z)
            energy += e[i]
            scale += 2.0 * p[i]
            if along > 0:
                _add(half[0], px[i], py[i], pz[i], e[i], across, 1.0)
            elif along < 0:
                _add(half[1], px[i], py[i], pz[i], e[i], across, 1.0)
            else:
                _add(half[0], px[i], py[i], pz[i], e[i], across, 0.5)
                _add(half[1], px[i], py[i], pz[i], e[i], across, 0.5)
        if scale > 0:
            plus, minus = _mass_squared(half[0]), _mass_squared(half[1])
            result[event, 0] = energy
            result[event, 1], result[event, 2] = max(plus, minus), min(plus, minus)
            result[event, 3] = max(half[0, 4], half[1, 4]) / scale
            result[event, 4] = min(half[0, 4], half[1, 4]) / scale
    return result


@njit(cache=True, nogil=True)
def _add(half, x, y, z, e, across, share):
    half[0] += share * x
    half[1] += share * y
    half[2] += share * z
    half[3] += share * e
    half[4] += share * across


@njit(cache=True, nogil=True)
def _mass_squared(half):
    return half[3] * half[3] - half[0] * half[0] - half[1] * half[1] - half[2] * half[2]
