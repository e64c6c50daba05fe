"""Event shapes and jets of one event, written down from their definitions: plain, slow, and nothing of sbitune's.

Sources: `Thrust`: the algorithm of PYTHIA 6.4's manual, section 15.5.2, with the axes of two particles that Rivet
takes; tensors, hemispheres, jets: the formulas of the papers that the analyses name.
"""

import itertools

import numpy as np


def unit(v):
    length = np.linalg.norm(v)
    return v / length if length > 0 else v


def maximise(p):
    """Largest sum |n.p_i| and its n, by iteration from the four sign combinations of the three largest momenta."""
    first = p[np.argsort(-np.linalg.norm(p, axis=1), kind="stable")[:3]]
    best, axis = 0.0, np.zeros(3)
    for start in range(4):
        signs = [1 if start % 2 else -1, 1 if start // 2 else -1, -1]
        n = unit(signs @ first)
        for _ in range(100):
            last, n = n, unit(np.where(p @ n > 0, 1, -1) @ p)
            if np.linalg.norm(n - last) <= 1e-5:
                break
        total = np.abs(p @ n).sum()
        if total > best:
            best, axis = total, n
    return best, axis


def thrust(p):
    """Thrust, major, minor, and their axes."""
    scale = np.linalg.norm(p, axis=1).sum()
    if len(p) == 2:
        n = unit(p[0])
        n = -n if n[2] < 0 else n
        other = unit(np.cross(n, [0, 0, 1] if n[2] < 0.75 else [0, 1, 0]))
        return (1.0, 0.0, 0.0), (n, other, np.cross(n, other))
    value, n = maximise(p)
    n = -n if n[2] < 0 else n
    major, m = maximise(p - np.outer(p @ n, n))
    return (value / scale, major / scale, np.abs(p @ np.cross(n, m)).sum() / scale), (n, m, np.cross(n, m))


def eigenvalues(p, r):
    """Eigenvalues, largest first, and eigenvectors of sum |p|^(r-2) p^a p^b / sum |p|^r."""
    length = np.linalg.norm(p, axis=1)
    tensor = np.einsum("i,ia,ib->ab", length ** (r - 2), p, p) / (length**r).sum()
    values, vectors = np.linalg.eigh(tensor)
    return np.maximum(values[::-1], 0.0), vectors.T[::-1]


def hemispheres(p, e, n):
    """M^2_high, M^2_low over E_vis^2, B_max, B_min."""
    masses, broads = [], []
    for side in (1, -1):
        share = np.where(p @ n * side > 0, 1.0, np.where(p @ n == 0, 0.5, 0.0))
        masses.append((share @ e) ** 2 - ((share @ p) ** 2).sum())
        broads.append(share @ np.linalg.norm(np.cross(p, n), axis=1) / (2 * np.linalg.norm(p, axis=1).sum()))
    square = e.sum() ** 2
    return max(masses) / square, min(masses) / square, max(broads), min(broads)


def merging(p, e, measure):
    """y23, y34, y45, y56: the largest smallest distance met down to the merging of n + 1 into n jets."""
    jets, square = [np.append(v, energy) for v, energy in zip(p, e, strict=True)], e.sum() ** 2
    scales, largest = np.zeros(4), 0.0
    while len(jets) > 2:
        pairs = list(itertools.combinations(range(len(jets)), 2))
        distances = [measure(jets[i], jets[j]) for i, j in pairs]
        k = int(np.argmin(distances))
        largest = max(largest, distances[k])
        (i, j), n = pairs[k], len(jets) - 1
        if 2 <= n <= 5:
            scales[n - 2] = largest / square
        jets = [jet for m, jet in enumerate(jets) if m not in (i, j)] + [jets[i] + jets[j]]
    return scales


def _angle(a, b):
    return 1 - unit(a[:3]) @ unit(b[:3])


def durham(a, b):
    return 2 * min(a[3], b[3]) ** 2 * _angle(a, b)


def jade(a, b):
    return 2 * a[3] * b[3] * _angle(a, b)


def shapes(p, e):
    """All shapes of one event by name."""
    (t, major, minor), axes = thrust(p)
    (_, l2, l3), quadratic = eigenvalues(p, 2)
    (c1, c2, c3), _ = eigenvalues(p, 1)
    heavy, light, wide, narrow = hemispheres(p, e, axes[0])
    return {
        "1-T": 1 - t, "M": major, "m": minor, "O": major - minor, "S": 1.5 * (l2 + l3), "A": 1.5 * l3, "P": l2 - l3,
        "C": 3 * (c1 * c2 + c1 * c3 + c2 * c3), "D": 27 * c1 * c2 * c3, "heavy": heavy, "light": light, "wide": wide,
        "narrow": narrow, "axes": axes, "quadratic": quadratic, "durham": merging(p, e, durham),
        "jade": merging(p, e, jade), "p": p, "e": e,
    }  # fmt: skip


def rapidity(p, e, n):
    """|y| along n."""
    along = np.abs(p @ n)
    return 0.5 * np.log((e + along) / (e - along))


class Filled:
    """Heights of a histogram, or means of a profile, in the bins of a measured one."""

    def __init__(self, scatter):
        self.low, self.high = scatter.values[:, 0] - scatter.minus[:, 0], scatter.values[:, 0] + scatter.plus[:, 0]
        self.sums, self.total = np.zeros((len(self.low), 2)), 0.0

    def fill(self, x, weight, y=1.0):
        x, weight, y = np.broadcast_arrays(np.atleast_1d(x), weight, y)
        self.total += weight.sum()
        inside = (x[:, None] >= self.low) & (x[:, None] < self.high)
        self.sums += np.stack([weight @ inside, (weight * y) @ inside], axis=1)

    @property
    def centre(self):
        return 0.5 * (self.low[0] + self.high[0])

    def height(self, factor):
        return factor * self.sums[:, 0] / (self.high - self.low)

    def mean(self):
        return np.divide(
            self.sums[:, 1], self.sums[:, 0], out=np.full(len(self.low), np.nan), where=self.sums[:, 0] != 0
        )
