"""What is said of a surrogate: of which things a chi2 is, as figure and in words."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from sbitune.data.reporting import QUIET
from sbitune.report.tune import reliability
from sbitune.tuning.surrogates.choice.choice import train_chosen
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.description import describe, describe_choice, in_words
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train


def rising(theta: np.ndarray) -> np.ndarray:
    """12 bins that respond to two parameters in two ways."""
    x = np.linspace(0, 1, 12)
    return 5 + theta[0] * x + 0.1 * theta[1] * (1 - x)


def trained(scan, components: bool):
    config = PolynomialConfig(order=1, scale="linear", components=components, shrinkage=False)
    return train(jax.random.key(1), scan, config)


def test_a_chi2_of_bins_is_called_so(make_scan) -> None:
    scan = make_scan(rising, 60, 0.05)
    surrogate = trained(scan, components=False)
    residuals = (scan.values - surrogate.predict_many(scan.theta).mean) / scan.errors
    median = np.median(np.sum(residuals**2, axis=0)) / (60 - 3)
    about = describe(surrogate)
    assert about["median_chi2_per_ndf"] == pytest.approx(median, rel=1e-6)
    assert "components_median_chi2_per_ndf" not in about
    words = f" for every bin. The runs' chi2/ndf is {median:.2g} in the median over the bins. Its error counts"
    assert words in in_words(about)


def test_a_chi2_of_components_is_not_taken_for_one_of_bins(make_scan) -> None:
    scan = make_scan(rising, 60, 0.05)
    surrogate = trained(scan, components=True)
    assert isinstance(surrogate, ComponentSurrogate)
    about = describe(surrogate)
    assert about["components"] == 2
    median = np.median(surrogate.inner.chi2) / surrogate.inner.ndf
    assert about["components_median_chi2_per_ndf"] == pytest.approx(median)
    assert "median_chi2_per_ndf" not in about
    assert f"The runs' chi2/ndf is {median:.2g} in the median over the combinations. Errors are" in in_words(about)


def test_the_observable_that_is_described_worst_comes_first(make_scan) -> None:
    """A line cannot follow what is steep: pulls of held-out runs are wide there, and only there."""

    def response(theta: np.ndarray) -> np.ndarray:
        return np.concatenate([rising(theta), 5 + np.exp(2 * theta[0]) * np.linspace(0.5, 1, 6)])

    scan = make_scan(response, 60, 0.05)
    path = np.array(["/A/flat"] * 12 + ["/A/steep"] * 6)
    scan = replace(scan, bins=replace(scan.bins, path=path, index=np.r_[np.arange(12), np.arange(6)]))
    config = PolynomialConfig(order=1, scale="linear", components=False, shrinkage=False)
    about = describe_choice(train_chosen(jax.random.key(1), scan, config, QUIET, judged=True)[1])
    steep, flat = about["worst_observables"]
    assert (steep["path"], flat["path"]) == ("/A/steep", "/A/flat")
    assert steep["rms_pull"] > 5 * flat["rms_pull"]
    # 15 runs of 12 bins of nothing but noise
    assert flat["rms_pull"] == pytest.approx(1, abs=0.25)
    [shown] = reliability._worst_observables(SimpleNamespace(worst_observables=about["worst_observables"]))
    assert [row[0].words for row in shown.rows] == ["/A/steep", "/A/flat"]
