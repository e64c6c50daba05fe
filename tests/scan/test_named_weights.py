"""Histograms of named weights: /A/d01-x01-y01[NAME]."""

import pytest
from helpers.calling import call

from sbitune.data import yoda
from sbitune.data.errors import EmptySelectionError
from sbitune.data.formats.finals import read_final
from sbitune.data.formats.professor import Reading, read_runs

EDGES = [0.0, 1.0, 3.0]


def scatter(path: str, values) -> str:
    rows = "\n".join(
        f"{(low + high) / 2} {(high - low) / 2} {(high - low) / 2} {value} 1 1"
        for low, high, value in zip(EDGES, EDGES[1:], values, strict=False)
    )
    return f"BEGIN YODA_SCATTER2D_V2 {path}\nPath: {path}\nType: Scatter2D\n---\n{rows}\nEND YODA_SCATTER2D_V2\n\n"


@pytest.fixture
def scan(tmp_path):
    """Four runs with two named weights."""
    for number in range(4):
        place = tmp_path / "scan" / f"{number:04d}"
        place.mkdir(parents=True)
        (place / "params.dat").write_text(f"a {number}\n")
        text = scatter("/A/d01-x01-y01[MUR1]", (number, 10)) + scatter("/A/d01-x01-y01[MUR2]", (2 * number, 20))
        (place / "out.yoda").write_text(text + scatter("/RAW/A/d01-x01-y01", (7, 7)))
    return tmp_path / "scan"


def test_runs_of_named_weights_alone_say_which_there_are(scan):
    message = r"0000/out\.yoda: no final histogram of a nominal weight; it has those of MUR1, MUR2: choose one .*MUR1}"
    for bad_runs in ("stop", "drop"):  # no run is at fault
        with pytest.raises(EmptySelectionError, match=message):
            read_runs(scan, reading=Reading(bad_runs=bad_runs))
    with pytest.raises(
        EmptySelectionError, match=r"no final histogram of the weight 'MUR3'; it has those of MUR1, MUR2"
    ):
        read_runs(scan, reading=Reading(weight="MUR3"))


def test_a_named_weight_is_read_under_plain_paths(scan):
    found = read_runs(scan, reading=Reading(weight="MUR2"))
    assert found.bins.labels() == ["/A/d01-x01-y01#0", "/A/d01-x01-y01#1"]
    assert found.values[:, 0].tolist() == [0, 2, 4, 6]
    assert found.values[:, 1].tolist() == [20] * 4


def test_a_nominal_weight_is_not_read_as_another(tmp_path):
    path = tmp_path / "a.yoda"
    path.write_text(scatter("/A/d01-x01-y01", (1, 2)) + scatter("/A/d01-x01-y01[MUR1]", (3, 4)))
    assert read_final(path)["/A/d01-x01-y01"].values[:, 1].tolist() == [1, 2]
    found = read_final(path, weight="MUR1")
    assert list(found) == ["/A/d01-x01-y01"]
    assert (found["/A/d01-x01-y01"].path, found["/A/d01-x01-y01"].values[:, 1].tolist()) == ("/A/d01-x01-y01", [3, 4])
    path.write_text(scatter("/A/d01-x01-y01", (1, 2)))
    with pytest.raises(EmptySelectionError, match=r"it has those of the nominal one: leave out scan\.weight"):
        read_final(path, weight="MUR1")


def test_the_card_chooses(scan, tmp_path):
    (tmp_path / "ref.yoda").write_text(scatter("/REF/A/d01-x01-y01", (3, 20)))
    card = tmp_path / "card.yaml"
    text = "title: t\nscan: {directory: scan}\nreference: [ref.yoda]\nobservables: {/A/d01-x01-y01: 1}\n"
    text += "surrogate: {kind: polynomial, order: 1}\nfit: {toys: 0}\n"
    card.write_text(text)
    assert "it has those of MUR1, MUR2" in call("fit", card, code=2).stderr
    card.write_text(text.replace("{directory: scan}", "{directory: scan, weight: MUR2}"))
    call("train", tmp_path)
    out = tmp_path / "o.yoda"
    call("predict", tmp_path, "a=1.5", "-o", out)
    predicted = yoda.read(out)["/A/d01-x01-y01"]
    assert predicted.values[:, 1].tolist() == pytest.approx([3, 20], abs=0.2)
