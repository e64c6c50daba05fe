"""Names of the runs in a surrogate's file: each once, none empty."""

import jax
import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.storage import load_surrogate, load_with_runs, save_surrogate
from sbitune.tuning.surrogates.training import train


def test_runs_twice_or_without_a_name_are_refused(tmp_path):
    x = np.linspace(-1, 1, 8)[:, None]
    bins = Bins(np.array(["/A/d01"] * 2), np.arange(2), np.array([0.0, 1]), np.array([1.0, 2]))
    runs = tuple(map(str, range(8)))
    scan = Scan((Parameter("a", -1, 1),), x, 5 + np.hstack([x, -x]), np.full((8, 2), 0.1), bins, runs)
    surrogate, path = train(jax.random.key(0), scan, PolynomialConfig(order=1)), tmp_path / "s.npz"
    save_surrogate(path, surrogate, runs)
    assert load_with_runs(path)[1] == runs
    for names, said in (
        (("0", "1", "0"), "runs: '0' is there 2 times, expected every run once"),
        (("0", ""), r"runs\[1\] is '', expected the name of a run"),
    ):
        save_surrogate(path, surrogate, names)
        with pytest.raises(InputError, match=rf"s.npz: .*{said}"):
            load_surrogate(path)
