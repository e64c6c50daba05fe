"""What the README and its pages show must work as it stands there."""

import json
import re
import shlex
import subprocess

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.calling import call
from helpers.places import ROOT

from sbitune.cli.main import COMMANDS, main
from sbitune.data import yoda
from sbitune.data.text.paths import is_final

README = (ROOT / "README.md").read_text()
#: it and the pages that it leads to
PAGES = [ROOT / "README.md", *(ROOT / path for path in re.findall(r"\]\((analyses/\w+/README\.md)\)", README))]
TEXT = "\n".join(path.read_text() for path in dict.fromkeys(PAGES))


def test_the_example_analysis_runs(tmp_path):
    blocks = re.findall(r"<!-- analysis -->\n```python\n(.*?)```", TEXT, re.DOTALL)
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


def test_tables_of_events_are_made_and_read(tmp_path, monkeypatch, capsys):
    commands, code = re.findall(r"<!-- events -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for line in commands.splitlines():
        call(*shlex.split(line.replace("tests/data", str(ROOT / "tests/data")))[1:])
    found: dict = {}
    exec(code, found)
    assert 0.05 < found["events"]["tau"].mean() < 0.1
    assert sum(map(len, found["folds"])) == len(found["events"])
    assert len(list(found["events"].slices(4_000))) > 1
    assert capsys.readouterr().out.split()[-1] == str(len(found["events"]))


def test_the_whole_card_passes_every_check(tmp_path):
    (card,) = re.findall(r"<!-- whole card -->\n```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "card.yaml").write_text(card)
    found = json.loads(call("ls", "--json", tmp_path).stdout)
    assert found["runs_to_make"] == 40
    assert {path: row["bins"] for path, row in found["observables"].items()} == {
        "/ALEPH_1996_S3486095/d01-x01-y01": 23,
        "/ALEPH_1996_S3486095/d03-x01-y01": 21,
        "/ALEPH_1996_S3486095/d04-x01-y01": 18,
        "/ALEPH_1996_S3486095/d09-x01-y01": 33,
        "/ALEPH_1996_S3486095/d18-x01-y01": 10,
        "/DELPHI_1996_S3430090/d35-x01-y01": 1,
    }


def test_the_readme_is_short_and_leads_to_every_page():
    assert len(README.splitlines()) <= 200
    assert set(PAGES[1:]) == set((ROOT / "analyses").glob("*/README.md"))


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
