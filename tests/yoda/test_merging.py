"""Merging, against yodamerge and yodastack, and what must not be merged."""

from dataclasses import replace

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.errors import InputError


def histogram(values, scaled_by=None, low=(0.0, 1.0)):
    empty = yoda.Histo1D.zeros("/h", low, np.array(low) + 1, {} if scaled_by is None else {"ScaledBy": scaled_by})
    sums = np.tile(np.array(values, float)[:, None], 5)
    return replace(empty, sums=sums, total=sums.sum(axis=0))


def test_like_yodamerge(samples):
    runs = [yoda.read(samples / "merge" / f"run{number}.yoda") for number in (1, 2)]
    expected = yoda.read(samples / "merge" / "merged_yodamerge.yoda")
    merged = yoda.merge(runs, drop_unmergeable=True)
    assert set(merged) == set(expected) - {"/ANA/scat"}
    for path in ("/ANA/norm", "/ANA/unnorm", "/ANA/prof"):
        for name in ("sums", "total", "underflow", "overflow"):
            found, wanted = getattr(merged[path], name), getattr(expected[path], name)
            np.testing.assert_allclose(found, wanted, rtol=3e-6, err_msg=f"{path} {name}")
    assert merged["/ANA/norm"].annotations["ScaledBy"] == pytest.approx(0.002, rel=1e-12)
    assert "ScaledBy" not in merged["/ANA/unnorm"].annotations
    counter = merged["/_EVTCOUNT"]
    assert (counter.sumw, counter.sumw2, counter.entries) == (500, 500, 500)


def test_sums_of_unscaled_objects_like_yodastack(samples):
    runs = [yoda.read(samples / "merge" / f"run{n}.yoda", lambda path: path != "/ANA/scat") for n in (1, 2)]
    expected = yoda.read(samples / "merge" / "merged_yodastack.yoda")
    for run in runs:
        run["/ANA/norm"].annotations.pop("ScaledBy")
    merged = yoda.merge(runs)
    np.testing.assert_allclose(merged["/ANA/norm"].sums, expected["/ANA/norm"].sums, rtol=3e-6)
    np.testing.assert_allclose(merged["/ANA/norm"].total, expected["/ANA/norm"].total, rtol=3e-6)


def test_scaled_runs_are_averaged_with_their_size():
    # 100 and 300 events, each normalised to unit area
    merged = yoda.merge([[histogram([0.6, 0.4], 1 / 100)], [histogram([0.2, 0.8], 1 / 300)]])["/h"]
    np.testing.assert_allclose(merged.area(), [(60 + 60) / 400, (40 + 240) / 400])
    assert merged.annotations["ScaledBy"] == pytest.approx(1 / 400)
    # the fills are added, not averaged; sums of squares follow the scale squared
    np.testing.assert_allclose(merged.sums[:, 4], [0.8, 1.2])
    np.testing.assert_allclose(merged.sums[:, 1], np.array([0.6 * 100**2 + 0.2 * 300**2, 0.4e4 + 0.8 * 9e4]) / 400**2)


def test_merging_one_run_changes_nothing():
    first = histogram([1.0, 2.0], 0.25)
    np.testing.assert_allclose(yoda.merge([{"/h": first}])["/h"].sums, first.sums)


def test_two_dimensions_and_general_objects_are_summed():
    two = yoda.Histo2D(
        "/two", np.zeros((1, 2)), np.ones((1, 2)), np.full((1, 8), 3.0), np.full(8, 4.0), np.ones((8, 8))
    )
    axis = yoda.Axis("i", np.array([3, 1]))
    general = yoda.BinnedFillable("/g", (axis,), np.full((3, 5), 2.0))
    merged = yoda.merge([[two, general]] * 3)
    assert (merged["/two"].sums[0, 0], merged["/two"].total[0], merged["/two"].outflows[0, 0]) == (9, 12, 3)
    np.testing.assert_array_equal(merged["/g"].sums, np.full((3, 5), 6.0))
    other = replace(general, axes=(yoda.Axis("i", np.array([1, 3])),))
    with pytest.raises(InputError, match="/g: the bins differ"):
        yoda.merge([[general], [other]])


def test_identical_scatters_are_kept_and_others_refused():
    scatter = yoda.Scatter("/s", np.array([[1.0, np.nan]]), np.zeros((1, 2)), np.zeros((1, 2)), {"a": np.ones((1, 2))})
    same = replace(scatter, sources={"a": np.ones((1, 2))})
    assert yoda.merge([[scatter], [same]])["/s"] is scatter
    other = replace(scatter, sources={"a": np.zeros((1, 2))})
    with pytest.raises(InputError, match="/s: a Scatter cannot be merged"):
        yoda.merge([[scatter], [other]])
    assert yoda.merge([[scatter], [other]], drop_unmergeable=True) == {}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([], "/h is missing in run 2"),
        ([yoda.Counter("/h", 1.0, 1.0, 1.0)], "/h is a Histo1D in one run and a Counter in another"),
        ([histogram([1.0, 2.0], low=(0.0, 1.1))], "/h: the bins differ"),
        ([histogram([1.0], low=(0.0,))], "/h: the bins differ"),
        ([histogram([1.0, 2.0], 0.5)], r"/h: some runs are scaled and some are not \(ScaledBy \[None, 0.5\]\)"),
        ([histogram([1.0, 2.0]), yoda.Counter("/more", 1.0, 1.0, 1.0)], "/more is missing in run 1"),
    ],
)
def test_runs_that_do_not_fit(second, message):
    with pytest.raises(InputError, match=message):
        yoda.merge([[histogram([1.0, 2.0])], second])


def test_nothing_to_merge():
    with pytest.raises(InputError, match="no runs"):
        yoda.merge([])
