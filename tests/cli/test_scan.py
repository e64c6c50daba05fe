"""`sbitune scan`: faults that only runs find, and what it does without."""

import re
import subprocess
import sys

import toyline
from calling import call
from test_card import MINE, own_card


def test_wrong_input_that_a_run_finds_is_code_2(tmp_path, lep_card):
    own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3], "/MINE/h")
    (tmp_path / "mine.py").write_text(MINE.replace("lambda e, b: None", "lambda e, b: b['hh']"))
    result = call("scan", tmp_path, code=2)
    words = r"run .*/work/scan/\d+.* failed: analysis MINE: .*mine.py:\d+: KeyError: .*hh is not booked"
    assert re.search(words, result.stderr)
    assert "Mend what is named and start again" in result.stderr
    assert not (tmp_path / "work/scan.npz").exists()


def test_too_few_runs_are_refused_before_the_first(tmp_path):
    toyline.make(tmp_path, runs=3)
    result = call("tune", tmp_path, code=2)
    assert "card.yaml:10: scan.runs: a polynomial of order 3 in 2 parameters needs at least 11 runs" in result.stderr
    assert not (tmp_path / "work").exists()


WITHOUT_JAX = """
import sys
from click.testing import CliRunner
from sbitune.cli.main import main
from sbitune.tuning.card import load_card
from sbitune.tuning.scanning import make_scan

assert CliRunner().invoke(main, ["scan", "--help"]).exit_code == 0
assert CliRunner().invoke(main, ["ls", "card"]).exit_code == 0
make_scan(load_card(sys.argv[1]))
print(sorted({"jax", "flax", "optax", "matplotlib", "iminuit"} & {name.split(".")[0] for name in sys.modules}))
"""


def test_scans_are_made_without_jax(tmp_path, lep_card):
    text = lep_card.read_text().replace("runs: 128", "runs: 20").replace("events: 6400", "events: 20")
    (tmp_path / "card.yaml").write_text(text)
    result = subprocess.run([sys.executable, "-c", WITHOUT_JAX, str(tmp_path)], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr
    assert (tmp_path / "work/scan.npz").is_file()
