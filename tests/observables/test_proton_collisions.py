"""The definitions of the two ATLAS analyses on events made by hand."""

import numpy as np
import pytest

from sbitune.data import measured
from sbitune.generators.observables import AnalysisRun


def track(pt, eta, phi, code=211):
    return code, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), 0.13957


@pytest.fixture
def analyse_tracks(make_batch):
    def _analyse(name, *events, energy=7000.0):
        run = AnalysisRun([name])
        run.fill(make_batch(events, beams=(2212, 2212), energy=energy))
        return {obj.path.removeprefix(f"/{name}/"): obj for obj in run.finalize()}

    return _analyse


def test_minimum_bias_cuts(analyse_tracks):
    seen = [track(0.6, 0.5, 0.1), track(0.7, -2.4, 1.0), track(3.0, 1.0, 2.0)]
    lost = [track(0.09, 0.0, 1.0), track(5.0, 2.6, 1.0), track(5.0, 0.0, 1.0, code=22)]
    objects = analyse_tracks("ATLAS_2010_S8918562", seen + lost, [track(0.05, 0, 0)])
    # p_T > 0.1 GeV and n >= 2; > 0.5 and n >= 1; > 2.5 and n >= 1: one event each; n >= 6 and 20: none
    for table, n in (("d19-x01-y01", 3), ("d17-x01-y01", 3), ("d37-x01-y01", 1)):
        sums = objects[table].total
        assert sums[2] / sums[0] == pytest.approx(n)
        assert objects[table].total[0] == pytest.approx(1.0)
    for table in ("d21-x01-y01", "d35-x01-y01"):
        assert objects[table].total[-1] == 0
        assert "ScaledBy" not in objects[table].annotations
    eta = objects["d03-x01-y01"]
    assert eta.height()[filled_index(eta, 0.5)] == pytest.approx(1 / (eta.high - eta.low)[filled_index(eta, 0.5)])
    mean = objects["d23-x01-y01"]
    assert mean.mean()[filled_index(mean, 3)] == pytest.approx((0.6 + 0.7 + 3.0) / 3)


def filled_index(obj, x):
    return int(np.flatnonzero((obj.low <= x) & (x < obj.high))[0])


def test_pt_spectrum_is_the_invariant_one(analyse_tracks):
    objects = analyse_tracks("ATLAS_2010_S8918562", [track(2.0, 0.0, 0.0)] * 4)
    spectrum = objects["d10-x01-y01"]
    k = filled_index(spectrum, 2.0)
    width = spectrum.high[k] - spectrum.low[k]
    assert spectrum.height()[k] == pytest.approx(4 / (2 * np.pi * 2.0 * 5.0 * width), rel=1e-6)


def test_other_energies_fill_their_own_tables(analyse_tracks):
    objects = analyse_tracks("ATLAS_2010_S8918562", [track(1.0, 0.0, 0.0)], energy=2360.0)
    assert {path for path in objects if path.startswith("d")} == {"d16-x01-y01", "d09-x01-y01", "d02-x01-y01"}
    objects = analyse_tracks("ATLAS_2010_S8894728", [track(1.5, 0.0, 0.0)], energy=900.0)
    assert "d01-x01-y01" in objects
    assert "d02-x01-y01" not in objects
    assert "d21-x01-y01" not in objects


def test_regions_of_the_underlying_event(analyse_tracks):
    leading = track(6.0, 1.2, 3.0)
    toward, away = track(1.0, 0, 3.0 + 0.9), track(2.0, 0, 3.0 - 2.6)
    transverse = [track(0.7, 0, 3.0 + 1.5), track(0.6, 0, 3.0 - 1.2), track(0.3, 0, 3.0 + 2.0)]
    objects = analyse_tracks("ATLAS_2010_S8894728", [toward, *transverse, leading, away, track(9.0, 2.7, 0)])
    area = 5 * 2 * np.pi / 3
    k = filled_index(objects["d02-x01-y01"], 6.0)
    assert objects["d02-x01-y01"].mean()[k] * area == pytest.approx(2)
    assert objects["d18-x01-y01"].mean()[k] * area == pytest.approx(3)
    assert objects["d02-x01-y02"].mean()[k] * area == pytest.approx(2)
    assert objects["d02-x01-y03"].mean()[k] * area == pytest.approx(1)
    assert objects["d04-x01-y01"].mean()[k] * area == pytest.approx(1.3)
    assert objects["d20-x01-y01"].mean()[k] * area == pytest.approx(1.6)
    assert objects["d10-x01-y02"].mean()[k] == pytest.approx(3.5)
    eta = objects["d21-x01-y01"]
    assert eta.mean()[filled_index(eta, 1.2)] * area == pytest.approx(3)


def test_leading_particles_on_both_sides(analyse_tracks):
    # one event for each eta of the leading particle, with a transverse track; the fourth leads with 5 GeV only
    etas, pts = [1.22, -1.22, -0.31, 0.31, 2.42, -2.42], [6.0, 7.0, 5.5, 4.9, 6.0, 9.0]
    events = [[track(pt, eta, 0.1), track(0.2, -0.5, 1.7)] for eta, pt in zip(etas, pts, strict=True)]
    area = 5 * 2 * np.pi / 3
    for name, filled, below in (
        # Rivet 3.1.7 fills the signed eta: three of the five events fall below the axis
        ("ATLAS_2010_S8894728", {1.22: 1, 2.42: 1}, 3),
        ("ATLAS_2010_S8894728_ABSETA", {1.22: 2, 0.31: 1, 2.42: 2}, 0),
    ):
        objects = analyse_tracks(name, *events)
        for table, y in (("d21-x01-y01", 1.0), ("d22-x01-y01", 0.2)):
            profile = objects[table]
            entries = np.zeros(len(profile.low))
            for eta, n in filled.items():
                entries[filled_index(profile, eta)] = n
            np.testing.assert_array_equal(profile.sums[:, 6], entries)
            np.testing.assert_allclose(profile.mean()[entries > 0] * area, y)
            assert profile.underflow[6] == below
            assert profile.total[6] == 5


def test_the_measured_definition_has_the_measured_bins_and_nothing_else():
    ours, rivets = measured.load("ATLAS_2010_S8894728_ABSETA"), measured.load("ATLAS_2010_S8894728")
    assert [path.rsplit("/", 1)[1] for path in ours] == ["d21-x01-y01", "d22-x01-y01"]
    for path, scatter in ours.items():
        other = rivets[path.replace("_ABSETA", "")]
        np.testing.assert_array_equal(scatter.values, other.values)
        np.testing.assert_array_equal(scatter.plus, other.plus)


def test_turning_all_tracks_changes_nothing(analyse_tracks, equal):
    rng = np.random.default_rng(8)
    events = [[(pt, eta, phi) for pt, eta, phi in rng.uniform([0.1, -2, 0], [4, 2, 6], (12, 3))] for _ in range(20)]
    results = []
    for turn in (0.0, 2.5):
        turned = [[track(pt, eta, phi + turn) for pt, eta, phi in event] for event in events]
        results.append(analyse_tracks("ATLAS_2010_S8894728", *turned).values())
    equal(*results)


def test_events_without_a_leading_track_do_not_count(analyse_tracks):
    objects = analyse_tracks("ATLAS_2010_S8894728", [track(0.9, 0, 0), track(0.8, 0, 2)], [])
    assert objects["/RAW/_EVTCOUNT"].entries == 2
    assert all(o.total[-1] == 0 for path, o in objects.items() if path.startswith("d") and hasattr(o, "total"))


def test_standard_deviations(analyse_tracks):
    def event(n):
        return [track(1.55, 0, 0), *(track(0.6, 0.1 * k, 1.5) for k in range(n))]

    numbers = [0, 1, 1, 4, 2]
    objects = analyse_tracks("ATLAS_2010_S8894728", *(event(n) for n in numbers))
    scatter = objects["d06-x01-y01"]
    k = int(np.argmin(np.abs(scatter.values[:, 0] - 1.625)))
    density = np.array(numbers) / (5 * 2 * np.pi / 3)
    assert scatter.values[k, 1] == pytest.approx(density.std())
    fourth = ((density - density.mean()) ** 4).mean()
    error = np.sqrt((fourth - density.var() ** 2) / (len(numbers) - 2)) / (2 * density.std())
    assert scatter.plus[k, 1] == pytest.approx(error)
    assert scatter.values[0, 1] == 0
