"""Files of finished runs that are not what the runs left: told from those of others, never used."""

import json
import os
import shutil

import numpy as np
import pytest
from helpers.campaigns import content, toy_tasks

from sbitune.data.errors import InputError
from sbitune.data.formats import mcnntunes
from sbitune.data.formats.professor import Reading, read_runs
from sbitune.data.formats.runfiles import DamagedRunError, write_run_record
from sbitune.data.storage.arrays import write_arrays
from sbitune.generators.campaigns.campaign import Means, run_campaign
from sbitune.workflow.runs.scanning import load_scan

ONE = Means(workers=1)


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("toys")
    run_campaign(toy_tasks(directory, 3), directory / "s", Means(workers=2))
    return directory


@pytest.fixture
def made(toys, tmp_path):
    shutil.copytree(toys / "s", tmp_path / "s")
    return tmp_path / "s"


def without_hashes(scan):
    """As an older sbitune left it."""
    for record in scan.glob("*/run.json"):
        said = json.loads(record.read_text())
        record.write_text(json.dumps({key: said[key] for key in said if key not in ("files", "hash")}))


def swap(scan, name):
    one, two = scan / "0000" / name, scan / "0001" / name
    shutil.copy(one, scan / "kept")
    shutil.copy(two, one)
    shutil.move(scan / "kept", two)


@pytest.mark.parametrize("name", ["out.yoda", "params.dat"])
def test_files_of_another_run_are_not_taken(toys, made, name):
    swap(made, name)
    with pytest.raises(DamagedRunError, match=rf"0000/{name} is not what the run left: it was damaged, changed or"):
        read_runs(made)
    with pytest.raises(
        DamagedRunError, match=rf"0000/{name} is not (.|\n)*Delete the directories 0000, 0001 in .*, and the runs are"
    ):
        run_campaign(toy_tasks(toys, 3), made, ONE)
    shutil.rmtree(made / "0000")
    shutil.rmtree(made / "0001")
    assert run_campaign(toy_tasks(toys, 3), made, ONE).new == 2
    assert content(made) == content(toys / "s")


@pytest.mark.parametrize("name", ["out.yoda", "params.dat"])
@pytest.mark.parametrize("how", ["gone", "empty", "cut"])
def test_files_that_lost_something_are_named(made, name, how):
    file = made / "0001" / name
    whole = file.read_bytes()
    file.unlink()
    if how != "gone":
        file.write_bytes(b"" if how == "empty" else whole[: len(whole) // 2])
    with pytest.raises(DamagedRunError, match=rf"run .*0001: .*{name}"):
        read_runs(made)
    told = []
    assert read_runs(made, reading=Reading(bad_runs="drop", tell=told.append)).runs == ("0000", "0002")
    assert any("0001" in words and name in words for words in told)


RECORDS = [
    "",
    "{",
    "[]",
    "7",
    "null",
    '"x"',
    "[" * 20_000,
    '{"output": 5}',
    '{"output": "out.yoda", "files": []}',
    "\x00",
]


@pytest.mark.parametrize("text", RECORDS, ids=range(len(RECORDS)))
def test_records_that_are_none(toys, made, text):
    (made / "0001/run.json").write_text(text)
    with pytest.raises(DamagedRunError, match=r"run .*0001: run.json cannot be read"):
        read_runs(made)
    with pytest.raises(
        InputError, match=r"run .*0001: run.json cannot be read(.|\n)*Delete the directory .*0001, and the run is made"
    ):
        run_campaign(toy_tasks(toys, 3), made, ONE)


def test_every_key_of_a_record_counts(toys, made):
    said = json.loads((made / "0001/run.json").read_text())
    for key in said:
        (made / "0001/run.json").write_text(json.dumps({k: v for k, v in said.items() if k != key}))
        with pytest.raises(DamagedRunError, match=r"0001"):
            run_campaign(toy_tasks(toys, 3), made, ONE)


def test_runs_of_an_older_sbitune_go_on_being_used(toys, made):
    without_hashes(made)
    assert read_runs(made).runs == ("0000", "0001", "0002")
    assert run_campaign(toy_tasks(toys, 3), made, ONE)[2:] == (0, 3)
    assert content(made) == content(toys / "s")
    assert run_campaign(toy_tasks(toys, 3), made, ONE)[2:] == (0, 0)  # said once
    with (made / "0002/out.yoda").open("a") as file:
        file.write("\n")
    with pytest.raises(DamagedRunError, match=r"0002/out.yoda is not what the run left"):
        run_campaign(toy_tasks(toys, 3), made, ONE)


def test_values_of_an_older_run_must_be_those_of_its_record(made):
    without_hashes(made)
    swap(made, "params.dat")
    with pytest.raises(DamagedRunError, match=r"0000: params.dat has other values than run.json"):
        read_runs(made)


def test_parts_belong_to_a_run(made):
    for number, run in enumerate(sorted(made.glob("0*"))):
        rng = np.random.default_rng(number)
        parts = {"values": rng.normal(size=(8, 3)), "events": np.full(8, 10)}
        write_arrays(run / "parts.npz", parts | {"path": np.full(3, "/TOY/h"), "index": np.arange(3)})
        write_run_record(run, json.loads((run / "run.json").read_text()) | {"pythia": "8.317"})
    whole = read_runs(made).correlation
    assert whole is not None
    swap(made, "parts.npz")
    with pytest.raises(DamagedRunError, match=r"0000/parts.npz is not what the run left"):
        read_runs(made)
    swap(made, "parts.npz")
    (made / "0001/parts.npz").rename(made / "parts.npz")
    with pytest.raises(DamagedRunError, match=r"0001: .*parts.npz"):
        read_runs(made)
    without_hashes(made)
    with pytest.raises(DamagedRunError, match=r"0001: parts.npz is missing, which every such run has"):
        read_runs(made)
    (made / "parts.npz").rename(made / "0001/parts.npz")
    np.testing.assert_array_equal(read_runs(made).correlation, whole)


@pytest.mark.parametrize("output", ["../0000/out.yoda", "/etc/hostname", "/dev/zero", "..", ".", "a\x00b", ""])
def test_a_record_leads_to_its_own_directory_only(made, output):
    without_hashes(made)
    record = made / "0001/run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"output": output}))
    with pytest.raises(DamagedRunError, match=r"0001: "):
        read_runs(made)


@pytest.mark.parametrize("with_record", [True, False])
def test_pipes_devices_and_links_out_of_a_scan_are_not_opened(made, tmp_path, with_record):
    without_hashes(made)
    if not with_record:
        for record in made.glob("*/run.json"):
            record.unlink()
    outside, file = tmp_path / "outside.yoda", made / "0001/out.yoda"
    file.rename(outside)
    os.mkfifo(file)
    with pytest.raises(DamagedRunError, match=r"0001: .*out.yoda: it is no plain file, and is not opened"):
        read_runs(made)
    for target, message in (("/dev/zero", "no plain file"), (outside, "it is a link to"), ("out.yoda", "0001")):
        file.unlink()
        file.symlink_to(target)
        with pytest.raises(DamagedRunError, match=rf"0001: .*out.yoda: .*{message}"):
            read_runs(made)
    file.unlink()
    outside.rename(made / "shared.yoda")
    file.symlink_to("../shared.yoda")  # inside the scan
    assert read_runs(made).runs == ("0000", "0001", "0002")
    made.rename(tmp_path / "elsewhere")
    made.mkdir()
    for run in (tmp_path / "elsewhere").glob("0*"):
        (made / run.name).symlink_to(run)  # the user's own choice of runs
    assert read_runs(made).runs == ("0000", "0001", "0002")


def test_other_layouts_of_a_scan_lead_nowhere_else_either(made, tmp_path):
    scan = read_runs(made)
    inside, outside = tmp_path / "scan", tmp_path / "outside"
    mcnntunes.write_scan(inside, scan)
    outside.mkdir()
    assert load_scan(inside).runs == scan.runs
    os.mkfifo(inside / "0000a.yoda")
    with pytest.raises(InputError, match=r"0000a.yoda: it is no plain file, and is not opened"):
        load_scan(inside)
    (inside / "0000a.yoda").unlink()
    (inside / "0001.yoda").rename(outside / "0001.yoda")
    (inside / "0001.yoda").symlink_to(outside / "0001.yoda")
    with pytest.raises(InputError, match=r"0001.yoda: it is a link to .*, outside"):
        load_scan(inside)
    alone = tmp_path / "alone"
    alone.mkdir()
    scan.save(outside / "scan.npz")
    (alone / "scan.npz").symlink_to(outside / "scan.npz")
    with pytest.raises(InputError, match=r"scan.npz: it is a link to .*, outside"):
        load_scan(alone)
    assert load_scan(alone / "scan.npz").runs == scan.runs  # named by the user
