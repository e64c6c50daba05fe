"""Thrust, thrust major and minor, and their axes.

    T = max_n sum |n.p_i| / sum |p_i|,

major: the same maximum for the momenta perpendicular to the thrust axis, with the same denominator; minor: along
the direction perpendicular to both (S. Brandt et al., Phys. Lett. 12 (1964) 57; E. Farhi, Phys. Rev. Lett. 39 (1977)
1587; algorithm as in the PYTHIA 6.4 manual, JHEP 05 (2006) 026, section 15.5.2). Local maxima are found by iterating
n -> unit(sum sign(n.p_i) p_i) from the four sign combinations of the three largest momenta.
"""

import numpy as np
from numba import njit

_TOLERANCE = 1e-5
_MAX_STEPS = 10_000
#: cosine to z from which the axes of two particles are chosen otherwise
_NEAR_Z = 0.75


@njit(cache=True, nogil=True)
def thrust(px, py, pz, p, offsets):
    """Return thrust, major and minor (m, 3) and their axes (m, 3, 3), rows being unit vectors.

    The thrust axis points to positive z, the major axis to positive x. Two particles have T = 1, M = m = 0;
    fewer have all three at -1 and axes of length zero.
    """
    events = len(offsets) - 1
    values = np.empty((events, 3))
    axes = np.zeros((events, 3, 3))
    across = np.empty((4, _largest(offsets)))
    for event in range(events):
        a, b = offsets[event], offsets[event + 1]
        if b - a < 2:
            for k in range(3):
                values[event, k] = -1.0
        elif b - a == 2:
            values[event, 0], values[event, 1], values[event, 2] = 1.0, 0.0, 0.0
            _two_particle_axes(px[a] / p[a], py[a] / p[a], pz[a] / p[a], axes[event])
        else:
            _event_thrust(px[a:b], py[a:b], pz[a:b], p[a:b], across[:, : b - a], values[event], axes[event])
    return values, axes


@njit(cache=True, nogil=True)
def _largest(offsets):
    size = 0
    for event in range(len(offsets) - 1):
        size = max(size, offsets[event + 1] - offsets[event])
    return size


@njit(cache=True, nogil=True)
def _event_thrust(px, py, pz, p, across, values, axes):
    scale = 0.0
    for i in range(len(p)):
        scale += p[i]
    values[0] = _maximise(px, py, pz, p, axes[0]) / scale
    if axes[0, 2] < 0:
        _reverse(axes[0])
    nx, ny, nz = axes[0, 0], axes[0, 1], axes[0, 2]
    for i in range(len(p)):
        along = px[i] * nx + py[i] * ny + pz[i] * nz
        x, y, z = px[i] - along * nx, py[i] - along * ny, pz[i] - along * nz
        across[0, i], across[1, i], across[2, i] = x, y, z
        across[3, i] = np.sqrt(x * x + y * y + z * z)
    values[1] = _maximise(across[0], across[1], across[2], across[3], axes[1]) / scale
    if axes[1, 0] < 0:
        _reverse(axes[1])
    _cross(axes[0], axes[1], axes[2])
    mx, my, mz = axes[2, 0], axes[2, 1], axes[2, 2]
    minor = 0.0
    for i in range(len(p)):
        minor += abs(px[i] * mx + py[i] * my + pz[i] * mz)
    values[2] = minor / scale


@njit(cache=True, nogil=True)
def _reverse(axis):
    for k in range(3):
        axis[k] = -axis[k]


@njit(cache=True, nogil=True)
def _cross(a, b, out):
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@njit(cache=True, nogil=True)
def _two_particle_axes(nx, ny, nz, axes):
    """The axis is that of the first particle. Any direction across it has M = 0; Rivet 3.1.7 takes the one that is
    across z, too, or across y where the axis is within 41 degrees of z, and so do we.
    """
    sign = -1.0 if nz < 0 else 1.0
    nx, ny, nz = sign * nx, sign * ny, sign * nz
    axes[0, 0], axes[0, 1], axes[0, 2] = nx, ny, nz
    if nz < _NEAR_Z:
        norm = np.sqrt(nx * nx + ny * ny)
        axes[1, 0], axes[1, 1] = ny / norm, -nx / norm
    else:
        norm = np.sqrt(nx * nx + nz * nz)
        axes[1, 0], axes[1, 2] = -nz / norm, nx / norm
    _cross(axes[0], axes[1], axes[2])


@njit(cache=True, nogil=True)
def _three_largest(p):
    first, second, third = -1, -1, -1
    for i in range(len(p)):
        if first < 0 or p[i] > p[first]:
            first, second, third = i, first, second
        elif second < 0 or p[i] > p[second]:
            second, third = i, second
        elif third < 0 or p[i] > p[third]:
            third = i
    return first, second, third


@njit(cache=True, nogil=True)
def _maximise(px, py, pz, p, axis):
    """Return max_n sum |n.p_i| and write n into `axis`; of equal maxima the first start wins."""
    i, j, k = _three_largest(p)
    best = 0.0
    for start in range(4):
        u = 1.0 if start % 2 == 1 else -1.0
        v = 1.0 if start // 2 == 1 else -1.0
        x, y, z = u * px[i] + v * px[j] - px[k], u * py[i] + v * py[j] - py[k], u * pz[i] + v * pz[j] - pz[k]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0:
            x, y, z, total = _climb(px, py, pz, x / length, y / length, z / length)
            if total > best:
                best = total
                axis[0], axis[1], axis[2] = x, y, z
    return best


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _climb(px, py, pz, nx, ny, nz):
    for _ in range(_MAX_STEPS):
        x, y, z = 0.0, 0.0, 0.0
        for i in range(len(px)):
            sign = 1.0 if nx * px[i] + ny * py[i] + nz * pz[i] > 0 else -1.0
            x += sign * px[i]
            y += sign * py[i]
            z += sign * pz[i]
        length = np.sqrt(x * x + y * y + z * z)
        if length == 0:
            return 0.0, 0.0, 0.0, 0.0
        x, y, z = x / length, y / length, z / length
        change = (x - nx) ** 2 + (y - ny) ** 2 + (z - nz) ** 2
        nx, ny, nz = x, y, z
        if change <= _TOLERANCE**2:
            break
    total = 0.0
    for i in range(len(px)):
        total += abs(nx * px[i] + ny * py[i] + nz * pz[i])
    return nx, ny, nz, total
