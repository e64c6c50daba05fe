"""Run directories as Professor reads them, and everything that can be wrong with them."""

import gzip

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import read_limits, read_values, write_values
from sbitune.data.formats.professor import Reading, read_runs
from sbitune.data.formats.selection import rules_from_mapping

EDGES = np.array([0.0, 1.0, 2.0, 4.0])


def histogram(path, heights, edges=EDGES):
    width = np.diff(edges)
    sums = np.zeros((len(width), 5))
    sums[:, 0] = np.asarray(heights) * width
    sums[:, 1] = (0.1 * width) ** 2
    sums[:, 4] = 10
    return yoda.Histo1D(path, edges[:-1], edges[1:], sums, sums.sum(0), np.zeros(5), np.zeros(5))


def make_run(scan, name, values, objects, suffix=".yoda", parameter_file="params.dat"):
    (scan / name).mkdir(parents=True)
    write_values(scan / name / parameter_file, values)
    yoda.write(scan / name / f"mc{suffix}", objects)


@pytest.fixture
def scan(tmp_path):
    for i in range(4):
        objects = [
            histogram("/A/h", [1 + i, 2, 3]),
            histogram("/A/other", [1, 2, 3]),
            histogram("/RAW/A/h", [9, 9, 9]),
            histogram("/A/h[WEIGHT]", [8, 8, 8]),
            histogram("/A/_internal", [7, 7, 7]),
        ]
        make_run(
            tmp_path / "s",
            f"{i:04d}",
            {"p": 0.5 * i, "q": 2.0, "r": float(-i)},
            objects,
            ".yoda.gz" if i % 2 else ".yoda",
        )
    return tmp_path / "s"


def test_a_scan_is_read_as_it_is(scan):
    told = []
    found = read_runs(scan, reading=Reading(tell=told.append))
    assert found.runs == ("0000", "0001", "0002", "0003")
    assert [p.name for p in found.parameters] == ["p", "r"]
    assert told == ["left out: parameter q, 2 in every run"]
    assert found.bins.paths() == ["/A/h", "/A/other"]
    np.testing.assert_allclose(found.values[:, 0], [1, 2, 3, 4])
    np.testing.assert_allclose(found.errors, 0.1)
    np.testing.assert_allclose(found.theta, [[0.5 * i, -i] for i in range(4)])
    np.testing.assert_allclose(found.bins.low[:3], EDGES[:-1])


def test_a_selection_reads_only_its_bins(scan):
    found = read_runs(scan, reading=Reading(rules_from_mapping({"/A/h#1:": 2.0}, "card")))
    assert found.bins.labels() == ["/A/h#1", "/A/h#2"]


def test_professor_1_parameter_files(tmp_path):
    for i in range(2):
        make_run(tmp_path, str(i), {"p": float(i)}, [histogram("/A/h", [1, 2, 3])], parameter_file="used_params")
    assert read_runs(tmp_path).runs == ("0", "1")


def damage(scan, how):
    run = scan / "0002"
    file = run / "mc.yoda"
    text = file.read_text()
    if how == "truncated":
        file.write_text(text[: len(text) // 4])
    elif how == "no file":
        file.unlink()
    elif how == "truncated gzip":
        file.unlink()
        (run / "mc.yoda.gz").write_bytes(gzip.compress(text.encode())[:-20])
    elif how == "binning":
        yoda.write(file, [histogram("/A/h", [1, 2, 3], np.array([0, 1, 2, 5.0])), histogram("/A/other", [1, 2, 3])])
    elif how == "missing histogram":
        yoda.write(file, [histogram("/A/h", [1, 2, 3])])
    elif how == "not finite":
        yoda.write(file, [histogram("/A/h", [1, np.nan, 3]), histogram("/A/other", [1, 2, 3])])
    elif how == "no parameters":
        (run / "params.dat").unlink()
    elif how == "parameter":
        write_values(run / "params.dat", {"p": 1.0})
    elif how == "one more parameter":
        write_values(run / "params.dat", {"p": 1.0, "q": 2.0, "r": 3.0, "s": 4.0})
    elif how == "parameter text":
        (run / "params.dat").write_text("p 1.0\nr x\n")


FAULTS = {
    "no parameters": r"run .*0002: no params.dat or used_params beside its histograms",
    "truncated": r"0002/mc.yoda.*END",
    "no file": r"run .*0002: no .yoda",
    "truncated gzip": r"0002/mc.yoda.gz",
    "binning": r"run .*0002: /A/h has other bins than in run 0000",
    "missing histogram": r"run .*0002: /A/other is not in both",
    "not finite": r"run .*0002: 1 bins are not finite, the first /A/h#1",
    "parameter": r"run .*0002: parameter q is missing",
    "one more parameter": r"run .*0002: it has the parameter s, which the first run has not",
    "parameter text": r"0002/params.dat:2: 'x' is not a number",
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_faulty_run_is_named_and_left_out_only_on_request(scan, how):
    damage(scan, how)
    with pytest.raises(InputError, match=FAULTS[how]) as caught:
        read_runs(scan)
    assert "drop" in str(caught.value)
    told = []
    found = read_runs(scan, reading=Reading(bad_runs="drop", tell=told.append))
    assert found.runs == ("0000", "0001", "0003")
    assert any("0002" in message for message in told)


def test_a_bin_that_is_not_finite_can_be_left_out_of_all_runs(scan):
    damage(scan, "not finite")
    told = []
    found = read_runs(scan, reading=Reading(bad_bins="drop", tell=told.append))
    assert len(found.runs) == 4
    assert found.bins.labels() == ["/A/h#0", "/A/h#2", "/A/other#0", "/A/other#1", "/A/other#2"]
    assert "left out: bin /A/h#1, not finite in some run" in told


def test_places_that_are_no_scan(tmp_path):
    with pytest.raises(InputError, match="no such directory"):
        read_runs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no run directory with a params.dat or used_params"):
        read_runs(tmp_path / "empty")


def test_parameters_round_trip_exactly(tmp_path):
    values = {"a": 0.1 + 0.2, "b": 1e-300, "c": -5.0}
    write_values(tmp_path / "p", values)
    assert read_values(tmp_path / "p") == values
    (tmp_path / "p").write_text("1.5\n2.5 # lone numbers\n")
    assert read_values(tmp_path / "p") == {"PARAM0": 1.5, "PARAM1": 2.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1\na 2\n", "p:2: parameter a is given twice"),
        ("a 1 2\n", "p:1: expected"),
        ("a nan", "not finite"),
        ("", "no parameter"),
    ],
)
def test_bad_parameter_files(tmp_path, text, message):
    (tmp_path / "p").write_text(text)
    with pytest.raises(InputError, match=message):
        read_values(tmp_path / "p")


def test_limits(tmp_path):
    (tmp_path / "limits").write_text("a 0 1\nb 0.5\n")
    assert read_limits(tmp_path / "limits") == ({"a": (0.0, 1.0)}, {"b": 0.5})
    (tmp_path / "limits").write_text("a 1 0\n")
    with pytest.raises(InputError, match=r"limits:1: the limits of a are not in order"):
        read_limits(tmp_path / "limits")


def test_errors_and_their_correlation_come_from_the_parts_of_runs(scan):
    told, rng = [], np.random.default_rng(8)
    # the mean of 100 parts: bin 0 scatters by half of the error 0.1 that the files quote, bin 1 moves against it
    truth = np.array([[0.05, 0], [-0.09, 0.04]]) * 10
    for i in range(4):
        values = np.full((100, 6), 2.0)
        values[:, :2] += rng.normal(size=(100, 2)) @ truth.T
        paths = np.repeat(["/A/h", "/A/other"], 3)
        np.savez(scan / f"{i:04d}/parts.npz", values=values, events=np.full(100, 50), path=paths, index=[0, 1, 2] * 2)
    found = read_runs(scan, reading=Reading(tell=told.append))
    factor = found.errors / 0.1
    np.testing.assert_array_equal(factor, factor[:1].repeat(4, axis=0))
    assert factor[0, 2:] == pytest.approx(1, abs=1e-12)
    # 396 degrees of freedom, and 10 that say 1
    expected = (396 * np.array([0.5, np.hypot(0.9, 0.4)]) ** 2 + 10) / 406
    np.testing.assert_allclose(factor[0, :2] ** 2, expected, rtol=4 * np.sqrt(2 / 396))
    assert found.correlation is not None
    assert found.correlation[0, 1] == pytest.approx(-0.9 / np.hypot(0.9, 0.4), abs=0.15)
    assert told[1].startswith("Monte Carlo errors: scaled to the scatter of the runs' parts; in 1 of 6 bins it is 0.5")
    assert told[1].endswith("most off in /A/h#0")
