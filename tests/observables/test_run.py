import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sbitune.data import measured, yoda
from sbitune.data.errors import InputError
from sbitune.generators.eventfiles import EventFile
from sbitune.generators.observables import AnalysisRun, available, load, merge_runs
from sbitune.generators.observables.framework.projections import select_events

XSEC = (41443.0, 12.0)


def pieces(batch, size):
    for first in range(0, len(batch), size):
        keep = np.zeros(len(batch), bool)
        keep[first : first + size] = True
        yield select_events(batch, keep)


def run_over(batches, names):
    run = AnalysisRun(names)
    for batch in batches:
        run.fill(batch)
    return run


def by_path(objects):
    return {obj.path: obj for obj in objects}


@pytest.mark.parametrize("size", [1, 37, 199])
def test_the_split_into_batches_does_not_matter(lep_events, lep_names, size, equal):
    whole = run_over([lep_events], lep_names).finalize(XSEC)
    split = run_over(pieces(lep_events, size), lep_names).finalize(XSEC)
    equal(split, whole)


def test_merging_runs_is_analysing_all_events(lep_events, lep_names, equal):
    halves = [run_over([half], lep_names).raw(XSEC) for half in pieces(lep_events, 120)]
    merged = by_path(merge_runs(halves))
    whole = by_path(run_over([lep_events], lep_names).finalize(XSEC))
    error = merged["/_XSEC"].plus[0, 0]
    assert error == pytest.approx(12.0 * np.sqrt(0.6**2 + 0.4**2))
    for objects in (merged, whole):  # two runs know the cross-section better than one
        del objects["/_XSEC"], objects["/RAW/_XSEC"]
    equal(merged.values(), whole.values())


def test_merging_from_files_and_of_pp(tmp_path, lhc_events, equal):
    names = ["ATLAS_2010_S8894728", "ATLAS_2010_S8918562"]
    files = []
    for k, half in enumerate(pieces(lhc_events, 30)):
        files.append(tmp_path / f"{k}.yoda")
        yoda.write(files[-1], run_over([half], names).finalize((7e10, 0.0)), digits=17)
    merged = merge_runs([yoda.read(path) for path in files])
    equal(merged, run_over([lhc_events], names).finalize((7e10, 0.0)))


@pytest.mark.parametrize("name", ["lep91_200", "lhc7_60"])
def test_raw_objects_of_the_real_rivet_finish_as_it_finishes_them(data, name, equal):
    objects = yoda.read(data / f"{name}.rivet317.yoda.gz")
    merged = by_path(merge_runs([objects]))
    assert merged.keys() == objects.keys()
    # a standard deviation is a difference of moments, of which the file has seven digits
    spreads = [path for path, obj in objects.items() if isinstance(obj, yoda.Scatter) and obj.dimension == 2]
    assert len(spreads) == (4 if name == "lhc7_60" else 0)
    for path in spreads:
        np.testing.assert_allclose(merged[path].values, objects[path].values, rtol=1e-4, atol=2e-3)
        del merged[path], objects[path]
    equal(merged.values(), objects.values())


def test_paths_with_options_of_an_analysis(lep_events):
    name, option = "PDG_HADRON_MULTIPLICITIES", ":ENERGY=91.2"
    raw = run_over([lep_events], [name]).raw()
    renamed = {path.replace(name, name + option): obj for path, obj in raw.items()}
    merged = by_path(merge_runs([renamed, renamed]))
    once = by_path(run_over([lep_events], [name]).finalize())
    np.testing.assert_allclose(
        merged[f"/{name}{option}/d01-x01-y03"].sums[:, 0], once[f"/{name}/d01-x01-y03"].sums[:, 0]
    )


def test_cross_sections_are_averaged_by_entries(lep_events):
    parts = list(pieces(lep_events, 150))
    raws = [
        run_over([part], ["OPAL_1998_S3780481"]).raw((x, 0.0)) for part, x in zip(parts, (100.0, 200.0), strict=True)
    ]
    assert by_path(merge_runs(raws))["/_XSEC"].values[0, 0] == pytest.approx(125.0)


def test_merging_what_does_not_fit(lep_events):
    opal, aleph = (run_over([lep_events], [name]).raw() for name in ("OPAL_1998_S3780481", "ALEPH_1996_S3486095"))
    with pytest.raises(InputError, match="runs 0 and 1 cannot be merged"):
        merge_runs([opal, aleph])
    with pytest.raises(InputError, match="no /RAW/_EVTCOUNT"):
        merge_runs([{"/OPAL_1998_S3780481/d01-x01-y01": opal["/RAW/OPAL_1998_S3780481/d01-x01-y01"]}])
    with pytest.raises(InputError, match="no runs"):
        merge_runs([])


def test_negative_weights(lep_events, lep_names, equal):
    minus = dataclasses.replace(lep_events, weight=-lep_events.weight)
    plus = run_over([lep_events], lep_names).raw()
    for path, obj in run_over([minus], lep_names).raw().items():
        if isinstance(obj, yoda.Histo1D | yoda.Profile1D):
            odd = np.ones(obj.sums.shape[1])
            odd[[0, 2, 3]] = -1
            odd[4:-1] = -1
            np.testing.assert_allclose(obj.sums, plus[path].sums * odd, rtol=1e-9, atol=1e-12)
    # densities are ratios of sums of weights: an overall sign drops out
    negative, positive = (by_path(run_over([b], lep_names).finalize()) for b in (minus, lep_events))
    for path, obj in positive.items():
        if isinstance(obj, yoda.Histo1D) and not path.startswith("/RAW"):
            np.testing.assert_allclose(negative[path].sums[:, 0], obj.sums[:, 0], rtol=1e-9, atol=1e-12)


def test_mixed_weights_add_like_runs(lep_events, lep_names, equal):
    weight = np.where(np.arange(len(lep_events)) % 5 == 0, -0.5, 1.7)
    batch = dataclasses.replace(lep_events, weight=weight)
    parts = [select_events(batch, weight > 0), select_events(batch, weight < 0)]
    merged = merge_runs([run_over([part], lep_names).raw() for part in parts])
    equal(merged, run_over([batch], lep_names).finalize())
    assert by_path(merged)["/RAW/_EVTCOUNT"].sumw == pytest.approx(weight.sum())


def test_exactly_two_charged_particles(make_batch, lep_names):
    batch = make_batch([[(13, 27.0, 0, 36.75, 0.10566), (-13, -27.0, 0, -36.75, 0.10566), (22, 0.1, 0.2, 0.3, 0)]])
    objects = by_path(run_over([batch], lep_names).finalize())
    for obj in objects.values():
        if isinstance(obj, yoda.Histo1D):
            assert np.isfinite(obj.sums).all(), obj.path
    one_minus_thrust = objects["/DELPHI_1996_S3430090/d11-x01-y01"]
    assert one_minus_thrust.sums[0, 0] == 1
    assert objects["/DELPHI_1996_S3430090/_passedCut3WeightSum"].sumw == 0
    assert objects["/RAW/ALEPH_1996_S3486095/d05-x01-y01"].total[4] == 0
    assert "ScaledBy" not in objects["/ALEPH_1996_S3486095/d05-x01-y01"].annotations


def test_vetoed_and_empty_events_count_in_the_total_only(make_batch, lep_events, lep_names):
    empty = make_batch([[], [(22, 0, 0, 45.6, 0), (22, 0, 0, -45.6, 0)], [(211, 0, 0, 45.6, 0.14)]])
    objects = by_path(run_over([empty], lep_names).finalize())
    assert objects["/RAW/_EVTCOUNT"].entries == 3
    assert objects["/RAW/DELPHI_1996_S3430090/_passedCutWeightSum"].entries == 0
    histograms = {path: obj for path, obj in objects.items() if isinstance(obj, yoda.Histo1D) and "JADE" not in path}
    assert all(obj.total[-1] == 0 for obj in histograms.values())
    # jet rates ask for particles only, not for charged ones: two photons are two jets at any y_cut
    two_jets = objects["/JADE_OPAL_2000_S4300807/d18-x01-y01"]
    np.testing.assert_allclose(two_jets.height(), 100 * 2 / 3)
    with_them = by_path(run_over([empty, lep_events], lep_names).finalize())
    without = by_path(run_over([lep_events], lep_names).finalize())
    path = "/PDG_HADRON_MULTIPLICITIES/d01-x01-y03"  # per event, selected or not
    np.testing.assert_allclose(with_them[path].sums[0, 0] * 203, without[path].sums[0, 0] * 200)
    path = "/DELPHI_1996_S3430090/d35-x01-y01"  # per selected event
    np.testing.assert_allclose(with_them[path].sums[0, 0], without[path].sums[0, 0])


def test_a_batch_of_no_events_changes_nothing(lep_events):
    run = AnalysisRun(["OPAL_1998_S3780481"])
    run.fill(select_events(lep_events, np.zeros(200, bool)))
    assert run.energy is None
    run.fill(lep_events)
    assert run.energy == pytest.approx(91.2)


def test_analyses_that_do_not_apply(lep_events, lhc_events, make_batch):
    with pytest.raises(InputError, match=r"ATLAS_2010_S8918562 needs beams p p, the events have e- e\+"):
        AnalysisRun(["ATLAS_2010_S8918562"]).fill(lep_events)
    with pytest.raises(InputError, match=r"ALEPH_1996_S3486095 needs beams e\+ e-"):
        AnalysisRun(["ALEPH_1996_S3486095"], energy=7000.0, beams=(2212, 2212))
    with pytest.raises(
        InputError, match=r"OPAL_2004_S6132243 exists at 91.2, 133, 177, 197 GeV, the events have 150 GeV"
    ):
        AnalysisRun(["OPAL_2004_S6132243"], energy=150.0, beams=(11, -11))
    run = AnalysisRun(["OPAL_1998_S3780481"])
    run.fill(lep_events)
    with pytest.raises(InputError, match="beams"):
        run.fill(lhc_events)
    with pytest.raises(InputError, match="different energies"):
        run.fill(make_batch([[]], energy=92.0))
    with pytest.raises(InputError, match="two beam particles"):
        run.fill(make_batch([[]], beams=()))


def test_unknown_analyses():
    with pytest.raises(InputError, match="did you mean ALEPH_1996_S3486095"):
        AnalysisRun(["aleph_1996_s348609"])
    with pytest.raises(InputError, match="available: ALEPH_1996_S3486095, ATLAS"):
        AnalysisRun(["NOTHING"])
    with pytest.raises(InputError, match="no analysis was asked for"):
        AnalysisRun([])


def test_every_analysis_books_at_every_energy():
    for name in available():
        analysis = load(name)
        assert analysis.name == name
        for energy in analysis.energies:
            run = AnalysisRun([name], energy=energy.nominal, beams=analysis.beams)
            paths = [path for path in run.raw() if path.startswith(f"/RAW/{name}/d")]
            assert paths
            assert {f"/REF{path.removeprefix('/RAW')}" for path in paths} <= set(measured.load(name))
            final = {obj.path for obj in run.finalize() if not obj.path.startswith("/RAW")}
            assert {path.removeprefix("/RAW") for path in paths} <= final


def test_multiplicities_at_29_to_35_gev_are_five_sixths(make_batch):
    batch = make_batch([[(211, 3, 4, 5, 0.14), (-211, -3, -4, -5, 0.14)]] * 4, energy=34.0)
    objects = by_path(run_over([batch], ["PDG_HADRON_MULTIPLICITIES"]).finalize())
    pions = objects["/PDG_HADRON_MULTIPLICITIES/d01-x01-y02"]
    assert pions.height()[0] == pytest.approx(2 * 5 / 6)


def test_an_analysis_of_ones_own(lep_events):
    own = dataclasses.replace(load("OPAL_1998_S3780481"), name="OPAL_1998_S3780481", description="mine")
    run = AnalysisRun([own, own, "OPAL_1998_S3780481"])
    assert len(run.analyses) == 1
    run.fill(lep_events)
    assert len(run.finalize()) == len(run_over([lep_events], ["OPAL_1998_S3780481"]).finalize())


def test_a_fault_in_somebodys_analysis_is_one_message_with_its_place(tmp_path):
    from sbitune.generators.observables import register

    text = (
        "from sbitune.generators.observables import Analysis, Energy\n"
        "def book(booking):\n    booking.histogram('h', edges=[0, 1])\n"
        "def fill(events, booking):\n    booking['h'].fill(events.charged.thurst, events.weight)\n"
        "ANALYSIS = Analysis('FAULTY', '', None, (11, -11), (Energy.near(91.2),), book, fill, lambda raw: {})\n"
    )
    batch = next(iter(EventFile(Path(__file__).parents[1] / "data" / "lep91_200.npz").batches()))
    for wrong, message in (
        ("charged.thurst", r"faulty.py:5: AttributeError: .*thurst"),
        ("['h']", "g is not booked; booked are h"),
    ):
        (tmp_path / "faulty.py").write_text(text if wrong != "['h']" else text.replace("['h']", "['g']"))
        register(tmp_path / "faulty.py")
        with pytest.raises(InputError, match=message):
            AnalysisRun(["FAULTY"]).fill(batch)
