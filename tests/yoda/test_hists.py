"""To and from hist.Hist."""

import json
import sys

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.errors import InputError


@pytest.fixture
def hist():
    return pytest.importorskip("hist", reason="the package hist is not installed")


def test_filled_histogram_survives(hist):
    rng = np.random.default_rng(3)
    filled = hist.Hist(hist.axis.Variable([0.0, 1.0, 3.0]), storage=hist.storage.Weight())
    x, w = rng.normal(1, 2, 200), rng.uniform(0.5, 2, 200)
    filled.fill(x, weight=w)
    mine = yoda.from_hist(filled, "/h")
    assert isinstance(mine, yoda.Histo1D)
    inside = (x >= 1) & (x < 3)
    assert mine.area()[1] == pytest.approx(w[inside].sum())
    assert mine.height_error()[1] == pytest.approx(np.sqrt((w[inside] ** 2).sum()) / 2)
    assert mine.underflow[0] == pytest.approx(w[x < 0].sum())
    assert mine.integral() == pytest.approx(w.sum())
    back = yoda.to_hist(mine)
    assert back == filled


def test_filled_profile_survives(hist):
    rng = np.random.default_rng(4)
    filled = hist.Hist(hist.axis.Regular(3, 0, 3), storage=hist.storage.WeightedMean())
    x, y, w = rng.uniform(-1, 4, 300), rng.normal(5, 2, 300), rng.uniform(0.5, 2, 300)
    filled.fill(x, weight=w, sample=y)
    mine = yoda.from_hist(filled, "/p")
    assert isinstance(mine, yoda.Profile1D)
    np.testing.assert_allclose(mine.mean(), filled.values())
    # variance over the effective number of entries; boost-histogram's own variances() divides by the sum of weights
    view = filled.view()
    wanted = view.variance * view["sum_of_weights_squared"] / view["sum_of_weights"] ** 2
    np.testing.assert_allclose(mine.mean_error() ** 2, wanted, rtol=1e-9)
    back = yoda.to_hist(mine)
    np.testing.assert_allclose(back.values(flow=True), filled.values(flow=True))
    np.testing.assert_allclose(back.variances(flow=True), filled.variances(flow=True))


def test_unweighted_storages(hist):
    counts = hist.Hist(hist.axis.Regular(2, 0, 2, flow=False))
    counts.fill([0.5, 1.5, 1.6])
    mine = yoda.from_hist(counts, "/h")
    np.testing.assert_array_equal(mine.sums, [[1, 1, 0.5, 0.25, 1], [2, 2, 3, 4.5, 2]])
    assert mine.underflow[0] == 0
    means = hist.Hist(hist.axis.Regular(1, 0, 2), storage=hist.storage.Mean())
    means.fill([0.5, 1.5, 1.6], sample=[1.0, 2.0, 6.0])
    profile = yoda.from_hist(means, "/p")
    np.testing.assert_allclose(profile.mean(), [3])
    np.testing.assert_allclose(profile.mean_error(), [np.std([1, 2, 6], ddof=1) / np.sqrt(3)])


def test_gap_becomes_an_empty_bin(hist):
    histogram = yoda.Histo1D.zeros("/h", [0, 1, 3], [1, 2, 4])
    histogram.sums[:, 0], histogram.sums[:, 1] = [1, 2, 3], [1, 4, 9]
    converted = yoda.to_hist(histogram)
    np.testing.assert_array_equal(converted.axes[0].edges, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(converted.values(), [1, 2, 0, 3])
    np.testing.assert_array_equal(converted.variances(), [1, 4, 0, 9])


@pytest.mark.parametrize("storage", ["Double", "Unlimited", "Mean"])
def test_weights_that_left_no_squares_are_refused(hist, storage):
    uhi = pytest.importorskip("uhi.io.json", reason="uhi is not installed")
    sample = {"sample": [1.0, 2.0, 4.0]} if storage == "Mean" else {}
    filled = hist.Hist(hist.axis.Regular(3, 0, 3), storage=getattr(hist.storage, storage)())
    filled.fill([0.5, 0.6, 1.5], weight=[0.5, 1.0, 2.0], **sample)
    carried = hist.Hist(json.loads(json.dumps(filled, default=uhi.default), object_hook=uhi.object_hook))
    for histogram in (filled, carried):
        with pytest.raises(InputError, match=rf"/h: a histogram of {storage} storage that was filled with weights"):
            yoda.from_hist(histogram, "/h")
    counted = hist.Hist(hist.axis.Regular(3, 0, 3), storage=getattr(hist.storage, storage)())
    counted.fill([0.5, 0.6, 1.5], **sample)
    assert yoda.points(yoda.from_hist(counted, "/h")).plus[0] == {"Mean": 0.5}.get(storage, np.sqrt(2))


@pytest.mark.parametrize("storage", ["Mean", "WeightedMean"])
def test_profiles_that_lost_their_sums_are_refused(hist, storage):
    uhi = pytest.importorskip("uhi.io.json", reason="uhi is not installed")
    filled = hist.Hist(hist.axis.Regular(3, 0, 3), storage=getattr(hist.storage, storage)())
    filled.fill([0.5, 0.6, 1.5], sample=[1.0, 2.0, 4.0])
    assert yoda.from_hist(filled, "/p").mean()[0] == 1.5
    carried = hist.Hist(json.loads(json.dumps(filled, default=uhi.default), object_hook=uhi.object_hook))
    if np.isfinite(np.asarray(carried.view(flow=True).tolist())).all():  # a version that carries them
        assert yoda.from_hist(carried, "/p").mean()[0] == 1.5
        return
    with pytest.raises(InputError, match=r"/p: row \d of the 5 with outflows is not finite: a profile loses its sums"):
        yoda.from_hist(carried, "/p")


def test_what_cannot_be_converted(hist):
    with pytest.raises(InputError, match="/c: only a Histo1D or Profile1D"):
        yoda.to_hist(yoda.Counter("/c", 1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="/h: a histogram without bins"):
        yoda.to_hist(yoda.Histo1D.zeros("/h", [], []))
    with pytest.raises(InputError, match="/h: a histogram with 2 axes"):
        yoda.from_hist(hist.Hist(hist.axis.Regular(1, 0, 1), hist.axis.Regular(1, 0, 1)), "/h")


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "hist", None)
    with pytest.raises(InputError, match=r"pip install 'sbitune\[hist\]'"):
        yoda.to_hist(yoda.Histo1D.zeros("/h", [0], [1]))
