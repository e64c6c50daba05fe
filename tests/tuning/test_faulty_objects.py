"""A faulty object that no selection wants is named and left; one that is selected refuses the file."""

from pathlib import Path

import numpy as np
import pytest
from helpers.calling import call

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.formats.mcnntunes import TAG
from sbitune.data.formats.mcnntunes import read_scan as read_annotated
from sbitune.data.formats.professor import Reading, read_runs
from sbitune.data.formats.selection import parse_rule, wanted_by
from sbitune.data.reference import read_reference

BAD_POINT = """BEGIN YODA_SCATTER2D_V2 /REF/ANA/d10-x01-y03
Path: /REF/ANA/d10-x01-y03
---
0.0 0.0 -5.0e-02 1.0 0.1 0.1
END YODA_SCATTER2D_V2
"""
NO_END = "BEGIN YODA_SCATTER2D_V2 /REF/ANA/d58-x01-y01\n"
PATH = "/ANA/d01-x01-y01"
CARD = """title: t
scan: {{directory: scan}}
reference: [ref.yoda]
observables: {{{}: 1}}
surrogate: {{kind: polynomial, order: 1}}
fit: {{toys: 0}}
"""


def scatter(path: str, values: np.ndarray, notes: dict | None = None) -> yoda.Scatter:
    x = np.arange(len(values)) + 0.5
    half = np.stack([np.full(len(values), 0.5), np.full(len(values), 0.1)], axis=1)
    return yoda.Scatter(path, np.stack([x, values], axis=1), half, half, annotations=notes or {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    slopes = np.arange(1.0, 7.0)
    for run, theta in enumerate(np.linspace(0, 1, 16)):
        place = tmp_path / "scan" / f"{run:04d}"
        place.mkdir(parents=True)
        (place / "params.dat").write_text(f"P {theta}\n")
        yoda.write(place / "out.yoda", [scatter(PATH, 5 + slopes * theta + 0.1 * rng.normal(size=6))])
    yoda.write(tmp_path / "ref.yoda", [scatter("/REF" + PATH, 5 + slopes * 0.3)])
    (tmp_path / "card.yaml").write_text(CARD.format(PATH))
    return tmp_path


@pytest.mark.parametrize(
    ("fault", "word", "wanted"),
    [(BAD_POINT, "point 0 .* an error below 0", "/ANA/d10-x01-y03"), (NO_END, "has no END", "/ANA/d58-x01-y01")],
)
def test_references(folder, fault, word, wanted):
    reference = folder / "ref.yoda"
    sound = reference.read_text()
    reference.write_text(sound + fault)
    lines = sound.count("\n")
    (left,) = read_reference([reference], wants=wanted_by([parse_rule(PATH, 1, "card")])).left
    assert left.startswith(
        f"left out, as it is not selected: {reference}:{lines + 1 if fault == NO_END else lines + 4}: "
    )
    for wants in (lambda path: path == wanted, lambda path: True):
        with pytest.raises(InputError, match=rf"ref.yoda:\d+: .*{word}"):
            read_reference([reference], wants=wants)
    call("convert", reference, folder / "o.json", code=2)
    said = call("fit", folder).stderr
    assert f"/REF{wanted}" in said
    assert "left out, as it is not selected" in said
    (folder / "card.yaml").write_text(CARD.format("/ANA/.*"))
    assert "ref.yoda" in call("fit", folder, code=2).stderr


def test_scans(folder):
    for run in range(16):
        with (folder / "scan" / f"{run:04d}" / "out.yoda").open("a") as stream:
            stream.write(NO_END.replace("/REF", ""))
    told: list[str] = []
    scan = read_runs(folder / "scan", reading=Reading((parse_rule(PATH, 1, "card"),), tell=told.append))
    assert scan.values.shape == (16, 6)
    (message,) = told
    assert "out.yoda:14: the block of YODA_SCATTER2D_V2 /ANA/d58-x01-y01 has no END" in message
    assert message.endswith(" (and 15 more such objects)")
    with pytest.raises(InputError, match=r"0000/out.yoda:14: .* has no END"):
        read_runs(folder / "scan", reading=Reading((parse_rule("/ANA/.*", 1, "card"),)))


def test_scans_of_annotated_files(tmp_path):
    for run, theta in enumerate((0.0, 0.5, 1.0)):
        yoda.write(tmp_path / f"{run}.yoda", [scatter(PATH, np.arange(3) + theta, {f"{TAG}P": theta})])
        with (tmp_path / f"{run}.yoda").open("a") as stream:
            stream.write(NO_END)
    told: list[str] = []
    scan = read_annotated(tmp_path, reading=Reading((parse_rule(PATH, 1, "card"),), tell=told.append))
    assert scan.values.shape == (3, 3)
    assert len(told) == 1
    assert "has no END" in told[0]


def test_a_path_in_two_files_of_a_reference(tmp_path):
    for name in ("a.yoda", "b.yoda"):
        yoda.write(tmp_path / "ref" / name, [scatter("/REF" + PATH, np.arange(3.0))])
    with pytest.raises(InputError, match=rf"b.yoda: /REF{PATH} is in another file of this directory, too"):
        read_reference([tmp_path / "ref"])
