"""Where CI runs, a test that is skipped for a reason that nobody expects fails the run."""

import os
import re
import subprocess
import sys

import conftest
from helpers import skips
from helpers.places import ROOT

EXPECTED = """
import pytest

def test_without_a_browser():
    pytest.skip("no Chromium with chromedriver on this machine (Debian: apt-get install chromium)")
"""
ODD = """
import pytest

def test_of_a_package_that_is_gone():
    pytest.importorskip("package_that_is_gone")

@pytest.mark.skip(reason="for now")
def test_for_now():
    pass
"""
WHOLE = 'import pytest\npytest.importorskip("another_that_is_gone")\n'


def run(directory, files, wanted, *options):
    for name, text in files.items():
        (directory / f"test_{name}.py").write_text(text)
    (directory / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), skips.VARIABLE: "1" if wanted else ""}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "helpers.skips",
        "-p",
        "no:cacheprovider",
        *options,
        str(directory),
    ]
    return subprocess.run(words, env=environment, cwd=directory, capture_output=True, text=True)


def test_a_skip_that_nobody_expects_fails_the_run_of_ci(tmp_path):
    files = {"expected": EXPECTED, "odd": ODD, "whole": WHOLE}
    done = run(tmp_path, files, True, "-p", "xdist", "-n", "1")  # by workers, as in CI
    assert done.returncode == 1, done.stdout
    named = re.findall(r"^FAILED (.*)", done.stdout, re.MULTILINE)
    assert len(named) == 3
    assert named[0] == "test_odd.py::test_for_now: for now"
    assert named[1].startswith("test_odd.py::test_of_a_package_that_is_gone: could not import 'package_that_is_gone'")
    assert named[2].startswith("test_whole.py: could not import 'another_that_is_gone'")
    assert run(tmp_path, files, False).returncode == 0  # a user may lack anything


def test_expected_skips_pass(tmp_path):
    done = run(tmp_path, {"expected": EXPECTED}, True)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


def test_ci_wants_it():
    assert f"export {skips.VARIABLE}=1\n" in (ROOT / ".ci/run").read_text()
    assert conftest.pytest_sessionfinish is skips.pytest_sessionfinish
