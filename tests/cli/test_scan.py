"""`sbitune scan`: faults that only runs find, and what it does without."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from helpers import toyline
from helpers.calling import call
from helpers.ownanalysis import MINE, own_card

from sbitune.tuning.card import load_card
from sbitune.workflow.runs.tasks import design


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


def test_a_scan_needs_no_measurement_and_a_fit_does(tmp_path):
    toyline.make(tmp_path, runs=3)
    toyline.edit(tmp_path, "reference: [data.yoda]\nobservables:\n  /TOY: 1\n", "")
    assert "card.yaml: reference: give the measured data to fit to" in call("tune", tmp_path, code=2).stderr
    assert not (tmp_path / "work").exists()
    assert json.loads(call("scan", "--json", tmp_path).stdout)["bins"] == 8 + 8 + 1
    found = json.loads(call("ls", "--json", tmp_path).stdout)
    assert list(found["observables"]) == ["/TOY/d01", "/TOY/d02", "/TOY/d03"]
    toyline.edit(tmp_path, "order: 3", "order: 0")
    assert "card.yaml: reference: give the measured data to fit to" in call("fit", tmp_path, code=2).stderr


def test_selectors_of_a_scan_without_measurement_are_compared_with_the_analyses(tmp_path, lep_card):
    text = own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3], "/MINE/h").path.read_text()
    (tmp_path / "card.yaml").write_text(text.replace("reference: [mine.yoda]\n", "").replace("/MINE/h", "/MINE/hh"))
    said = call("scan", tmp_path, code=2).stderr
    assert "/MINE/hh: no bin of the analyses matches '/MINE/hh'; the nearest observables are /MINE/h" in said
    (tmp_path / "card.yaml").write_text(text.replace("reference: [mine.yoda]\n", ""))
    assert json.loads(call("ls", "--json", tmp_path).stdout)["observables"]["/MINE/h"]["bins"] == 3


def test_fit_reads_a_scan_that_exists(tmp_path):
    toyline.make(tmp_path / "made")
    call("scan", tmp_path / "made")
    text = (tmp_path / "made/card.yaml").read_text()
    existing = text[text.index("reference:") :].replace("data.yoda", "made/data.yoda")
    (tmp_path / "card.yaml").write_text(f"title: toy\nscan: {{directory: made/work/scan}}\n{existing}")
    assert json.loads(call("fit", "--json", tmp_path).stdout)["parameters"]["a"]["value"] == pytest.approx(1.3, abs=0.1)


def test_settings_that_cannot_start_are_code_2_with_their_line(tmp_path, lep_card):
    text = lep_card.read_text().replace("runs: 128", "runs: 20").replace("events: 4500", "events: 20")
    (tmp_path / "card.yaml").write_text(text.replace("    - WeakSingleBoson:ffbar2gmZ = on\n", ""))
    said = call("scan", tmp_path, code=2).stderr
    line = text.splitlines().index("  settings:") + 1
    assert f"card.yaml:{line}: generator.settings: Pythia cannot start with these settings: no process switched" in said
    assert "runs: " not in said


def test_a_parameter_that_changes_no_event_is_refused_before_the_first_run(tmp_path, lep_card):
    text = lep_card.read_text().replace("runs: 128", "runs: 1").replace("events: 4500", "events: 20")
    head, tail = text.replace("settings:\n", "settings:\n    - Tune:ee = 3\n    - Tune:pp = 14\n").split("parameters:")
    idle = "  MultipartonInteractions:pT0Ref: {low: 2, high: 3}\n"
    card, scan = tmp_path / "card.yaml", "scan:\n  bad_bins: drop" + tail.split("scan:")[1].split("\n\n")[0] + "\n"
    parameters = f"parameters:\n{idle}  StringPT:sigma: {{low: 0.3, high: 0.35}}\n"
    card.write_text(head + parameters + scan)
    line = card.read_text().splitlines().index(idle.rstrip()) + 1
    for tried in (True, False):  # what was found is kept
        said = call("scan", card, code=2).stderr
        assert ("parameters tried: " in said) == tried
        assert (
            f"card.yaml:{line}: parameters.MultipartonInteractions:pT0Ref: MultipartonInteractions:pT0Ref changes "
            "nothing: 500 events of one seed are equal at 2, in the middle and at 3; no hadrons collide"
        ) in said
        assert said.endswith("Take it away, or scan it all the same with `check_effect: false`\n")
    assert not (tmp_path / "work/scan").exists()
    card.write_text(card.read_text().replace("high: 3}", "high: 3, check_effect: false}"))
    (tmp_path / "work/effects.json").write_text('{"key": "')
    for tried in (True, False):
        found = call("scan", "--json", card)
        assert ("effects.json" in found.stderr and "they are tried again" in found.stderr) == tried
        assert json.loads(found.stdout)["runs"] == 1
        assert ("parameters tried: " in found.stderr) == tried
        assert "Tune:ee = 3 is undone by Tune:pp = 14 (" in found.stderr
    (finding, *_) = json.loads((tmp_path / "work/findings.json").read_text())["findings"]
    assert finding["kind"] == "settings undone by later ones"


def test_runs_that_fail_are_counted_and_a_program_that_is_not_there_is_not_called_for_every_run(tmp_path):
    toyline.make(tmp_path, runs=20)
    good = (tmp_path / "generator.py").read_text()
    (tmp_path / "generator.py").write_text(
        good.replace("import math", "import sys; sys.argv[1] > '1.9' and 1 / 0\nimport math")
    )
    said = call("scan", tmp_path, code=1).stderr
    failed = sum(float(line) > 1.9 for line in design(load_card(tmp_path))[:, 0])
    assert f"runs: 20 of 20, {failed} failed, took" in said
    assert "or leave them out with `scan.bad_runs: drop`" in said
    toyline.edit(tmp_path, "command: ", "command: nosuchprogram ")
    shutil.rmtree(tmp_path / "work")
    said = call("scan", tmp_path, code=1).stderr
    assert "exit code 127" in said
    assert "all of the first 3 of 20 runs, and the others were not tried" in said


@pytest.mark.slow
def test_validation_that_fails_names_the_point_and_its_own_remedy(tmp_path):
    toyline.make(tmp_path)
    call("scan", tmp_path)
    call("fit", tmp_path)
    (tmp_path / "generator.py").write_text("import sys; sys.exit('no')\n")
    said = call("validate", tmp_path, code=1).stderr
    assert re.search(r"validation at the values `tuned` and `default`: run .* failed: the command ended with", said)
    assert f"They cannot be left out; the tune is in {tmp_path}/result.yaml all the same" in said
    assert "fit.limits" in said
    assert "bad_runs" not in said
    assert (tmp_path / "result.yaml").is_file()


def test_a_damaged_run_of_its_own_scan_is_to_be_deleted_and_is_made_again(tmp_path):
    toyline.make(tmp_path, runs=12)
    call("scan", tmp_path)
    run = tmp_path / "work/scan/0003"
    whole = (run / "out.yoda").read_bytes()
    (run / "out.yoda").write_bytes(whole[: len(whole) // 2])
    said = call("scan", tmp_path, code=2).stderr
    assert f"{run}/out.yoda" in said
    assert f"Delete the directory {run}, and the run is made again." in said
    assert "bad_runs" not in said
    # somebody else's runs cannot be made again
    foreign = call("train", tmp_path / "work/scan", "--kind", "polynomial", "--order", "1", code=2).stderr
    assert "To leave such runs out, set `bad_runs: drop` (`--bad-runs drop`)" in foreign
    shutil.rmtree(run)
    call("scan", tmp_path)
    assert (run / "out.yoda").read_bytes() == whole


WITHOUT_JAX = """
import sys
from click.testing import CliRunner
from sbitune.cli.main import main
from sbitune.tuning.card import load_card
from sbitune.workflow.runs.scanning import make_scan

assert CliRunner().invoke(main, ["scan", "--help"]).exit_code == 0
assert CliRunner().invoke(main, ["ls", "card"]).exit_code == 0
make_scan(load_card(sys.argv[1]))
print(sorted({"jax", "flax", "optax", "matplotlib", "iminuit"} & {name.split(".")[0] for name in sys.modules}))
"""


def test_scans_are_made_without_jax(tmp_path, lep_card):
    text = lep_card.read_text().replace("runs: 128", "runs: 20").replace("events: 4500", "events: 20")
    (tmp_path / "card.yaml").write_text(text)
    result = subprocess.run([sys.executable, "-c", WITHOUT_JAX, str(tmp_path)], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr
    assert (tmp_path / "work/scan.npz").is_file()
