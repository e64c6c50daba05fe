from dataclasses import replace

import numpy as np
import pytest

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.heldout.evaluation import evaluate


class Oracle:
    """Predicts 1 +- 3 in every bin."""

    def __init__(self, scan) -> None:
        self.parameters, self.bins = scan.parameters, scan.bins

    def predict_many(self, theta: np.ndarray) -> Prediction:
        shape = (len(theta), len(self.bins))
        return Prediction(np.full(shape, 1.0), np.full(shape, 3.0))


@pytest.fixture
def scan(make_scan):
    scan = make_scan(lambda theta: [0.0, 0.0, 0.0], 2, 0.0)
    return replace(scan, values=[[5, 1, 1], [-3, 9, 2]], errors=[[4, 4, 0], [4, 0, 0]])


def test_pulls_by_hand(scan) -> None:
    found = evaluate(Oracle(scan), scan)
    assert found.rms_pull == pytest.approx(np.sqrt((1 + 0 + 1) / 3))
    assert found.pull_width == pytest.approx(np.sqrt((16 + 0 + 16) / 25 / 3))
    np.testing.assert_allclose(found.rms_pull_of_bin, [1, 0, np.nan])
    np.testing.assert_allclose(found.pull_width_of_bin, [0.8, 0, np.nan])
    assert (found.n_pulls, found.n_excluded) == (3, 3)
    assert found.relative_error == pytest.approx(np.median([4 / 5, 0, 0, 4 / 3, 8 / 9, 0.5]))


def test_other_parameters_bins_or_no_errors_are_refused(scan) -> None:
    oracle = Oracle(scan)
    renamed = replace(scan, parameters=(Parameter("q", 0, 1), scan.parameters[1]))
    with pytest.raises(InputError, match="the surrogate has the parameters p0, p1, the scan q, p1"):
        evaluate(oracle, renamed)
    with pytest.raises(InputError, match="3 bins, the scan 2"):
        evaluate(oracle, scan.take_bins([0, 1]))
    with pytest.raises(InputError, match="bin /toy#1 is another one"):
        evaluate(oracle, scan.take_bins([1, 0, 2]))
    with pytest.raises(InputError, match="nothing to compare"):
        evaluate(oracle, replace(scan, errors=np.zeros((2, 3))))
