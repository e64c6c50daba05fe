"""A scan is data: nothing that comes with it is run, imported or opened, and its names write nothing of their own."""

import json
import os

import h5py
import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call
from helpers.faults import refused
from helpers.places import ROOT

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.apprentice import write_scan
from sbitune.data.formats.parameters import write_points, write_values
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.card import load_card
from sbitune.tuning.output.settings import settings_file
from sbitune.workflow.runs.scanning import make_scan

#: leaves a file beside itself when it is imported
MINE = """
from pathlib import Path
from sbitune.generators.observables import Analysis, Energy

(Path(__file__).parent / "imported").touch()
ANALYSIS = Analysis("MINE", "mine", None, (11, -11), (Energy.near(91.2),),
    lambda booking: booking.histogram("h", edges=[0, 0.1, 0.2, 0.3]),
    lambda events, booking: booking["h"].fill(1 - events.charged.thrust, events.weight),
    lambda raw: raw.normalized(["h"]))
"""
CARD = """
title: mine
generator:
  kind: pythia
  settings: [Beams:idA = 11, Beams:idB = -11, Beams:eCM = 91.2, PDF:lepton = off, WeakSingleBoson:ffbar2gmZ = on]
  analysis_files: [mine.py]
  analyses: [MINE]
scan: {directory: scan.h5}
reference: [data.yoda]
observables: {/MINE: 1}
surrogate: {kind: polynomial, order: 1}
fit: {toys: 0}
validation: {events: 20, split: 1}
"""


def make(directory):
    """A card of an analysis of one's own that reads a scan, in closed form, of one parameter."""
    directory.mkdir()
    (directory / "mine.py").write_text(MINE)
    (directory / "card.yaml").write_text(CARD)
    edges = np.array([0, 0.1, 0.2, 0.3])
    bins = Bins(np.repeat("/MINE/h", 3), np.arange(3), edges[:-1], edges[1:])
    theta = np.linspace(0.3, 1.1, 9)[:, None]
    values = 5 + theta * [1.0, -1.0, 0.5] + 0.01 * np.random.default_rng(1).normal(size=(9, 3))
    parameter = Parameter("StringZ:aLund", 0.3, 1.1)
    runs = tuple(f"{i:04d}" for i in range(9))
    write_scan(directory / "scan.h5", Scan((parameter,), theta, values, np.full((9, 3), 0.01), bins, runs))
    x, e = 0.5 * (edges[1:] + edges[:-1]), np.full((3, 2), 0.05)
    points = np.stack([x, 5 + 0.7 * np.array([1.0, -1.0, 0.5])], axis=1)
    yoda.write(directory / "data.yoda", [yoda.Scatter("/REF/MINE/h", points, e, e)])
    return directory


@pytest.mark.slow
def test_only_stages_that_make_events_import_a_users_analyses(tmp_path):
    card = make(tmp_path / "card")
    for command in ("train", "fit", "report", "ls"):
        call(command, card)
    assert not (card / "imported").exists()
    call("tune", card)  # validates, for which it needs the analysis
    assert (card / "imported").exists()
    assert "MINE/h" in (card / "validation.yoda").read_text()


def test_nothing_is_imported_to_look_at_a_card_or_to_read_its_scan(tmp_path):
    card = make(tmp_path / "card")
    call("ls", card)
    assert make_scan(load_card(card), own_analyses=False).bins.paths() == ["/MINE/h"]
    (card / "new").mkdir()
    text = CARD.replace("scan: {directory: scan.h5}", "scan: {runs: 9, events: 10}\nparameters:\n  StringZ:aLund: {}")
    (card / "new/card.yaml").write_text(
        text.replace("{}", "{low: 0.3, high: 1.1}").replace("mine.py", "../mine.py").replace("data.", "../data.")
    )
    call("ls", card / "new")
    call("sample", card / "new", "-o", card / "made")
    assert not (card / "imported").exists()
    make_scan(load_card(card))
    assert (card / "imported").exists()


def test_a_file_that_is_not_there_is_missed_all_the_same(tmp_path):
    card = make(tmp_path / "card")
    (card / "mine.py").unlink()
    assert "card.yaml:6: generator.analysis_files[0]" in call("fit", card, code=2).stderr


def test_the_card_of_a_scan_directory_imports_nothing(tmp_path):
    theirs = make(tmp_path / "theirs")
    before = sorted(theirs.rglob("*"))
    mine = tmp_path / "mine"
    mine.mkdir()
    no_generator = CARD.split("generator:")[0] + "scan:" + CARD.split("scan:")[1]
    (mine / "card.yaml").write_text(no_generator.replace("scan.h5", "../theirs").replace("data.", "../theirs/data."))
    scan = make_scan(load_card(mine))
    assert [p.name for p in scan.parameters] == ["StringZ:aLund"]
    np.testing.assert_allclose(scan.values[:, 0], 5 + scan.theta[:, 0], atol=0.05)
    assert sorted(theirs.rglob("*")) == before  # nothing was imported, and nothing written


@pytest.mark.parametrize(
    ("scan", "more", "part"),
    [
        ("../outside.h5", "", "scan.directory: '../outside.h5'"),
        (".", "", "scan.directory: '.'"),
        ("link.h5", "", "scan.directory: 'link.h5'"),
        ("scan.h5", "weights: pipe", "weights: 'pipe'"),
        ("scan.h5", "weights: ../../weights.dat", "weights: '../../weights.dat'"),
    ],
)
def test_the_card_of_a_scan_directory_leads_nowhere_else(tmp_path, scan, more, part):
    theirs = make(tmp_path / "theirs")
    (theirs / "scan.h5").rename(tmp_path / "outside.h5")
    (theirs / "link.h5").symlink_to(tmp_path / "outside.h5")
    os.mkfifo(theirs / "pipe")
    card = CARD.replace("scan.h5", scan)
    (theirs / "card.yaml").write_text(card.replace("observables: {/MINE: 1}", more) if more else card)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "card.yaml").write_text("title: t\nscan: {directory: ../theirs}\n")
    with refused("card-leads-outside", "mine/card.yaml:2: scan.directory: ", f"theirs/card.yaml: {part} "):
        make_scan(load_card(mine))


def test_a_scan_directory_is_not_the_cards_own(tmp_path):
    (tmp_path / "card.yaml").write_text("title: t\nscan: {directory: .}\n")
    for command in ("scan", "fit", "ls"):
        found = call(command, tmp_path, code=2).stderr
        assert "is the card's own directory; name one that holds a scan" in found


NAMES = ["a\nMain:numberOfEvents = 1", "a\rb", "a\x1b[2J", "a\u2028b", "\ufeffa", "a\x00", ""]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_would_write_lines_of_their_own_are_refused(tmp_path, name):
    """Wherever a name may come from, a parameter has it; and what writes names looks at them, too."""
    for write in (
        lambda: Parameter(name, 0.0, 1.0),
        lambda: settings_file(load_card_without_generator(tmp_path), [], {name: (1.0, "")}),
        lambda: write_values(tmp_path / "params.dat", {name: 1.0}),
        lambda: write_points(tmp_path / "points.txt", [name], np.zeros((1, 1))),
    ):
        with pytest.raises(InputError, match=r"rename it|needs a name"):
            write()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.yaml"]


def load_card_without_generator(directory):
    (directory / "card.yaml").write_text("title: t\nscan: {directory: x}\n")
    return load_card(directory).card


def test_names_of_apprentices_files_are_refused_with_the_file(tmp_path):
    card = make(tmp_path / "card")
    with h5py.File(card / "scan.h5", "a") as file:
        file["params"].attrs["names"] = np.array(["a\nMain:numberOfEvents"], dtype="S")
    for words in (("ls", card / "scan.h5"), ("fit", card)):
        found = call(*words, code=2).stderr
        assert "scan.h5" in found
        assert "which is none of a name" in found


def test_names_of_cards_and_their_lines_are_refused(tmp_path):
    text = CARD.replace("scan: {directory: scan.h5}", "scan: {runs: 9, events: 10}\nparameters:\n  NAME: {}")
    text = text.replace("{}", "{low: 0.3, high: 1.1}")
    (tmp_path / "card.yaml").write_text(text.replace("NAME", json.dumps("a\nb")))
    assert r"card.yaml:10: key 'a\nb': a line break" in call("sample", tmp_path, "-o", "x", code=2).stderr
    (tmp_path / "card.yaml").write_text(text.replace("Beams:idA = 11", '"Beams:idA = 11\\nMain:numberOfEvents = 1"'))
    found = call("sample", tmp_path, "-o", "x", code=2).stderr
    assert "card.yaml:5: generator.settings[0]: " in found
    assert "line break" in found


@pytest.mark.slow
def test_workers_import_nothing_from_where_they_are_started(tmp_path, monkeypatch):
    """A user may stand in a directory of runs that somebody else has made."""
    (tmp_path / "msgspec.py").write_text("from pathlib import Path\nPath(__file__).with_name('imported').touch()\n")
    loaded = toyline.make(tmp_path / "card", runs=2)
    monkeypatch.chdir(tmp_path)
    call("analyse", ROOT / "tests/data/lep91_200.hepmc.gz", "-a", "JADE_OPAL_2000_S4300807", "-o", "out.yoda")
    toyline.edit(loaded.directory, "reference: [data.yoda]\nobservables:\n  /TOY: 1\n", "")
    make_scan(load_card(loaded.directory))
    assert not (tmp_path / "imported").exists()


def test_no_text_writes_a_line_of_settings(tmp_path):
    """Whatever a title, a head or the version in a run's record is, settings are the card's and the tune's."""
    card = load_card(make(tmp_path / "card")).card
    text = settings_file(card, ["! a\nMain:b = 1"], {"StringZ:aLund": (0.7, "")}, "8\nMain:c = 1", fixed=True)
    settings = [line.split("=")[0].strip() for line in text.splitlines() if line and not line.startswith("!")]
    assert settings == ["StringZ:aLund"]
