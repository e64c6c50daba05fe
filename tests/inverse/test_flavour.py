"""A real scan: 8 parameters, 450 runs to learn from, 50 held out, and real data that the generator cannot describe."""

from pathlib import Path

import jax
import numpy as np
import pytest

from sbitune.fitting.likelihood.measured import Measured
from sbitune.tuning.inverse.checks import calibrate_on_runs
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.training import train_inverse
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.training import train

pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def flavour():
    from sbitune.data.formats.apprentice import read_data, read_scan

    folder = Path(__file__).resolve().parents[3] / "shared" / "scans" / "flavour"
    if not folder.is_dir():
        pytest.skip("the folder shared/scans/flavour is not beside this checkout")
    scan = read_scan(folder / "train.h5")
    labels, values, errors = read_data(folder / "data.json")
    place = {label: i for i, label in enumerate(labels)}
    indices = np.array([i for i, label in enumerate(scan.bins.labels()) if label in place])
    bins = scan.bins.take(indices)
    chosen = [place[label] for label in bins.labels()]
    n = len(indices)
    measured = Measured(indices, bins, values[chosen], errors[chosen], np.zeros((0, n)), np.ones(n))
    return scan, read_scan(folder / "holdout.h5", scan.parameters), measured


@pytest.mark.slow
def test_posteriors_of_the_real_scan_cover_and_the_real_data_are_flagged(flavour) -> None:
    scan, holdout, measured = flavour
    surrogate = train(jax.random.key(1), scan, NetworkConfig())
    config = InverseConfig(steps=1500)
    model = train_inverse(jax.random.key(1), scan, measured, config, surrogate)
    found = model.calibration
    assert set(found.verdicts().values()) == {"consistent"}
    assert np.abs((found.coverage.T - [0.68, 0.95]) / found.coverage_error).max() < 4
    real = calibrate_on_runs(jax.random.key(2), model, holdout, measured)
    assert len(real.joint) > 40
    assert set(real.verdicts().values()) == {"consistent"}
    assert real.p_value > 1e-3
    assert "NOT like anything" in model.notes[0]
    # three bins that no run reaches by far are enough to say so: light baryons and charmed hadrons
    assert "d13-x01-y03#0" in model.notes[1]
    assert model.inside.outside[0].distance > 10
