"""Resolution parameters at which an event changes from n to n + 1 jets: sequential recombination, E scheme.

    Durham  d_ij = 2 min(E_i^2, E_j^2) (1 - cos theta_ij)   (S. Catani et al., Phys. Lett. B 269 (1991) 432)
    JADE    d_ij = 2 E_i E_j (1 - cos theta_ij)             (JADE, Z. Phys. C 33 (1986) 23)

y_{n,n+1} is the largest of all smallest distances met from the start down to the merging of n + 1 into n jets,
divided by (sum E)^2. All distances are kept in a table and each jet remembers its nearest neighbour: an event of n
particles costs about n^2.
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
    size = 1
    for event in range(events):
        size = max(size, offsets[event + 1] - offsets[event])
    jets = np.empty((8, size))  # rows: px, py, pz, E, unit vector, factor of the measure
    table = np.empty((size, size))
    nearest = np.empty(size, np.int64)
    smallest = np.empty(size)
    for event in range(events):
        a, n = offsets[event], offsets[event + 1] - offsets[event]
        if n <= FIRST_N:
            continue
        energy = 0.0
        for i in range(n):
            jets[0, i], jets[1, i], jets[2, i], jets[3, i] = px[a + i], py[a + i], pz[a + i], e[a + i]
            _set_direction(jets, i, measure)
            energy += e[a + i]
        _cluster(jets, table, nearest, smallest, n, measure, energy * energy, scales[event])
    return scales


@njit(cache=True, nogil=True)
def _set_direction(jets, i, measure):
    length = np.sqrt(jets[0, i] ** 2 + jets[1, i] ** 2 + jets[2, i] ** 2)
    inverse = 1.0 / length if length > 0 else 0.0
    for c in range(3):
        jets[4 + c, i] = jets[c, i] * inverse
    jets[7, i] = jets[3, i] ** 2 if measure == DURHAM else jets[3, i]


@njit(cache=True, nogil=True)
def _distances(jets, i, n, measure, row):
    """Write the distances of jet i to the jets 0 to n - 1 into `row`."""
    x, y, z, factor = jets[4, i], jets[5, i], jets[6, i], jets[7, i]
    if measure == DURHAM:
        for k in range(n):
            angle = 1.0 - (x * jets[4, k] + y * jets[5, k] + z * jets[6, k])
            row[k] = 2.0 * min(factor, jets[7, k]) * angle
    else:
        for k in range(n):
            angle = 1.0 - (x * jets[4, k] + y * jets[5, k] + z * jets[6, k])
            row[k] = 2.0 * factor * jets[7, k] * angle


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _minimum(row, n):
    """Return the smallest of the first n numbers and where it is."""
    a = b = c = d = np.inf  # four minima side by side: one would wait for the last comparison
    for k in range(0, n - 3, 4):
        a, b, c, d = min(a, row[k]), min(b, row[k + 1]), min(c, row[k + 2]), min(d, row[k + 3])
    for k in range(n - n % 4, n):
        a = min(a, row[k])
    best = min(min(a, b), min(c, d))
    where = 0
    while where < n - 1 and row[where] != best:
        where += 1
    return best, where


@njit(cache=True, nogil=True)
def _cluster(jets, table, nearest, smallest, n, measure, energy2, scales):
    for i in range(n):
        _distances(jets, i, n, measure, table[i])
        table[i, i] = np.inf
        smallest[i], nearest[i] = _minimum(table[i], n)
    largest = 0.0
    while n > FIRST_N:
        distance, i = _minimum(smallest, n)
        largest = max(largest, distance)
        n -= 1
        if n <= LAST_N:
            scales[n - FIRST_N] = largest / energy2
        if n > FIRST_N:
            _merge(jets, table, nearest, smallest, min(i, nearest[i]), max(i, nearest[i]), n, measure)


@njit(cache=True, nogil=True)
def _merge(jets, table, nearest, smallest, i, j, n, measure):
    """Put the sum of jets i < j into place i and the last jet, number n, into place j; mend table and neighbours."""
    for c in range(4):
        jets[c, i] += jets[c, j]
    _set_direction(jets, i, measure)
    if j != n:
        for c in range(8):
            jets[c, j] = jets[c, n]
        for k in range(n):
            table[j, k] = table[n, k]
            table[k, j] = table[n, k]
        table[j, j] = np.inf
        nearest[j], smallest[j] = nearest[n], smallest[n]
    new = table[i]
    _distances(jets, i, n, measure, new)
    new[i] = np.inf
    smallest[i], nearest[i] = _minimum(new, n)
    for k in range(n):
        if k == i:
            continue
        table[k, i] = new[k]
        if nearest[k] == i or nearest[k] == j:
            smallest[k], nearest[k] = _minimum(table[k], n)
        elif new[k] < smallest[k]:
            smallest[k], nearest[k] = new[k], i
        elif nearest[k] == n:
            nearest[k] = j
