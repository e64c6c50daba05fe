"""A real scan: 8 parameters, 450 runs to learn from, 50 held out."""

import time
from pathlib import Path

import jax
import pytest

from sbitune.tuning.surrogates.config import NetworkConfig, PolynomialConfig
from sbitune.tuning.surrogates.evaluation import evaluate
from sbitune.tuning.surrogates.training import train

pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def scans():
    from sbitune.data.apprentice import read_scan

    folder = Path(__file__).resolve().parents[3] / "shared" / "scans" / "flavour"
    if not folder.is_dir():
        pytest.skip("the folder shared/scans/flavour is not beside this checkout")
    used = read_scan(folder / "train.h5")
    return used, read_scan(folder / "holdout.h5", used.parameters)


@pytest.mark.parametrize(("order", "rms"), [(1, 150), (2, 50), pytest.param(3, 20, marks=pytest.mark.slow)])
def test_polynomials_know_what_they_miss(scans, order: int, rms: float) -> None:
    found = evaluate(train(jax.random.key(1), scans[0], PolynomialConfig(order=order)), scans[1])
    assert found.rms_pull < rms
    assert found.pull_width == pytest.approx(1, abs=0.35)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_networks_predict_the_real_scan(scans, seed: int) -> None:
    start = time.process_time()
    surrogate = train(jax.random.key(seed), scans[0], NetworkConfig())
    seconds = time.process_time() - start
    found = evaluate(surrogate, scans[1])
    assert found.rms_pull < 3
    # 2150 pulls, of which those of one run move together: some 50 to 300 independent ones
    assert found.pull_width == pytest.approx(1, abs=0.1)
    assert seconds < 60
