from collections.abc import Callable

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

MakeScan = Callable[..., Scan]


@pytest.fixture
def make_scan() -> MakeScan:
    """Build a scan of a function of theta in the box [0, 2] x [10, 20] x ..., with Gaussian noise."""

    def make(truth: Callable, n_runs: int, noise: float | np.ndarray, n_parameters: int = 2, seed: int = 1) -> Scan:
        random = np.random.default_rng(seed)
        boxes = [(0.0, 2.0), (10.0, 20.0), (-1.0, 1.0)][:n_parameters]
        parameters = tuple(Parameter(f"p{i}", *box) for i, box in enumerate(boxes))
        theta = random.uniform([b[0] for b in boxes], [b[1] for b in boxes], (n_runs, n_parameters))
        exact = np.array([truth(point) for point in theta]).reshape(n_runs, -1)
        errors = np.broadcast_to(noise, exact.shape)
        n_bins = exact.shape[1]
        return Scan(
            parameters=parameters,
            theta=theta,
            values=exact + errors * random.normal(size=exact.shape),
            errors=errors,
            bins=Bins(np.full(n_bins, "/toy"), np.arange(n_bins), np.arange(n_bins), np.arange(n_bins) + 1),
            runs=tuple(f"{i:04d}" for i in range(n_runs)),
        )

    return make
