"""Files of Apprentice and MCNNTunes by the commands, wherever a scan or a reference is; what a fit's figures say."""

import json
import re

import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call

from sbitune.data import yoda
from sbitune.tuning.record.result import read_record

pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A card with its scan, a surrogate and its ipol.dat, and the same scan and data in the files of others."""
    directory = tmp_path_factory.mktemp("others")
    toyline.make(directory / "toy")
    call("scan", directory / "toy")
    words = ("--kind", "polynomial", "--order", "3", "-o", directory / "s.npz")
    call("train", directory / "toy/work/scan", *words)
    call("convert", directory / "s.npz", directory / "ipol.dat")
    call("convert", directory / "toy/work/scan.npz", directory / "mc", "--to", "mcnntunes")
    call("convert", directory / "toy/work/scan.npz", directory / "folder/scan.h5")
    call("convert", directory / "toy/data.yoda", directory / "data.json")
    return directory


def figures(*words) -> dict:
    return json.loads(call(*words, "--json").stdout)


@pytest.mark.parametrize("name", ["mc", "folder", "folder/scan.h5"])
def test_scans_of_others_are_taken_by_every_command(toy, tmp_path, name):
    scan = toy / name
    listed = figures("ls", scan)
    assert (listed["runs"], listed["observables"]["/TOY/d03"]["bins"]) == (24, 1)
    found = figures("envelopes", scan, "-r", toy / "data.json")
    assert (found["runs"], found["bins"], found["inside"]) == (24, 17, 17)
    assert found["observables"] == figures("envelopes", toy / "toy")["observables"]
    drawn = figures("runcombs", scan, "-n", 2, "--leave-out", 1, "-o", tmp_path / "rc.dat")
    assert (drawn["runs"], drawn["runs_in_each"]) == (24, 23)
    trained = figures("train", scan, "--kind", "polynomial", "--order", "1")
    assert (trained["runs"], trained["bins"]) == (24, 17)


@pytest.mark.parametrize("surrogate", ["ipol.dat", "s.npz"])
def test_measured_values_of_apprentice_are_those_of_yoda(toy, surrogate):
    one, other = (figures("fit", toy / surrogate, "-r", toy / data) for data in ("toy/data.yoda", "data.json"))
    assert one["ndf"] == other["ndf"] == 15
    for name in "ab":
        mine, its = one["parameters"][name], other["parameters"][name]
        assert its["value"] == pytest.approx(mine["value"], abs=1e-3 * mine["error"])


def test_a_card_that_runs_a_generator_takes_measured_values_of_apprentice(toy):
    card = (toy / "toy/card.yaml").read_text()
    (toy / "toy/json.yaml").write_text(card.replace("[data.yoda]", "[../data.json]"))
    assert figures("scan", toy / "toy/json.yaml")["runs"] == 24


@pytest.mark.slow
def test_figures_of_a_fit_name_what_is_left_out_and_have_minos_errors(toy, tmp_path):
    objects = yoda.read(toy / "toy/data.yoda")
    for side in (objects["/REF/TOY/d02"].minus, objects["/REF/TOY/d02"].plus):
        side[3, 1] = 0
    objects["/REF/TOY/d01"].values[5, 1] = np.nan
    yoda.write(tmp_path / "data.yoda", objects)
    (tmp_path / "card.yaml").write_text(
        f"title: t\nscan: {{directory: {toy}/mc}}\nreference: [data.yoda]\nobservables: {{/TOY: 1}}\n"
        "surrogate: {kind: polynomial, order: 3}\nfit: {toys: 0, fixed: {b: 0.4}}\n"
    )
    excluded = [
        {"bin": "/TOY/d01#5", "reason": "the reference has no value"},
        {"bin": "/TOY/d02#3", "reason": "the reference gives no error"},
    ]
    alone = figures("fit", toy / "s.npz", "-r", tmp_path / "data.yoda")
    tuned = figures("tune", tmp_path)
    assert (alone["ndf"], tuned["ndf"]) == (15 - 2, 15 - 2 + 1)
    for found in (alone, tuned, figures("ls", tmp_path / "result.yaml")):
        assert found["excluded"] == excluded
        low, high = found["parameters"]["a"]["minos"]
        # nearly linear within its errors: MINOS and HESSE agree
        assert low == pytest.approx(-found["parameters"]["a"]["error"], rel=0.05)
        assert high == pytest.approx(found["parameters"]["a"]["error"], rel=0.05)
    assert tuned["parameters"]["b"]["minos"] is None
    shown = call("ls", tmp_path / "result.yaml").stdout
    assert "excluded:\n  bin /TOY/d01#5, reason the reference has no value\n  bin /TOY/d02#3, reason" in shown
    assert re.search(r"^ +value +error +scaled_error +minos +status$", shown, re.MULTILINE)
    assert re.search(r"^  a +\S+ +\S+ +\S+ +-0\.\d+ 0\.\d+ +free$", shown, re.MULTILINE)
    assert re.search(r"^  b +0\.4 +0 +0 +- +fixed$", shown, re.MULTILINE)
    assert re.search(r"^notes +none$", shown, re.MULTILINE)


def test_a_surrogate_alone_is_judged_as_a_card_is_and_names_what_nobody_measured(toy, tmp_path):
    objects = yoda.read(toy / "toy/data.yoda")
    kept = {path: one for path, one in objects.items() if "d03" not in path}
    yoda.write(tmp_path / "data.yoda", kept)
    found = figures("fit", toy / "s.npz", "-r", tmp_path / "data.yoda", "--toys", 40, "-o", tmp_path / "result.yaml")
    assert (found["toys"]["fits"], found["goodness"]["toys"]) == (40, 40)
    # 80 intervals of toys of the model itself
    assert found["toys"]["coverage68"] == pytest.approx(0.68, abs=4 * np.sqrt(0.68 * 0.32 / 80))
    assert found["excluded"] == [{"bin": "/TOY/d03#0", "reason": "the reference has no such observable"}]
    record = read_record(tmp_path / "result.yaml")
    assert [row["path"] for row in record.answer["tension"]["observables"]] == ["/TOY/d01", "/TOY/d02"]
    assert figures("fit", toy / "s.npz", "-r", tmp_path / "data.yoda", "--toys", 0).get("goodness") is None
    assert "--toys" in call("fit", toy / "toy", "--toys", 5, code=2).stderr
