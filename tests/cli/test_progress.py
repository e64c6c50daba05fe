"""Progress in a log file: a line now and then, an honest guess of the time left, and silence in Python."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from helpers import toyline

from sbitune.cli.main import main
from sbitune.cli.shared.progress import PlainProgress


def play(steps, every=30.0):
    """Lines written when (seconds, done, total) or (seconds, done, total, failed) happen, and the second of each."""
    now, lines = [0.0], []
    progress = PlainProgress(lambda text: lines.append((now[0], text)), every, lambda: now[0])
    for seconds, *counts in steps:
        now[0] = seconds
        progress.show("runs", *counts)
    return lines


def test_a_line_in_thirty_seconds_and_one_at_the_end():
    # 128 runs, one in 2.5 s: 320 s, of which after t seconds 320 - t are left
    lines = play([(2.5 * i, i, 128) for i in range(129)])
    assert [seconds for seconds, _ in lines] == [30.0 * i for i in range(1, 11)] + [320.0]
    assert lines[0][1] == "runs: 12 of 128, about 5 min left"
    assert lines[9][1] == "runs: 120 of 128, about 20 s left"
    assert lines[-1][1] == "runs: 128 of 128, took 5 min"


def test_what_was_there_before_does_not_count_as_pace():
    # 100 of 128 were there; each of the others takes 40 s
    lines = play([(40.0 * i, 100 + i, 128) for i in range(4)])
    assert [text for _, text in lines] == [
        "runs: 101 of 128, about 18 min left",
        "runs: 102 of 128, about 17 min left",
        "runs: 103 of 128, about 17 min left",
    ]


def test_nothing_to_do_is_one_line():
    assert play([(0.0, 24, 24)]) == [(0.0, "runs: 24 of 24")]
    assert play([(31.0, 0, 5)]) == [(31.0, "runs: 0 of 5")]


def test_runs_that_failed_are_counted_apart():
    lines = play([(0.0, 0, 4), (40.0, 1, 4, 1), (80.0, 2, 4, 1), (160.0, 4, 4, 2)])
    assert [text for _, text in lines] == [
        "runs: 1 of 4, 1 failed, about 2 min left",
        "runs: 2 of 4, 1 failed, about 1 min left",
        "runs: 4 of 4, 2 failed, took 3 min",
    ]


@pytest.mark.parametrize("seconds", [1.0, 100.0, 5000.0, 40000.0])
def test_the_time_left_is_that_of_the_pace(seconds):
    words = play([(0.0, 0, 4), (seconds, 1, 4)], every=0.0)[-1][1].split("about ")[1].split()
    assert float(words[0]) * {"s": 1, "min": 60, "h": 3600}[words[1]] == pytest.approx(3 * seconds, rel=0.03)


def test_a_log_file_shows_life_and_figures_stay_alone(tmp_path):
    toyline.make(tmp_path, runs=12)
    result = CliRunner().invoke(main, ["scan", str(tmp_path)])
    assert result.exit_code == 0
    assert "runs: 12 of 12, took" in result.stderr
    assert "histograms: 12 of 12" in result.stderr
    assert "12 of 12" not in result.stdout
    again = CliRunner().invoke(main, ["scan", str(tmp_path)])
    assert "runs: 12 of 12\n" in again.stderr


def test_python_is_silent(tmp_path):
    toyline.make(tmp_path, runs=12)
    code = (
        "import sys; from sbitune.tuning.card import load_card; from sbitune.workflow.runs.scanning import make_scan\n"
        "make_scan(load_card(sys.argv[1]))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
