"""What a run is made of: the code and the bins of sbitune's own analyses are a part of its fingerprint."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sbitune

#: the fingerprints of a run of OPAL_1998_S3780481, of one that a command makes, and of one of an analysis that imports
#: from another's module
ASKING = """
from sbitune.generators.config import CommandConfig, PythiaConfig
from sbitune.generators.campaigns.runs import Task, fingerprint
names = ("OPAL_1998_S3780481", "ATLAS_2010_S8894728_ABSETA")
opal, atlas = (PythiaConfig(("Beams:eCM = 91.2",), (name,)) for name in names)
for config in (opal, CommandConfig("true", "out.yoda"), atlas):
    print(fingerprint(Task("0", config, {"a": 1.0}, 1, 1, ".")))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A copy of sbitune that may be changed."""
    place = tmp_path_factory.mktemp("copy") / "sbitune"
    shutil.copytree(Path(sbitune.__file__).parent, place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def fingerprints(package: Path) -> list[str]:
    environment = os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ASKING], env=environment, capture_output=True, text=True, check=True, cwd=package.parent
    )
    return done.stdout.split()


COUNTS = [
    "generators/observables/kernels/thrust.py",
    "generators/observables/framework/projections.py",
    "generators/observables/lep/opal_1998_s3780481.py",
    "data/measured/OPAL_1998_S3780481.yoda",
]
DOES_NOT = [
    "generators/observables/lep/aleph_1996_s3486095.py",
    "data/measured/ALEPH_1996_S3486095.yoda",
    "generators/campaigns/campaign.py",
]


def test_what_fills_the_histograms_counts_and_nothing_else(package):
    pythia, command, derived = fingerprints(package)
    assert fingerprints(package) == [pythia, command, derived]
    for name in (*COUNTS, *DOES_NOT):
        before = (package / name).read_bytes()
        (package / name).write_bytes(before + b"\n# changed\n")
        now = fingerprints(package)
        (package / name).write_bytes(before)
        assert (now[0] != pythia) == (name in COUNTS), name
        assert now[1] == command
        assert (now[2] != derived) == ("framework" in name or "kernels" in name), name


def test_an_analysis_that_imports_from_another_counts_that_too(package):
    before, source = fingerprints(package), package / "generators/observables/lhc/atlas_2010_s8894728.py"
    content = source.read_bytes()
    source.write_bytes(content + b"\n# changed\n")
    now = fingerprints(package)
    source.write_bytes(content)
    assert now[:2] == before[:2]
    assert now[2] != before[2]
