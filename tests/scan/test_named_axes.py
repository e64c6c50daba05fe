"""Values of discrete axes are found by their names, not by their places."""

from pathlib import Path

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.formats.professor import read_runs
from sbitune.data.formats.selection import rules_from_mapping
from sbitune.data.reference import read_reference
from sbitune.data.scan import Scan
from sbitune.tuning.stages.matching import match

NAMES = ("pi", "K", "p", "Lambda", "Xi")
CONTENTS = dict(zip(NAMES, (50.0, 20.0, 10.0, 3.0, 1.0), strict=True))
RULES = rules_from_mapping({"/A/d01": 1}, "card")


def write(place: Path, path: str, names: tuple, factor: float = 1.0, kind: str = "s") -> None:
    """An estimate of the contents of these names, with errors of a tenth."""
    values = np.array([np.nan, *(factor * CONTENTS.get(name, 7.0) for name in names)])
    edges = names if kind == "s" else np.array([NAMES.index(name) * 10 for name in names])
    errors = {"stat": np.stack([-0.1 * values, 0.1 * values], axis=1)}
    place.parent.mkdir(parents=True, exist_ok=True)
    yoda.write(place, [yoda.Estimate(path, (yoda.Axis(kind, edges),), values, errors)], version=2)


def scan_of(folder: Path, orders: list[tuple], kind: str = "s") -> Scan:
    for i, names in enumerate(orders):
        write(folder / f"{i:04d}" / "out.yoda", "/A/d01", names, 1 + 0.1 * i, kind)
        (folder / f"{i:04d}" / "params.dat").write_text(f"a {i}\n")
    return read_runs(folder)


@pytest.mark.parametrize("kind", ["s", "i"])
def test_the_order_of_names_says_nothing(tmp_path, kind):
    scan = scan_of(tmp_path / "scan", [NAMES, NAMES[::-1], (*NAMES[2:], *NAMES[:2])], kind)
    expected = np.outer([1.0, 1.1, 1.2], list(CONTENTS.values()))
    np.testing.assert_allclose(scan.values, expected)
    assert scan.bins.labels() == [f"/A/d01#{i}" for i in range(5)]
    write(tmp_path / "ref.yoda", "/REF/A/d01", NAMES[::-1], 1.0, kind)
    measured = match(scan, read_reference([tmp_path / "ref.yoda"]), RULES).measured
    np.testing.assert_allclose(measured.values, list(CONTENTS.values()))
    scan.save(tmp_path / "scan.npz")
    assert Scan.load(tmp_path / "scan.npz").bins.name.tolist() == scan.bins.name.tolist()


def test_a_name_that_the_reference_lacks_is_left_out_with_a_word(tmp_path):
    scan = scan_of(tmp_path / "scan", [NAMES, NAMES])
    write(tmp_path / "ref.yoda", "/REF/A/d01", ("eta", "Xi", "pi", "K", "Lambda"))
    matched = match(scan, read_reference([tmp_path / "ref.yoda"]), RULES)
    np.testing.assert_allclose(matched.measured.values, [50, 20, 3, 1])
    assert matched.excluded == (("/A/d01#2", "the reference has no value 'p' on its axis"),)


def test_runs_of_other_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="0001: /A/d01 has values on its axis that run 0000 has not: eta"):
        scan_of(tmp_path / "scan", [NAMES, (*NAMES[:4], "eta")])
