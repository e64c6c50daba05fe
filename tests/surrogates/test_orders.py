from dataclasses import replace

import numpy as np
import pytest
from helpers.copiedscan import copied_scan

from sbitune.data.errors import InputError
from sbitune.tuning.surrogates.polynomial.orders import choose_order


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_order_of_a_noisy_polynomial_is_found(make_scan, order: int) -> None:
    def truth(theta: np.ndarray) -> list[float]:
        a, b = theta[0] - 1, (theta[1] - 15) / 5
        return [a**order + a ** (order // 2) * b ** (order - order // 2)] * 10

    choice = choose_order(make_scan(truth, 150, 0.05), max_order=5, seed=1)
    assert choice.order == order
    assert [score.order for score in choice.scores] == [0, 1, 2, 3, 4, 5]
    best = choice.scores[order]
    # held-out values scatter by their noise and the error of the fit, which has n_terms of 120 runs
    assert best.rms_pull == pytest.approx(np.sqrt(1 + best.n_terms / 120), rel=0.08)
    # with that error counted the pulls of all orders that hold the truth are 1
    assert all(abs(score.pull_width - 1) < 0.1 for score in choice.scores[order:])
    # log density of a unit Gaussian of width 0.05, lowered by the same error
    exact = -0.5 * (1 + np.log(2 * np.pi * 0.05**2) + np.log(1 + best.n_terms / 120))
    assert best.log_density == pytest.approx(exact, abs=0.08)


def test_orders_with_too_few_runs_are_not_tried(make_scan) -> None:
    scan = make_scan(lambda theta: [theta[0]], 12, 0.05)
    assert [score.order for score in choose_order(scan, max_order=5, seed=1, folds=4).scores] == [0, 1, 2]


def test_the_choice_depends_on_nothing_but_the_seed(make_scan) -> None:
    scan = make_scan(lambda theta: [theta[0]], 40, 0.05)
    assert choose_order(scan, 3, seed=5) == choose_order(scan, 3, seed=5)
    assert choose_order(scan, 3, seed=5) != choose_order(scan, 3, seed=6)


def test_impossible_choices_are_refused(make_scan) -> None:
    scan = make_scan(lambda theta: [theta[0]], 6, 0.05)
    with pytest.raises(InputError, match="7 folds of 6 runs"):
        choose_order(scan, 2, seed=1, folds=7)
    with pytest.raises(InputError, match="no bin of the scan has a Monte Carlo error"):
        choose_order(replace(scan, errors=np.zeros_like(scan.errors)), 2, seed=1)


def test_orders_that_a_grid_does_not_determine_are_not_tried() -> None:
    found = choose_order(copied_scan(10, n=4, copied=False), 6, seed=1)
    assert [score.order for score in found.scores] == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_steep_truth_of_few_runs_is_no_constant(make_scan, seed: int) -> None:
    """One run in the corner makes all scores uncertain."""
    scan = make_scan(lambda theta: [np.exp(1.5 * theta[0]), np.exp(1.2 * theta[0]) * theta[1] / 15], 14, 0.05)
    choice = choose_order(scan, max_order=2, seed=seed)
    assert choice.order > 0
    assert choice.scores[0].order == 0
    assert choice.scores[0].rms_pull > 1.2 * choice.scores[1].rms_pull
