"""Wide scans fit into memory and minutes."""

import json
import subprocess
import sys

import pytest
from helpers.places import ROOT


@pytest.mark.slow
def test_a_wide_scan_is_trained_and_fitted_in_little_memory():
    """10 parameters, 1000 runs, 10,000 bins; in a process of its own, whose greatest memory is its own."""
    command = [sys.executable, str(ROOT / "tests" / "benchmarks" / "bench_wide.py"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1200)
    found = json.loads(done.stdout)
    assert found["fit: GiB"] < 8
    assert found["pull width"] == pytest.approx(1.0, abs=0.1)
    # ten parameters: the rms of their pulls has an error of 1/sqrt(20)
    assert found["fit: rms pull of the parameters"] == pytest.approx(1.0, abs=3 / 20**0.5)
