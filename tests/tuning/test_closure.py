"""Closure: held-out runs fitted as data."""

import jax
import numpy as np
from surrogates.test_gaussian import many_bins

from sbitune.tuning.closure import closure
from sbitune.tuning.surrogates.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train


def test_what_is_fixed_is_held_at_the_value_of_every_run() -> None:
    scan, slopes, correlation = many_bins(70, 20, 3)
    held, used = scan.split(scan.runs[10:])
    surrogate = train(jax.random.key(1), used, PolynomialConfig(order=1))
    found = closure(surrogate, held, thorough=False, fixed=["b"])
    assert found.names == ("a",)
    assert not found.failed
    # what is known is taken off, and the error of a alone is that of linear least squares
    information = slopes[0] @ np.linalg.solve(correlation, slopes[0])
    assert np.std(found.values[:, 0] - held.theta[:, 0]) < 2 / np.sqrt(information)
    assert closure(surrogate, held, thorough=False).names == ("a", "b")
