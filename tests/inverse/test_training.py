"""Training on the runs themselves, in eight parameters, and what is refused."""

import jax
import msgspec
import numpy as np
import pytest
from helpers.copiedscan import copied_scan
from helpers.lineartoy import exact_posterior, make_toy, measure, points, scan_of

from sbitune.data.errors import InputError
from sbitune.tuning.checks.closure import pseudo_data
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.training import train_inverse


@pytest.mark.slow
def test_a_model_of_the_runs_alone_covers_though_it_is_less_sharp() -> None:
    toy = make_toy(2, 20)
    scan = scan_of(toy, 300)
    measured = measure(toy, np.array([0.2, 0.0]), 3)
    config = InverseConfig(steps=200, members=2, layers=2, hidden=(32,), calibration_draws=50, checks=1000)
    model = train_inverse(jax.random.key(1), scan, measured, config)
    assert model.calibration.ranks.shape == (60, 2)
    assert set(model.calibration.verdicts().values()) == {"consistent"}
    shifts, widths = [], []
    for i, theta in enumerate(points(toy, 15, 9)):
        other = measure(toy, theta, 100 + i)
        exact = exact_posterior(toy, other, other.values)
        draws = model.posterior(jax.random.key(i), other.values, 1000)
        shifts.append((draws.mean(axis=0) - exact.mean) / exact.spread)
        widths.append(draws.std(axis=0) / exact.spread)
    assert np.sqrt(np.mean(np.square(shifts))) < 0.35
    assert 0.95 < np.mean(widths) < 1.35


@pytest.mark.slow
def test_eight_parameters() -> None:
    toy = make_toy(8, 100, size=2.0)
    measured = measure(toy, np.array([p.low + 0.4 * (p.high - p.low) for p in toy.parameters]), 3)
    model = train_inverse(jax.random.key(1), scan_of(toy, 300), measured, InverseConfig(), toy)
    assert set(model.calibration.verdicts().values()) == {"consistent"}
    assert np.abs((model.calibration.joint_coverage - [0.68, 0.95]) / model.calibration.coverage_error).max() < 3.5
    shifts, widths = [], []
    for i, theta in enumerate(points(toy, 20, 9)):
        other = measure(toy, theta, 100 + i)
        exact = exact_posterior(toy, other, other.values)
        draws = model.posterior(jax.random.key(i), other.values, 4000)
        shifts.append((draws.mean(axis=0) - exact.mean) / exact.spread)
        widths.append(draws.std(axis=0) / exact.spread)
    assert np.sqrt(np.mean(np.square(shifts))) < 0.2
    assert np.mean(widths) == pytest.approx(1, abs=0.1)


def test_too_few_runs_and_runs_of_another_surrogate_are_refused() -> None:
    toy = make_toy(2, 6)
    measured = measure(toy, np.zeros(2), 3)
    with pytest.raises(InputError, match="needs at least 20 runs inside the box, the scan has 15"):
        train_inverse(jax.random.key(1), scan_of(toy, 15), measured, InverseConfig())
    with pytest.raises(InputError, match="the surrogate has the parameters"):
        train_inverse(jax.random.key(1), scan_of(toy, 30), measured, InverseConfig(), make_toy(3, 6))


@pytest.mark.slow
def test_runs_that_share_measurements_are_held_out_together_and_calibrate_once() -> None:
    scan = copied_scan(20, n=5)
    every = np.arange(20)
    measured = pseudo_data(scan.bins, every, scan.values[62], scan.errors[62])
    few = InverseConfig(steps=10, members=2, layers=1, hidden=(8,), knots=4, calibration_draws=20)
    model = train_inverse(jax.random.key(1), scan, measured, few)
    groups = round(few.held_out * 25)
    assert len(model.calibration.joint) == groups
    with pytest.raises(InputError, match="share measurements in 25 groups, too few to hold some out"):
        train_inverse(jax.random.key(1), scan, measured, msgspec.structs.replace(few, members=13))
