"""Files written by YODA 1.9.5, against what the library itself answers after reading them."""

import json

import numpy as np
import pytest

from sbitune.data import yoda

FILES = (
    "annotations.yoda",
    "counter.yoda",
    "gauss_gz.yoda.gz",
    "histo1d.yoda",
    "histo1d_gaps.yoda",
    "histo2d_profile2d.yoda",
    "precision.yoda",
    "profile1d.yoda",
    "scatter.yoda",
)
COLUMNS = {
    yoda.Histo1D: ("sumW", "sumW2", "sumWX", "sumWX2", "numEntries"),
    yoda.Profile1D: ("sumW", "sumW2", "sumWX", "sumWX2", "sumWY", "sumWY2", "numEntries"),
    yoda.Histo2D: ("sumW", "sumW2", "sumWX", "sumWX2", "sumWY", "sumWY2", "sumWXY", "numEntries"),
}


def numbers(values):
    """Values of the JSON as floats; an exception of the library counts as nan."""
    return [np.nan if isinstance(value, str) and value.startswith("EXC") else float(value) for value in values]


def column(records, *names):
    return np.array([numbers(record[name] for name in names) for record in records]).reshape(-1, len(names))


def whole_fills(sums):
    """Sums with the number of fills cut to an integer, as the library's Python answers it (0.75 becomes 0)."""
    return np.concatenate([sums[..., :-1], np.floor(sums[..., -1:])], axis=-1)


def check_annotations(obj, expected):
    given = {key: value for key, value in expected.items() if key not in ("Path", "Type", "ErrorBreakdown")}
    assert set(obj.annotations) == set(given)
    for key, value in given.items():
        mine = obj.annotations[key]
        if value is None:
            assert mine == ""
        elif key == "ScaledBy":
            assert mine == value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            assert float(mine) == value
        elif isinstance(value, str):
            assert mine == value
        else:
            assert json.dumps(value).replace('"', "").lower() == mine.replace('"', "").lower()


def check_binned1d(obj, expected):
    names = COLUMNS[type(obj)]
    for flow in ("total", "underflow", "overflow"):
        np.testing.assert_array_equal(whole_fills(getattr(obj, flow)), column([expected[flow]], *names)[0])
    bins = expected["bins"]
    np.testing.assert_array_equal(np.stack([obj.low, obj.high], 1), column(bins, "xMin", "xMax"))
    np.testing.assert_array_equal(whole_fills(obj.sums), column(bins, *names))
    points = yoda.points(obj)
    scatter = expected["scatter"]
    np.testing.assert_allclose((points.low + points.high) / 2, column(scatter, "x")[:, 0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(points.value, column(scatter, "y")[:, 0], rtol=1e-12)
    errors = np.array([numbers(record["yErrs"]) for record in scatter])
    np.testing.assert_allclose(np.stack([points.minus, points.plus], 1), errors, rtol=1e-9)


def check_histo1d(obj, expected):
    check_binned1d(obj, expected)
    wanted = column(expected["bins"], "area", "height", "heightErr")
    found = np.stack([obj.area(), obj.height(), obj.height_error()], 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert obj.integral() == pytest.approx(expected["integral_incl"], rel=1e-12)
    assert obj.integral(overflows=False) == pytest.approx(expected["integral_visible"], rel=1e-12)


def check_profile1d(obj, expected):
    check_binned1d(obj, expected)
    np.testing.assert_allclose(
        np.stack([obj.mean(), obj.mean_error()], 1), column(expected["bins"], "mean", "stdErr"), rtol=1e-12
    )


def check_histo2d(obj, expected):
    bins = expected["bins"]
    np.testing.assert_array_equal(obj.low, column(bins, "xMin", "yMin"))
    np.testing.assert_array_equal(obj.high, column(bins, "xMax", "yMax"))
    np.testing.assert_array_equal(obj.sums, column(bins, *COLUMNS[yoda.Histo2D]))
    np.testing.assert_array_equal(obj.total, column([expected["total"]], *COLUMNS[yoda.Histo2D])[0])
    np.testing.assert_allclose(obj.height(), column(bins, "height")[:, 0], rtol=1e-12)
    assert obj.area().sum() == expected["integral_visible"]


def check_profile2d(obj, expected):
    bins = expected["bins"]
    names = ("sumW", "sumW2", "sumWX", "sumWY", "sumWZ", "sumWZ2")
    np.testing.assert_array_equal(obj.sums[:, [0, 1, 2, 4, 6, 7]], column(bins, *names))
    found = np.stack([obj.mean(), obj.mean_error()], 1)
    np.testing.assert_allclose(found, column(bins, "mean", "stdErr"), rtol=1e-12)
    # the library reads this column wrongly (as 0) from its own file
    np.testing.assert_array_equal(obj.sums[:, -1], [2, 0, 0, 2])


def check_counter(obj, expected):
    assert (obj.sumw, obj.sumw2, obj.entries) == (expected["sumW"], expected["sumW2"], expected["numEntries"])


def check_scatter(obj, expected):
    for index, point in enumerate(expected["points"]):
        for k, axis in enumerate("xyz"[: obj.dimension]):
            found = [obj.values[index, k], obj.minus[index, k], obj.plus[index, k]]
            np.testing.assert_array_equal(found, numbers([point[axis], *point[f"{axis}Errs"]]))
        for name, (down, up) in point.get("breakdown", {}).items():
            np.testing.assert_array_equal(obj.sources[name][index], numbers([down, up]))


CHECKS = {
    "Counter": check_counter,
    "Histo1D": check_histo1d,
    "Profile1D": check_profile1d,
    "Histo2D": check_histo2d,
    "Profile2D": check_profile2d,
    "Scatter1D": check_scatter,
    "Scatter2D": check_scatter,
    "Scatter3D": check_scatter,
}


@pytest.mark.parametrize("name", FILES)
def test_file_agrees_with_the_library(samples, name):
    expected = json.loads((samples / "yoda1_real" / f"{name.split('.')[0]}.json").read_text())["expected"]
    objects = yoda.read(samples / "yoda1_real" / name)
    assert list(objects) == [record["path"] for record in expected]
    for obj, record in zip(objects.values(), expected, strict=True):
        assert record["type"].startswith(type(obj).__name__)
        check_annotations(obj, record["annotations"])
        CHECKS[record["type"]](obj, record)


def test_file_that_the_library_refuses(samples):
    (histogram,) = yoda.read(samples / "yoda1_real" / "annotations_bad_yaml.yoda").values()
    assert histogram.annotations == {
        "Colon": "a: b",
        "Empty": "",
        "Flag": "True",
        "Flt": "2.50000000e+00",
        "Foo": "plain",
        "Int": "3",
        "List": "[1, 2, 3]",
        "Star": "*star",
        "Title": '$p_\\perp$ : "quoted" # not comment',
        "Unicode": "é",
        "XLabel": "$\\xi_p = \\log(1/x_p)$",
    }


@pytest.mark.parametrize("name", ["counter", "histo1d_gaps", "profile1d", "histo2d_profile2d", "precision"])
def test_written_file_is_the_librarys_own_byte_for_byte(samples, name):
    text = (samples / "yoda1_real" / f"{name}.yoda").read_text()
    assert yoda.dumps(yoda.loads(text)) == text


def test_rivet_output(samples):
    path = samples.parents[1] / "physics" / "lep91_2k.rivet317.yoda"
    if not path.exists():
        pytest.skip("the folder shared/physics is not beside this checkout")
    objects = yoda.read(path)
    assert objects["/RAW/_EVTCOUNT"].entries == 2000
    thrust = objects["/ALEPH_1996_S3486095/d03-x01-y01"]
    assert thrust.total[-1] == 2000
    assert thrust.integral() == pytest.approx(1, rel=1e-6)


def test_reference_data(reference):
    files = sorted(reference.glob("*.yoda"))
    objects = [obj for path in files for obj in yoda.read(path).values()]
    assert (len(files), len(objects)) == (81, 3452)
    assert all(obj.annotations["IsRef"] == "1" for obj in objects)
    assert sum(len(obj.values) for obj in objects) > 40_000
    assert sum(obj.dimension == 3 for obj in objects) == 4
