"""A tune is of measurements, not of the order, the units or the names in which scan and data are written down."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import linearline

from sbitune.data.bins import Bins
from sbitune.tuning.stages.pipeline import tune

N = linearline.N_BINS
OBSERVABLE = np.repeat(np.arange(3), linearline.PER_OBSERVABLE)
SAME, ONE = np.arange(N), np.ones(N)
#: order of the bins, units (powers of ten: reference files are written with some digits), and bins
CHANGES = {
    "order of observables": (np.concatenate([np.flatnonzero(k == OBSERVABLE) for k in (2, 0, 1)]), ONE, None),
    "order of bins": (np.random.default_rng(5).permutation(N), ONE, None),
    "units": (SAME, np.array([1e-3, 10.0, 1e6])[OBSERVABLE], None),
    "splitting": (SAME, ONE, linearline.make_bins(4)),
}


def record_of(directory, order: np.ndarray = SAME, units: np.ndarray = ONE, bins: Bins | None = None):
    scan = linearline.make_scan()
    bins = scan.bins.take(order) if bins is None else bins
    values, errors = (units * scan.values)[:, order], (units * scan.errors)[:, order]
    data = (units * linearline.measure())[order], linearline.ERROR * units[order]
    return tune(linearline.write(directory, replace(scan, bins=bins, values=values, errors=errors), *data)).record


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return record_of(tmp_path_factory.mktemp("first"))


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_tune_is_that_of_the_measurements(first, tmp_path, change):
    """Surrogate, its inflation, which toys decide, and closure included."""
    record = record_of(tmp_path, *CHANGES[change])
    for name, one in first.parameters.items():
        two = record.parameters[name]
        assert two.value == pytest.approx(one.value, abs=1e-6 * one.error), name
        assert two.error == pytest.approx(one.error, rel=1e-6), name
    assert record.chi2 == pytest.approx(first.chi2, rel=1e-6)
    assert record.choice[0]["rms_pull"] == pytest.approx(first.choice[0]["rms_pull"], rel=1e-6)
    # near limits ranks among draws decide, which rounding moves by one
    assert record.closure["pull_width"] == pytest.approx(first.closure["pull_width"], abs=0.01)
    assert record.closure["coverage68"] == first.closure["coverage68"]
    pulls = [np.sort([row["pull_width"] for row in r.worst_observables]) for r in (record, first)]
    if change != "splitting":
        np.testing.assert_allclose(*pulls, rtol=1e-6)
