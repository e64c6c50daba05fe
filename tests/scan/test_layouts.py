"""Which scan lies in a directory, and that every layout is read by the same function."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from helpers.faults import refused
from helpers.scan_strategies import same

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.formats import apprentice, mcnntunes
from sbitune.data.formats.professor import Reading
from sbitune.data.formats.professor_writer import write_runs
from sbitune.data.formats.recognition import layout_of
from sbitune.data.formats.selection import rules_from_mapping
from sbitune.data.scan import Scan
from sbitune.data.scatters import scatters_of
from sbitune.data.storage.arrays import write_arrays
from sbitune.tuning.tools.models import run_names_at
from sbitune.workflow.runs.scanning import load_scan

pytest.importorskip("h5py")


@pytest.fixture
def places(scan: Scan, tmp_path: Path) -> Path:
    """The same scan in every layout."""
    write_runs(tmp_path / "runs", scan)
    mcnntunes.write_scan(tmp_path / "annotated", scan)
    apprentice.write_scan(tmp_path / "apprentice/scan.h5", scan)
    scan.save(tmp_path / "own/scan.npz")
    return tmp_path


def test_every_layout_is_recognised_and_read(scan: Scan, places: Path) -> None:
    expected = {
        "runs": "runs",
        "annotated": "mcnntunes",
        "apprentice": places / "apprentice/scan.h5",
        "own": places / "own/scan.npz",
    }
    for name, layout in expected.items():
        assert layout_of(places / name) == layout
        found = load_scan(places / name)
        if name in ("runs", "annotated"):  # the range of the parameters is not in these
            spans = [(p.low, p.high) for p in found.parameters]
            assert spans == list(zip(scan.theta.min(0), scan.theta.max(0), strict=True))
        for part in ("theta", "values", "errors"):
            np.testing.assert_array_equal(getattr(found, part), getattr(scan, part))
        assert found.bins.labels() == scan.bins.labels()
        assert run_names_at(places / name) == found.runs == scan.runs
        chosen = load_scan(places / name, Reading(rules_from_mapping({"/x#1": 1}, "card")))
        assert chosen.bins.labels() == ["/x#1"]
    assert same(load_scan(places / "own"), scan)


def test_what_else_lies_there_does_not_matter(scan: Scan, places: Path) -> None:
    objects = scatters_of(scan.bins, scan.values[0], scan.errors[0])
    # run directories beside data and a scan of before
    yoda.write(places / "runs/data.yoda", objects)
    scan.save(places / "runs/scan.npz")
    assert layout_of(places / "runs") == "runs"
    # files of MCNNTunes beside a folder of plots; compressed; one file that is damaged is for its reader to tell
    (places / "annotated/plots").mkdir()
    for file in sorted((places / "annotated").glob("*.yoda")):
        (places / "annotated" / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert layout_of(places / "annotated") == "mcnntunes"
    (places / "annotated/0000.yoda.gz").write_bytes((places / "annotated/0000.yoda.gz").read_bytes()[:50])
    assert layout_of(places / "annotated") == "mcnntunes"
    with pytest.raises(InputError, match=r"0000.yoda.gz"):
        load_scan(places / "annotated")
    # an HDF5 file beside data without annotations, a hidden scan, and arrays that are no scan
    yoda.write(places / "apprentice/data.yoda", objects)
    scan.save(places / "apprentice/.scan.npz")
    write_arrays(places / "apprentice/fit.npz", {"errors": scan.errors})
    assert layout_of(places / "apprentice") == places / "apprentice/scan.h5"


def test_several_scans_are_named(scan: Scan, places: Path) -> None:
    scan.save(places / "apprentice/other.npz")
    with refused("scan-several", "apprentice: ", "other.npz, scan.h5"):
        load_scan(places / "apprentice")


def test_a_place_without_a_scan_says_what_was_looked_for(scan: Scan, tmp_path: Path) -> None:
    yoda.write(tmp_path / "data.yoda", scatters_of(scan.bins, scan.values[0], scan.errors[0]))
    with refused("scan-unreadable", "params.dat or used_params", "/0000/params.dat", "Tune_Parameter_NAME", " .h5 "):
        load_scan(tmp_path)
    with pytest.raises(InputError, match=r"data.yoda: expected a scan.npz, an Apprentice .h5 file, or a directory"):
        load_scan(tmp_path / "data.yoda")


def test_the_real_directory_has_two_scans(flavour: Path) -> None:
    with refused("scan-several", "flavour: ", "holdout.h5, train.h5"):
        load_scan(flavour)
