"""Lack of space, a log without end, and a batch system that ends its job: none of these is a property of a run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import toyline
from helpers.calling import call

from sbitune.generators.command import run_command
from sbitune.generators.commandlog import KEPT
from sbitune.generators.config import CommandConfig

#: `generator.py` writes this, too
COMMENT = "    out.write('# ' + 60_000 * 'x' + '\\n')\n"


def scan(card: Path, blocks: int | str) -> subprocess.CompletedProcess:
    """`sbitune scan` where no file may be larger than so many blocks of 512 bytes."""
    command = f"ulimit -f {blocks}; exec {sys.executable} -m sbitune scan {card}"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True)


def make(directory: Path, command: str = "") -> Path:
    toyline.make(directory, runs=12)
    toyline.edit(directory, "scan: {runs: 12, ", "scan: {runs: 12, bad_runs: drop, ")
    if command:
        toyline.edit(directory, "{SEED}\n", f"{{SEED}} && {command}\n")
    return directory


@pytest.mark.parametrize(
    "command", ["", pytest.param("head -c 60000 /dev/zero > more", marks=pytest.mark.slow, id="shell")]
)
def test_runs_without_room_are_not_left_out(tmp_path, command):
    make(tmp_path, command)
    if not command:
        with (tmp_path / "generator.py").open("a") as generator:
            generator.write(COMMENT)
    done = scan(tmp_path, 100)
    assert done.returncode == 1, done.stderr
    message = done.stderr.strip().splitlines()
    assert sum(line.startswith("sbitune: ") for line in message) == 1
    assert f"sbitune: run {tmp_path}/work/scan/00" in done.stderr
    assert message[-1].endswith("Make space and start again.")
    assert [p.name for p in (tmp_path / "work/scan").iterdir()] == [".lock"]
    done = scan(tmp_path, "unlimited")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "work/scan").glob("*/run.json"))) == 12


@pytest.mark.slow
def test_what_sbitune_writes_itself_is_named_where_there_is_no_room(tmp_path):
    make(tmp_path)
    done = scan(tmp_path, 4)
    assert done.returncode == 1, done.stderr
    assert f"sbitune: {tmp_path}/work/scan.npz: cannot be written: file too large; make space and" in done.stderr
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "work").rglob("run.json")}
    assert len(stamps) == 12
    call("scan", tmp_path)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "work").rglob("run.json")} == stamps


@pytest.mark.slow
def test_a_full_disk_says_nothing_of_runs(tmp_path):
    """On a disk of its own, which is really full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True).returncode
    ):
        pytest.skip("a small disk can be mounted by root alone")
    try:
        make(disk / "card")
        with (disk / "card/generator.py").open("a") as generator:
            generator.write(COMMENT.replace("60_000", "300_000"))
        done = scan(disk / "card", "unlimited")
        assert done.returncode == 1, done.stderr
        assert "no space left" in done.stderr
        made = {p.parent.name for p in (disk / "card/work/scan").glob("*/run.json")}
        assert 1 <= len(made) < 12
        assert not list((disk / "card/work/scan").glob("*.failed.json"))
        subprocess.run(["mount", "-o", "remount,size=30m", str(disk)], check=True)
        assert scan(disk / "card", "unlimited").returncode == 0
        assert len(list((disk / "card/work/scan").glob("*/run.json"))) == 12
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_log_has_an_end(tmp_path):
    started = time.monotonic()
    run_command(CommandConfig("seq 800000; cp /dev/null out.yoda; sleep 60 &", "out.yoda"), tmp_path, {}, tmp_path)
    assert time.monotonic() - started < 40  # what runs on in the background is not waited for
    log = (tmp_path / "command.log").read_bytes()
    assert len(log) < 2.01 * KEPT
    assert log.startswith(b"1\n2\n3\n")
    assert log.endswith(b"799999\n800000\n")
    printed = sum(len(f"{i}\n") for i in range(1, 800_001))
    assert b"\n[sbitune: %d bytes are left out here]\n" % (printed - 2 * KEPT) in log


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_campaign_in_order(tmp_path, number, code):
    make(tmp_path, "sleep 0.3")
    process = subprocess.Popen(
        [sys.executable, "-m", "sbitune", "scan", str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (made := list(tmp_path.glob("work/scan/[0-9]*/run.json"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    assert "sbitune: stopped; what is finished is kept, start again to go on" in said
    assert "Traceback" not in said
    assert all(path.is_file() for path in made)
    assert not list((tmp_path / "work/scan").glob(".tmp-*"))
    left = subprocess.run(["pgrep", "-f", str(tmp_path / "generator.py")], capture_output=True, text=True).stdout
    assert not left
