"""What the README shows must work as it stands there."""

import re
import subprocess

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT

from sbitune.cli.main import COMMANDS, main
from sbitune.data import yoda
from sbitune.data.paths import is_final

TEXT = (ROOT / "README.md").read_text()


def test_the_example_analysis_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "my_analysis.py").write_text(blocks[0])
    out = tmp_path / "out.yoda"
    words = ["analyse", ROOT / "tests/data/lep91_200.npz", "--analysis-file", tmp_path / "my_analysis.py"]
    result = CliRunner().invoke(main, [str(w) for w in (*words, "-a", "MY_2026_ANALYSIS", "-o", out)])
    assert result.exit_code == 0, result.stderr
    objects = yoda.read(out, is_final)
    assert objects["/MY_2026_ANALYSIS/d01-x01-y01"].total[0] == pytest.approx(1.0)
    # the mean multiplicity over all bins is that of the events, 20.5 +- 6.2/sqrt(200)
    profile = objects["/MY_2026_ANALYSIS/d02-x01-y01"]
    assert profile.total[4] / profile.total[0] == pytest.approx(20.5, abs=4 * 6.2 / np.sqrt(200))


def test_commands_in_the_readme_exist():
    named = set(re.findall(r"(?:`|^|/)sbitune (\w+) ", TEXT, re.MULTILINE))
    assert named <= set(COMMANDS), named - set(COMMANDS)


def test_files_in_the_readme_exist():
    for path in re.findall(r"`((?:sbitune|tests|tunes|analyses|notebooks)/[\w./-]+)`", TEXT):
        assert (ROOT / path).exists(), path


def test_nothing_unfinished_and_no_place_of_a_machine():
    assert not re.search(r"@\w+@|TODO|FIXME", TEXT)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in tracked:
        if name.endswith((".py", ".md", ".toml", ".yaml", ".ipynb", ".cmnd", ".html")):
            assert f"{ROOT}/" not in (ROOT / name).read_text(errors="replace"), name
