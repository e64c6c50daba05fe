"""Closure: held-out runs fitted as data."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from surrogates.test_gaussian import many_bins

from sbitune.data.errors import InputError
from sbitune.tuning.checks.closure import closure
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
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


def test_runs_outside_the_box_are_named_and_the_others_fitted() -> None:
    scan, _, _ = many_bins(70, 20, 3)
    held, used = scan.split(scan.runs[10:])
    far = held.theta.copy()
    far[3, 1] = held.parameters[1].high + 1
    surrogate = train(jax.random.key(1), used, PolynomialConfig(order=1))
    found = closure(surrogate, replace(held, theta=far), thorough=False)
    assert len(found.values) == 9
    assert found.failed == ((held.runs[3], "b lies outside the box of the runs that were trained on"),)


@pytest.mark.parametrize("config", [PolynomialConfig(order=1), RationalConfig(), GaussianConfig()])
def test_a_scan_without_any_error_is_trained(config) -> None:
    scan, _, _ = many_bins(40, 8, 3)
    exact = replace(scan, errors=np.zeros_like(scan.errors), correlation=None)
    surrogate = train(jax.random.key(1), exact, config)
    assert np.isfinite(surrogate.predict_many(scan.theta).mean).all()


def test_a_content_that_is_none_is_named() -> None:
    scan, _, _ = many_bins(40, 8, 3)
    values = scan.values.copy()
    values[5, 2] = 1e120
    with pytest.raises(InputError, match=rf"run {scan.runs[5]}, bin {scan.bins.labels()[2]}: 1e\+120 .*too great"):
        train(jax.random.key(1), replace(scan, values=values), PolynomialConfig(order=1))
