"""The momentum tensors of an event and the shapes made of their eigenvalues.

    S^ab(r) = sum |p|^(r-2) p^a p^b / sum |p|^r

r = 2 gives sphericity 3/2 (l2 + l3), aplanarity 3/2 l3 and planarity l2 - l3 (J. D. Bjorken and S. J. Brodsky, Phys.
Rev. D 1 (1970) 1416); the linear tensor, r = 1, gives C = 3 (l1 l2 + l1 l3 + l2 l3) and D = 27 l1 l2 l3 (R. K. Ellis,
D. A. Ross and A. E. Terrano, Nucl. Phys. B 178 (1981) 421), with l1 >= l2 >= l3 >= 0 and l1 + l2 + l3 = 1. What is 0
in a plane, as for two particles, is 0 here, and not on the other side of the axis by rounding.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sphericity(px, py, pz, offsets):
    """Return eigenvalues (m, 3), largest first, and eigenvectors (m, 3, 3) as rows, of the quadratic tensor."""
    events = len(offsets) - 1
    values = np.zeros((events, 3))
    vectors = np.zeros((events, 3, 3))
    tensor = np.empty((3, 3))
    for event in range(events):
        _clear(tensor)
        for i in range(offsets[event], offsets[event + 1]):
            _add(tensor, px[i], py[i], pz[i], 1.0)
        if _normalise(tensor):
            _eigensystem(tensor, values[event], vectors[event])
    return values, vectors


@njit(cache=True, nogil=True)
def linear_shapes(px, py, pz, p, offsets):
    """Return the parameters C and D (m, 2), from the invariants of the linear tensor; zero for an empty event."""
    events = len(offsets) - 1
    shapes = np.zeros((events, 2))
    t = np.empty((3, 3))
    for event in range(events):
        _clear(t)
        for i in range(offsets[event], offsets[event + 1]):
            if p[i] > 0:
                _add(t, px[i], py[i], pz[i], 1.0 / p[i])
        if _normalise(t):
            minor_x = t[1, 1] * t[2, 2] - t[1, 2] * t[1, 2]
            minor_y = t[0, 0] * t[2, 2] - t[0, 2] * t[0, 2]
            minor_z = t[0, 0] * t[1, 1] - t[0, 1] * t[0, 1]
            shapes[event, 0] = max(3.0 * (minor_x + minor_y + minor_z), 0.0)
            side_y = t[0, 1] * t[2, 2] - t[1, 2] * t[0, 2]
            side_z = t[0, 1] * t[1, 2] - t[1, 1] * t[0, 2]
            shapes[event, 1] = max(27.0 * (t[0, 0] * minor_x - t[0, 1] * side_y + t[0, 2] * side_z), 0.0)
    return shapes


@njit(cache=True, nogil=True)
def _clear(tensor):
    for a in range(3):
        for b in range(3):
            tensor[a, b] = 0.0


@njit(cache=True, nogil=True)
def _add(tensor, x, y, z, weight):
    tensor[0, 0] += weight * x * x
    tensor[1, 1] += weight * y * y
    tensor[2, 2] += weight * z * z
    tensor[0, 1] += weight * x * y
    tensor[0, 2] += weight * x * z
    tensor[1, 2] += weight * y * z


@njit(cache=True, nogil=True)
def _normalise(tensor):
    trace = tensor[0, 0] + tensor[1, 1] + tensor[2, 2]
    if trace <= 0:
        return False
    for a in range(3):
        for b in range(a, 3):
            tensor[a, b] /= trace
            tensor[b, a] = tensor[a, b]
    return True


@njit(cache=True, nogil=True)
def _eigensystem(tensor, values, vectors):
    """Diagonalise by Jacobi rotations (destroys `tensor`): for 3 x 3 ten times faster than a library call."""
    for a in range(3):
        for b in range(3):
            vectors[a, b] = 1.0 if a == b else 0.0
    for _ in range(30):
        if tensor[0, 1] ** 2 + tensor[0, 2] ** 2 + tensor[1, 2] ** 2 < 1e-32:
            break
        _rotate(tensor, vectors, 0, 1)
        _rotate(tensor, vectors, 0, 2)
        _rotate(tensor, vectors, 1, 2)
    for a in range(3):
        values[a] = max(tensor[a, a], 0.0)
    _sort(values, vectors)


@njit(cache=True, nogil=True)
def _rotate(tensor, vectors, a, b):
    if tensor[a, b] == 0.0:
        return
    theta = 0.5 * (tensor[b, b] - tensor[a, a]) / tensor[a, b]
    t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
    if theta < 0:
        t = -t
    c = 1.0 / np.sqrt(t * t + 1.0)
    s = t * c
    shift = t * tensor[a, b]
    tensor[a, a] -= shift
    tensor[b, b] += shift
    tensor[a, b] = tensor[b, a] = 0.0
    k = 3 - a - b
    ka, kb = tensor[k, a], tensor[k, b]
    tensor[k, a] = tensor[a, k] = c * ka - s * kb
    tensor[k, b] = tensor[b, k] = s * ka + c * kb
    for i in range(3):
        va, vb = vectors[a, i], vectors[b, i]
        vectors[a, i] = c * va - s * vb
        vectors[b, i] = s * va + c * vb


@njit(cache=True, nogil=True)
def _sort(values, vectors):
    for last in (2, 1):
        for a in range(last):
            if values[a] < values[a + 1]:
                values[a], values[a + 1] = values[a + 1], values[a]
                for i in range(3):
                    vectors[a, i], vectors[a + 1, i] = vectors[a + 1, i], vectors[a, i]
