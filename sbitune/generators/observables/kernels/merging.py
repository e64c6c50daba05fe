"""Resolution parameters at which an event changes from n to n + 1 jets: sequential recombination, E scheme.

    Durham  d_ij = 2 min(E_i^2, E_j^2) (1 - cos theta_ij)   (S. Catani et al., Phys. Lett. B 269 (1991) 432)
    JADE    d_ij = 2 E_i E_j (1 - cos theta_ij)             (JADE, Z. Phys. C 33 (1986) 23)

y_{n,n+1} is the largest of all smallest distances met from the start down to the merging of n + 1 into n jets,
divided by (sum E)^2. Each jet remembers its nearest neighbour, so an event of n particles costs about n^2.
"""

import numpy as np
from numba import njit

DURHAM, JADE = 0, 1
#: jet numbers n for which y_{n,n+1} is kept: 2 to 5
FIRST_N, LAST_N = 2, 5


@njit(cache=True, nogil=True)
def merging_scales(px, py, pz, e, offsets, measure):
    """Return y23, y34, y45 and y56 (m, 4); zero where the event has n particles or fewer."""
    events = len(offsets) - 1
    scales = np.zeros((events, LAST_N - FIRST_N + 1))
    size = 0
    for event in range(events):
        size = max(size, offsets[event + 1] - offsets[event])
    jets = np.empty((size, 8))  # rows: px, py, pz, E, unit vector, factor of the measure
    nearest = np.empty(size, np.int64)
    distance = np.empty(size)
    for event in range(events):
        a, b = offsets[event], offsets[event + 1]
        if b - a <= FIRST_N:
            continue
        energy = 0.0
        for i in range(b - a):
            jets[i, 0], jets[i, 1], jets[i, 2], jets[i, 3] = px[a + i], py[a + i], pz[a + i], e[a + i]
            _set_direction(jets[i], measure)
            energy += e[a + i]
        _cluster(jets, nearest, distance, b - a, measure, energy * energy, scales[event])
    return scales


@njit(cache=True, nogil=True)
def _set_direction(jet, measure):
    length = np.sqrt(jet[0] * jet[0] + jet[1] * jet[1] + jet[2] * jet[2])
    inverse = 1.0 / length if length > 0 else 0.0
    jet[4], jet[5], jet[6] = jet[0] * inverse, jet[1] * inverse, jet[2] * inverse
    jet[7] = jet[3] * jet[3] if measure == DURHAM else jet[3]


@njit(cache=True, nogil=True, inline="always")
def _distance(a, b, measure):
    angle = 1.0 - (a[4] * b[4] + a[5] * b[5] + a[6] * b[6])
    if measure == DURHAM:
        return 2.0 * min(a[7], b[7]) * angle
    return 2.0 * a[7] * b[7] * angle


@njit(cache=True, nogil=True)
def _find_nearest(jets, nearest, distance, i, n, measure):
    best, where = np.inf, -1
    for k in range(n):
        if k != i:
            d = _distance(jets[i], jets[k], measure)
            if d < best:
                best, where = d, k
    nearest[i], distance[i] = where, best


@njit(cache=True, nogil=True)
def _all_nearest(jets, nearest, distance, n, measure):
    for i in range(n):
        nearest[i], distance[i] = -1, np.inf
    for i in range(n):
        for k in range(i):
            d = _distance(jets[i], jets[k], measure)
            if d < distance[i]:
                nearest[i], distance[i] = k, d
            if d < distance[k]:
                nearest[k], distance[k] = i, d


@njit(cache=True, nogil=True)
def _cluster(jets, nearest, distance, n, measure, energy2, scales):
    _all_nearest(jets, nearest, distance, n, measure)
    largest = 0.0
    while n > FIRST_N:
        i = 0
        for k in range(1, n):
            if distance[k] < distance[i]:
                i = k
        largest = max(largest, distance[i])
        n -= 1
        if n <= LAST_N:
            scales[n - FIRST_N] = largest / energy2
        if n > FIRST_N:
            _merge(jets, nearest, distance, i, nearest[i], n, measure)


@njit(cache=True, nogil=True)
def _merge(jets, nearest, distance, i, j, n, measure):
    """Put the sum of jets i and j into the lower place, the last jet (n) into the higher, and mend neighbours."""
    if j < i:
        i, j = j, i
    for c in range(4):
        jets[i, c] += jets[j, c]
    _set_direction(jets[i], measure)
    if j != n:
        jets[j] = jets[n]
        nearest[j], distance[j] = nearest[n], distance[n]
    nearest[i], distance[i] = -1, np.inf
    for k in range(n):
        if k == i:
            continue
        d = _distance(jets[i], jets[k], measure)
        if d < distance[i]:
            nearest[i], distance[i] = k, d
        if nearest[k] == i or nearest[k] == j:
            _find_nearest(jets, nearest, distance, k, n, measure)
        else:
            if nearest[k] == n:
                nearest[k] = j
            if d < distance[k]:
                nearest[k], distance[k] = i, d
