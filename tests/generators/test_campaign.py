"""Campaigns: resumed, reproducible, refused when mixed up, with runs that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from helpers.campaigns import LEP, PYTHIA, content, misfit_tasks, toy_tasks
from helpers.places import ROOT

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.formats.professor import read_runs
from sbitune.generators.campaigns.campaign import Means, run_campaign
from sbitune.generators.campaigns.runs import Task
from sbitune.generators.config import PythiaConfig


def pythia_tasks(n: int, events: int = 300) -> list[Task]:
    return [Task(f"{i:04d}", PYTHIA, {"StringZ:aLund": 0.4 + 0.1 * i}, events, 5 + i, ".") for i in range(n)]


def test_pythia_runs_are_professors_and_the_same_on_any_worker(tmp_path):
    seen = []
    made = run_campaign(pythia_tasks(3), tmp_path / "a", Means(workers=2), lambda *counts: seen.append(counts))
    assert seen == [(0, 3, 0), (1, 3, 0), (2, 3, 0), (3, 3, 0)]
    assert made.new == 3
    run_campaign(pythia_tasks(3)[2:], tmp_path / "b", Means(workers=1))
    assert content(tmp_path / "a")["0002/histograms.yoda"] == content(tmp_path / "b")["0002/histograms.yoda"]
    assert (tmp_path / "a/0001/params.dat").read_text().split() == ["StringZ:aLund", "0.5"]
    scan = read_runs(tmp_path / "a")
    assert scan.runs == ("0000", "0001", "0002")
    assert [p.name for p in scan.parameters] == ["StringZ:aLund"]
    record = json.loads((tmp_path / "a/0000/run.json").read_text())
    assert record["events"] == 300
    assert record["cross_section_pb"] == pytest.approx(4.14e4, rel=0.01)


def test_finished_runs_are_not_made_again(tmp_path):
    run_campaign(toy_tasks(tmp_path, 3), tmp_path / "s", Means(workers=2))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s").glob("*/out.yoda")}
    made = run_campaign(toy_tasks(tmp_path, 5), tmp_path / "s", Means(workers=2))
    assert made.new == 2
    assert before.items() <= {p: p.stat().st_mtime_ns for p in (tmp_path / "s").glob("*/out.yoda")}.items()


def test_runs_of_other_settings_are_refused(tmp_path):
    run_campaign(toy_tasks(tmp_path, 2), tmp_path / "s", Means(workers=1))
    other = [Task(t.name, t.generator, t.values, 200, t.seed, t.card) for t in toy_tasks(tmp_path, 2)]
    with pytest.raises(InputError, match=r"0000 was made with other settings"):
        run_campaign(other, tmp_path / "s", Means(workers=1))
    (tmp_path / "s/0001/run.json").write_text("{")
    with pytest.raises(InputError, match=r"0001: run.json cannot be read"):
        run_campaign(toy_tasks(tmp_path, 2), tmp_path / "s")


def test_failed_runs_are_named_and_the_others_kept(tmp_path):
    tasks = toy_tasks(tmp_path, 4, "fail", bad=2)
    with pytest.raises(ComputationError, match=r"0002 failed: .*exit code 1.*no luck with 0.7"):
        run_campaign(tasks, tmp_path / "s", Means(workers=2))
    assert len(list((tmp_path / "s").glob("*/run.json"))) == 3
    made = run_campaign(tasks, tmp_path / "s", Means(workers=2, drop_failed=True))
    assert list(made.failures) == ["0002"]
    assert made.new == 0  # known to fail in just this way
    assert [p.name for p in made.runs] == ["0000", "0001", "0003"]


def test_a_run_over_its_time_is_killed_with_its_children(tmp_path):
    started = time.monotonic()
    with pytest.raises(ComputationError, match=r"0001 failed: killed after the time limit of 4 s"):
        run_campaign(toy_tasks(tmp_path, 3, "hang", bad=1), tmp_path / "s", Means(workers=1, time_limit=4))
    assert time.monotonic() - started < 60
    assert len(list((tmp_path / "s").glob("*/run.json"))) == 2
    deadline = time.monotonic() + 5
    while left := subprocess.run(["pgrep", "-f", str(tmp_path / "toy.py")], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.1)


def test_a_worker_that_dies_is_named(tmp_path):
    with pytest.raises(ComputationError, match=r"0000 failed: the worker process died \(signal SIGKILL\)"):
        run_campaign(toy_tasks(tmp_path, 2, "crash", bad=0), tmp_path / "s", Means(workers=1))
    assert (tmp_path / "s/0001/run.json").is_file()


def test_pythia_that_refuses_a_point_is_named(tmp_path):
    bad = PythiaConfig(settings=(*LEP, "Beams:idA = 22"), analyses=PYTHIA.analyses)
    with pytest.raises(ComputationError, match=r"0000 failed: Pythia cannot start"):
        run_campaign([Task("0000", bad, {"StringZ:aLund": 0.5}, 10, 1, ".")], tmp_path, Means(workers=1))


def test_settings_that_cannot_start_are_found_before_the_first_run(tmp_path):
    for taken, reason in (("WeakSingleBoson", "no process switched on"), ("23:onIf", "vanishing cross sections")):
        config = PythiaConfig(tuple(line for line in LEP if taken not in line), PYTHIA.analyses)
        tasks = [msgspec.structs.replace(task, generator=config) for task in pythia_tasks(3)]
        how, seen = Means(workers=1, drop_failed=True, place="card.yaml:8: generator.settings"), []
        message = rf"^card.yaml:8: generator.settings: Pythia cannot start .*: .*{reason}.* of the runs 0000 and 0002"
        with pytest.raises(InputError, match=message):
            run_campaign(tasks, tmp_path, how, lambda *counts, seen=seen: seen.append(counts))
        assert seen == []
        assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_a_point_at_which_pythia_does_not_start_is_the_fault_of_its_run(tmp_path):
    tasks = pythia_tasks(3, events=20)
    tasks[0] = msgspec.structs.replace(tasks[0], values={"StringZ:aLund": 9.0})
    made = run_campaign(tasks, tmp_path, Means(workers=1, drop_failed=True))
    assert [p.name for p in made.runs] == ["0001", "0002"]
    assert made.failures["0000"].startswith("Pythia refuses 'StringZ:aLund = 9.0': value is out of range stringz:alund")


def tries(directory: Path) -> int:
    """How often the toy generator was called."""
    return len((directory / "calls").read_text().splitlines())


@pytest.mark.parametrize("drop", [False, True])
def test_failures_that_are_certain_are_not_repeated_for_every_run(tmp_path, drop):
    def tasks(n: int, mode: str) -> list[Task]:
        of_mode = toy_tasks(tmp_path, n, mode)
        config = of_mode[0].generator
        counted = msgspec.structs.replace(config, command=f"echo x >> {tmp_path}/calls; {config.command}")
        return [msgspec.structs.replace(task, generator=counted) for task in of_mode]

    seen = []
    how = Means(workers=2, drop_failed=drop)
    message = r"000\d failed: .*no luck with 0\.\d+\nSo did all of the first 3 of 30 runs, and the others were"
    with pytest.raises(ComputationError, match=message):
        run_campaign(tasks(30, "fail"), tmp_path / "s", how, lambda *counts: seen.append(counts))
    assert seen == [(i, 30, i) for i in range(4)]
    # some more were under way; of 30 most were not tried
    assert 3 <= tries(tmp_path) <= 10
    assert [p.name for p in (tmp_path / "s").iterdir()] == [".lock"]
    # as many runs as there are workers and one more: all have been tried
    if not drop:
        with pytest.raises(ComputationError, match=r"failed: (.|\n)*or leave them out with `scan.bad_runs: drop`"):
            run_campaign(tasks(3, "fail"), tmp_path / "s", how)


def test_a_campaign_with_finished_runs_goes_on_to_its_end(tmp_path):
    run_campaign(toy_tasks(tmp_path, 1), tmp_path / "s", Means(workers=1))
    tasks = toy_tasks(tmp_path, 1) + toy_tasks(tmp_path, 8, "fail")[1:]
    seen = []
    with pytest.raises(ComputationError, match=r"0001 and 6 others failed"):
        run_campaign(tasks, tmp_path / "s", Means(workers=1), lambda *counts: seen.append(counts))
    assert seen == [(1 + i, 8, i) for i in range(8)]


def test_wrong_input_found_in_a_worker_stays_wrong_input(tmp_path):
    seen = []
    with pytest.raises(InputError, match=r"0000 failed: analysis ALEPH_1996_S3486095 exists at 91.2 GeV.* have 60 GeV"):
        run_campaign(misfit_tasks(3), tmp_path, Means(workers=1), lambda done, total, failed: seen.append(done))
    assert seen == [0]  # the other runs are not made in vain
    assert [p.name for p in tmp_path.glob("0*")] == ["0000.failed.json"]
    for _ in range(2):  # left out, and left out again from what was written down
        with pytest.raises(InputError, match=r"every run in .* failed, the first: analysis ALEPH_1996_S3486095 exists"):
            run_campaign(misfit_tasks(2), tmp_path, Means(workers=1, drop_failed=True))
    with pytest.raises(ComputationError, match=r"every run .* exit code 1(.|\n)*delete .*failed.json"):
        run_campaign(toy_tasks(tmp_path, 2, "fail"), tmp_path / "s", Means(workers=1, drop_failed=True))


def test_a_note_of_a_failure_that_cannot_be_read_costs_one_more_try(tmp_path):
    tasks = toy_tasks(tmp_path, 2)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/0001.failed.json").write_text('{"finger')
    made = run_campaign(tasks, tmp_path / "s", Means(workers=1, drop_failed=True))
    assert (made.failures, made.new) == ({}, 2)
    assert not (tmp_path / "s/0001.failed.json").exists()


def test_two_campaigns_in_one_directory(tmp_path):
    tasks = toy_tasks(tmp_path, 1)
    run_campaign(tasks, tmp_path / "s")
    import fcntl

    with (tmp_path / "s/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another sbitune is making runs"):
            run_campaign(tasks, tmp_path / "s")


def start(directory: Path, tasks: int) -> subprocess.Popen:
    """Run a campaign in a process of its own, which can be killed."""
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = [sys.argv[1]];"
        "from sbitune.generators.campaigns.campaign import Means, run_campaign;"
        "from helpers.campaigns import toy_tasks; d = Path(sys.argv[2]);"
        f"run_campaign(toy_tasks(d, {tasks}, 'slow'), d / 's', Means(workers=2))"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(ROOT / "tests"), str(directory)])


def test_killed_at_any_moment_it_loses_no_finished_run(tmp_path):
    (tmp_path / "whole").mkdir()
    run_campaign(toy_tasks(tmp_path / "whole", 12, "slow"), tmp_path / "whole" / "s", Means(workers=2))
    target = tmp_path / "killed"
    target.mkdir()
    finished: set[str] = set()
    for delay in (1.2, 1.5, 1.9):
        process = start(target, 12)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        now = {p.parent.name for p in (target / "s").glob("[0-9]*/run.json")}  # others were not renamed, so not whole
        assert finished <= now
        finished = now
    assert start(target, 12).wait() == 0
    assert content(target / "s") == content(tmp_path / "whole" / "s")
    assert not list((target / "s").glob(".tmp-*"))
