"""The automatic choice of a surrogate."""

import jax
import msgspec
import numpy as np
import pytest
from helpers.smoothscan import smooth_scan

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.choice.choice import choose, train_chosen
from sbitune.tuning.surrogates.choice.config import AutoConfig
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.description import describe, in_words
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig


@pytest.fixture(scope="module")
def smooth() -> Scan:
    return smooth_scan(100, 400_000, 5)


@pytest.mark.slow
def test_bent_bins_get_gaussian_processes_and_the_table_says_why(smooth) -> None:
    config = AutoConfig(good=50.0, polynomial=PolynomialConfig(order=1))
    choice = choose(jax.random.key(1), smooth, config)
    assert isinstance(choice.config, GaussianConfig)
    assert choice.runs == 20
    densities = [score.log_density for score in choice.scores]
    assert densities == sorted(densities, reverse=True)
    assert choice.scores[0].behind == 0
    straight = next(score for score in choice.scores if score.name == "polynomials of contents")
    assert straight.behind > 5 * straight.behind_error > 0
    assert straight.rms_pull > 5 * choice.scores[0].rms_pull


@pytest.mark.slow
def test_a_network_is_tried_where_the_others_do_not_reach_the_noise(smooth) -> None:
    small = NetworkConfig(hidden=(8,), folds=2, members_per_fold=2, epochs=5)
    config = AutoConfig(good=0.5, polynomial=PolynomialConfig(order=1), network=small)
    assert "network" in {score.name for score in choose(jax.random.key(1), smooth, config).scores}


@pytest.mark.slow
def test_what_is_chosen_is_trained_on_all_runs(smooth) -> None:
    config = AutoConfig(good=50.0, polynomial=PolynomialConfig(order=1))
    surrogate, choice = train_chosen(jax.random.key(1), smooth, config)
    assert choice is not None
    assert isinstance(surrogate, ComponentSurrogate)
    about = describe(surrogate)
    assert about["components"] >= 3
    assert "Gaussian processes" in in_words(about)


def test_too_few_runs_and_no_errors_are_refused(smooth) -> None:
    with pytest.raises(InputError, match="too few to hold some out; add runs"):
        choose(jax.random.key(1), smooth.take_runs(smooth.runs[:5]), AutoConfig())
    exact = Scan(smooth.parameters, smooth.theta, smooth.values, 0 * smooth.errors, smooth.bins, smooth.runs)
    with pytest.raises(InputError, match="no bin of the scan has a Monte Carlo error"):
        choose(jax.random.key(1), exact, AutoConfig())


def test_configs_are_read_from_a_card() -> None:
    read = msgspec.convert({"kind": "auto", "gaussian": {"kind": "gaussian", "groups": 3}}, AutoConfig)
    assert read.gaussian.groups == 3
    assert np.isclose(read.holdout, 0.2)
