from pathlib import Path

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan


@pytest.fixture
def flavour() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "scans" / "flavour"
    if not folder.is_dir():
        pytest.skip("the folder shared/scans/flavour is not beside this checkout")
    return folder


@pytest.fixture
def scan() -> Scan:
    random = np.random.default_rng(1)
    return Scan(
        parameters=(Parameter("a", 0.0, 2.0, 1.0), Parameter("b", -1.0, 1.0)),
        theta=random.uniform([0, -1], [2, 1], (4, 2)),
        values=random.normal(size=(4, 3)),
        errors=random.uniform(size=(4, 3)),
        bins=Bins(np.array(["/x", "/x", "/y"]), [0, 1, 0], [0.0, 1.0, 0.0], [1.0, 2.0, 5.0]),
        runs=("0000", "0001", "0002", "0003"),
    )
