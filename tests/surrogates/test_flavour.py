"""A real scan: 8 parameters, 450 runs to learn from, 50 held out."""

import time
from pathlib import Path

import jax
import pytest

from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train

pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def scans():
    from sbitune.data.formats.apprentice import read_scan

    folder = Path(__file__).resolve().parents[3] / "shared" / "scans" / "flavour"
    if not folder.is_dir():
        pytest.skip("the folder shared/scans/flavour is not beside this checkout")
    used = read_scan(folder / "train.h5")
    return used, read_scan(folder / "holdout.h5", used.parameters)


#: order, components, rms pull and width as measured; both are decided by the runs, without random numbers
POLYNOMIALS = [
    (1, True, 143.0, 0.81), (2, True, 47.8, 0.86), (2, False, 47.8, 1.30),
    *(pytest.param(*row, marks=pytest.mark.slow) for row in ((3, True, 14.2, 0.81), (3, False, 14.0, 1.30))),
]  # fmt: skip


@pytest.mark.parametrize(("order", "components", "rms", "width"), POLYNOMIALS)
def test_polynomials_know_what_they_miss(scans, order: int, components: bool, rms: float, width: float) -> None:
    config = PolynomialConfig(order=order, components=components)
    found = evaluate(train(jax.random.key(1), scans[0], config), scans[1])
    assert (found.n_pulls, found.n_excluded) == (50 * 43, 0)
    assert found.rms_pull == pytest.approx(rms, rel=0.03)
    assert found.pull_width == pytest.approx(width, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(GaussianConfig(), marks=pytest.mark.slow, id="components"),
        pytest.param(GaussianConfig(components=False), id="per bin"),
    ],
)
def test_gaussian_processes_predict_the_real_scan(scans, config: GaussianConfig) -> None:
    found = evaluate(train(jax.random.key(1), scans[0], config), scans[1])
    assert found.rms_pull <= 2.5  # a process per bin of scikit-learn: 7.0; polynomials of order 3: 14
    # 2150 pulls, of which those of one run move together: some 50 to 300 independent ones
    assert found.pull_width == pytest.approx(1, abs=0.12)


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
