import gzip
import json
import re
import sys

import numpy as np
import pytest
from helpers.calling import call

from sbitune.data.errors import InputError
from sbitune.generators.eventfiles import EventFile
from sbitune.generators.observables import AnalysisRun, analyse


@pytest.fixture
def stored(data) -> dict[str, np.ndarray]:
    with np.load(data / "lep91_200.npz") as archive:
        return dict(archive)


@pytest.fixture
def save(tmp_path, stored):
    """Write the archive with some arrays replaced (None: left out) and return its path."""

    def _save(**changes):
        arrays = {name: array for name, array in (stored | changes).items() if array is not None}
        np.savez(tmp_path / "events.npz", **arrays)
        return tmp_path / "events.npz"

    return _save


def test_hepmc_gives_what_the_archive_gives(data, lep_names, equal):
    pytest.importorskip("pyhepmc")
    archive = analyse(data / "lep91_200.npz", lep_names, cross_section=(1.0, 0.0))
    equal(analyse(data / "lep91_200.hepmc.gz", lep_names, cross_section=(1.0, 0.0)), archive)


def test_hepmc_knows_its_cross_section_and_its_decays(data):
    pytest.importorskip("pyhepmc")
    events = EventFile(data / "lep91_200.hepmc.gz")
    batch = next(events.batches(max_events=5))
    assert len(batch) == 5
    assert events.cross_section is not None
    list(events.batches())
    assert events.cross_section[0] == pytest.approx(41443.41, rel=1e-6)
    decayed = np.flatnonzero(batch.status == 2)
    start = batch.offsets[np.searchsorted(batch.offsets, decayed, side="right") - 1]
    for k, first in zip(decayed, start, strict=True):
        children = slice(first + batch.daughter1[k], first + batch.daughter2[k] + 1)
        assert batch.e[children].sum() == pytest.approx(batch.e[k], rel=1e-6)
        assert (first + batch.mother1[children] == k).all()


def test_hepmc2_and_mev(data, tmp_path, equal):
    pyhepmc = pytest.importorskip("pyhepmc")
    path = tmp_path / "events.hepmc"
    with (
        pyhepmc.open(str(data / "lep91_200.hepmc.gz")) as source,
        pyhepmc.open(str(path), "w", format="hepmc2") as target,
    ):
        for _, event in zip(range(20), source, strict=False):
            event.set_units(pyhepmc.Units.MEV, pyhepmc.Units.MM)
            target.write(event)
    names = ["PDG_HADRON_MULTIPLICITIES", "OPAL_1998_S3780481"]
    archive = analyse(data / "lep91_200.npz", names, cross_section=(1.0, 0.0), max_events=20)
    equal(analyse(path, names, cross_section=(1.0, 0.0)), archive)


def test_batches_hold_all_events_in_order(data, stored):
    sizes, energies = [], []
    for batch in EventFile(data / "lep91_200.npz").batches(size=64):
        sizes.append(len(batch))
        energies.append(batch.e)
        assert batch.offsets[0] == 0
        assert batch.offsets[-1] == len(batch.e)
    assert sizes == [64, 64, 64, 8]
    np.testing.assert_array_equal(np.concatenate(energies), stored["p"][:, 3])


def test_max_events_counts_over_files(data):
    path = data / "lep91_200.npz"
    for most, seen in ((150, 150), (250, 250), (None, 400), (1000, 400)):
        objects = analyse([path, path], ["OPAL_1998_S3780481"], max_events=most)
        assert next(o.entries for o in objects if o.path == "/_EVTCOUNT") == seen


def test_pythia_status_will_do(save, data, equal):
    names = ["PDG_HADRON_MULTIPLICITIES"]
    equal(analyse(save(sthep=None), names), analyse(data / "lep91_200.npz", names))


def test_cross_section_of_the_archive(save):
    path = save(cross_section=np.array([41.0, 0.5]))
    objects = {obj.path: obj for obj in analyse(path, ["OPAL_1998_S3780481"])}
    assert objects["/_XSEC"].values[0, 0] == 41
    assert objects["/_XSEC"].plus[0, 0] == 0.5


def test_weights_are_optional(save):
    batch = next(EventFile(save(weights=None)).batches())
    np.testing.assert_array_equal(batch.weight, 1)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.npz: there is no such file"):
        EventFile(tmp_path / "nothing.npz")
    (tmp_path / "events.root").write_bytes(b"root")
    with pytest.raises(InputError, match=r"events are read from \.npz"):
        EventFile(tmp_path / "events.root")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match=r"text\.npz: not a file of events"):
        next(EventFile(tmp_path / "text.npz").batches())
    with pytest.raises(InputError, match="no events in"):
        analyse([], ["OPAL_1998_S3780481"])


@pytest.mark.parametrize(
    ("wrong", "right"), [("WEIGHTS", "weights"), ("weight", "weights"), ("Cross_Section", "cross")]
)
def test_arrays_that_are_misspelt_are_refused(save, wrong, right):
    path = save()
    arrays = dict(np.load(path))
    arrays[wrong] = np.ones(1)
    arrays.pop(right, None)
    arrays.pop("cross_section", None)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=f"the array '{wrong}' is unknown; call it '{right}"):
        next(EventFile(path).batches())


def test_missing_and_misshapen_arrays(save, stored):
    n = len(stored["id"])
    cases = {
        "the array 'd1' is missing; it has": {"d1": None},
        "neither 'sthep'": {"st": None, "sthep": None},
        r"'p' has the shape \(\d+, 4\), expected": {"p": stored["p"][:, :4]},
        r"'m1' has the shape": {"m1": stored["m1"][:-1]},
        r"'weights' has the shape \(3,\)": {"weights": np.ones(3)},
        f"must rise from 0 to the number of particle records, {n}": {"offsets": stored["offsets"][:-1]},
        "'offsets' must rise": {"offsets": stored["offsets"][::-1]},
        "'p' does not hold numbers": {"p": np.full((n, 5), "x")},
    }
    for message, changes in cases.items():
        with pytest.raises(InputError, match=message):
            next(EventFile(save(**changes)).batches())


def test_bad_values_are_named_with_their_event(save, stored):
    p, d1, weights = stored["p"].copy(), stored["d1"].copy(), stored["weights"].copy()
    p[stored["offsets"][7] + 3, 2] = np.nan
    d1[stored["offsets"][11] + 2] = 5000
    weights[13] = np.inf
    for message, changes in (
        ("event 7 has a momentum that is not finite", {"p": p}),
        ("event 11: daughter1 points outside", {"d1": d1}),
        ("event 13 has a weight that is not finite", {"weights": weights}),
    ):
        with pytest.raises(InputError, match=message):
            next(EventFile(save(**changes)).batches())


def test_without_pyhepmc(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyhepmc", None)
    with pytest.raises(InputError, match=r'pip install "sbitune\[hepmc\]"'):
        next(EventFile(data / "lep91_200.hepmc.gz").batches())


def test_a_file_that_is_no_hepmc(tmp_path):
    pytest.importorskip("pyhepmc")
    (tmp_path / "events.hepmc").write_text("this is not an event\n")
    with pytest.raises(InputError, match=r"events\.hepmc"):
        analyse(tmp_path / "events.hepmc", ["OPAL_1998_S3780481"])


def test_runs_read_what_files_give(data):
    run = AnalysisRun(["OPAL_1998_S3780481"])
    for batch in EventFile(data / "lep91_200.npz").batches(size=50):
        run.fill(batch)
    assert run.energy == pytest.approx(91.2)


OPAL = "OPAL_1998_S3780481"


@pytest.fixture
def text(data) -> bytes:
    pytest.importorskip("pyhepmc")
    return gzip.decompress((data / "lep91_200.hepmc.gz").read_bytes())


def refused(path, *words) -> str:
    """What `sbitune analyse` says of a file that it refuses; nothing is written."""
    out = path.parent / "out.yoda"
    result = call("analyse", path, "-a", OPAL, "-o", out, *words, code=2)
    assert not out.exists()
    assert result.stdout == ""
    return result.stderr


def test_a_hepmc_file_that_breaks_off_is_not_taken_for_a_whole_one(text, tmp_path):
    begins = [match.start() for match in re.finditer(rb"^E ", text, re.MULTILINE)]
    path = tmp_path / "events.hepmc"
    end = text.rindex(b"HepMC::")
    # in the middle of event 60, between events 59 and 60, and in the line after the last event
    for size, last in ((begins[60] + 2000, 59), (begins[60], 59), (end, 199)):
        path.write_bytes(text[:size])
        said = refused(path)
        assert f"{path}: the file is cut short" in said
        assert f"the last whole event is {last} (the first is 0)" in said
        assert f"--max-events {last + 1}" in said
    path.write_bytes(text[: begins[0] + 500])
    assert "no event in it is whole; make or copy the file again\n" in refused(path)
    # the remedy works, and is the first events of the whole file
    path.write_bytes(text[: begins[60] + 2000])
    figures = json.loads(
        call("analyse", path, "-a", OPAL, "-o", tmp_path / "o.yoda", "--max-events", 60, "--json").stdout
    )
    assert figures["events"] == 60


def test_a_compressed_file_that_breaks_off(data, tmp_path, text):
    whole = (data / "lep91_200.hepmc.gz").read_bytes()
    path = tmp_path / "events.hepmc.gz"
    path.write_bytes(whole[:200_000])
    said = refused(path)
    assert f"{path}: the file is cut short" in said
    last = int(re.search(r"the last whole event is (\d+)", said)[1])
    # 200,000 of 985,228 bytes hold a fifth of the events
    assert 35 <= last <= 45
    # whole as an archive, of half the text
    path.write_bytes(gzip.compress(text[: len(text) // 2]))
    assert "the file is cut short" in refused(path)


def test_an_event_that_cannot_be_read_does_not_end_the_file(text, tmp_path):
    begins = [match.start() for match in re.finditer(rb"^E ", text, re.MULTILINE)]
    path = tmp_path / "events.hepmc"
    path.write_bytes(text[: begins[60] + 2000] + b"\n" + text[begins[61] :])
    said = refused(path)
    line = text[: begins[60]].count(b"\n") + 1
    assert f"{path}: event 60 (the first is 0), line {line} begins an event of 66 vertices that has 8" in said
    assert "--max-events 60" in said


def test_files_one_after_the_other_in_one_are_all_read(text, tmp_path):
    (tmp_path / "two.hepmc").write_bytes(text + text)
    objects = analyse(tmp_path / "two.hepmc", [OPAL])
    assert next(o.entries for o in objects if o.path == "/_EVTCOUNT") == 400


@pytest.mark.parametrize("given", ["-3", "0", "nan", "inf"])
def test_a_cross_section_is_a_positive_number(data, tmp_path, given):
    words = ("-a", OPAL, "-o", tmp_path / "out.yoda", f"--cross-section={given}")
    said = call("analyse", data / "lep91_200.npz", *words, code=2).stderr
    assert f"cross-section {given} +- 0 pb: it must be a positive number" in said
    assert list(tmp_path.iterdir()) == []
