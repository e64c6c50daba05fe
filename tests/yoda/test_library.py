"""The bridge to the real YODA library; without it, a stand-in that reads and writes files."""

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.errors import InputError


def histogram():
    filled = yoda.Histo1D.zeros("/ANA/h[w = 2]", [0.0, 1.0], [1.0, 2.0], {"Title": "a: b"})
    filled.sums[:] = [[1 / 3, 1 / 9, 0.1, 0.1, 1], [2, 4, 3, 4.5, 1]]
    filled.total[:] = filled.sums.sum(axis=0)
    return filled


def test_the_real_library():
    try:
        library = importlib.import_module("yoda")
    except ImportError:
        pytest.skip("the YODA library is not installed")
    if not hasattr(library, "Histo1D"):
        pytest.skip("the installed package yoda is not the YODA library")
    theirs = yoda.to_yoda(histogram())
    assert theirs.path() == "/ANA/h[w = 2]"
    np.testing.assert_allclose(yoda.from_yoda(theirs).sums, histogram().sums, rtol=1e-6)


@pytest.mark.parametrize(("newer", "kind"), [(False, "YODA_HISTO1D_V2"), (True, "YODA_HISTO1D_V3")])
def test_files_are_exchanged_in_the_librarys_generation(monkeypatch, newer, kind):
    seen = []

    def read(path):
        seen.append(Path(path).read_text())
        return {obj.path: SimpleNamespace(text=yoda.dumps([obj])) for obj in yoda.read(path).values()}

    def write(objects, path):
        Path(path).write_text("".join(obj.text for obj in objects))

    library = ModuleType("yoda")
    library.__dict__.update(Histo1D=object, read=read, write=write, **({"Estimate1D": object} if newer else {}))
    monkeypatch.setitem(sys.modules, "yoda", library)
    theirs = yoda.to_yoda(histogram())
    assert f"BEGIN {kind} /ANA/h[w = 2]" in seen[0]
    assert "3.3333333333333331e-01" in seen[0]
    mine = yoda.from_yoda(theirs)
    np.testing.assert_allclose(mine.sums, histogram().sums, rtol=5e-7)
    assert mine.annotations == {"Title": "a: b"}


def test_unrelated_package_of_that_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "yoda", ModuleType("yoda"))
    for call in (yoda.to_yoda, yoda.from_yoda):
        with pytest.raises(InputError, match="is not the YODA library of Rivet but something else of that name"):
            call(histogram())


def test_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "yoda", None)
    with pytest.raises(InputError, match="the Python module of the YODA library is not installed"):
        yoda.to_yoda(histogram())
