"""Every object of the real Rivet 3.1.7 on the same events, raw and final, bin by bin."""

from pathlib import Path

import pytest

from sbitune.data import yoda
from sbitune.generators import observables

BIG = Path(__file__).resolve().parents[3] / "shared" / "physics"


def check(events, reference, names, compare, record_property):
    expected = yoda.read(reference)
    x = expected["/RAW/_XSEC"]
    ours = observables.analyse(events, names, cross_section=(float(x.values[0, 0]), float(x.plus[0, 0])))
    agreeing, wrong = compare(ours, expected)
    report = f"{agreeing} of {len(expected)} objects agree with Rivet 3.1.7"
    record_property("agreement", report)
    print(f"{events.name}: {report}")
    assert not wrong, report
    return agreeing


def test_seven_lep_analyses(data, lep_names, compare, record_property):
    reference = data / "lep91_200.rivet317.yoda.gz"
    assert check(data / "lep91_200.npz", reference, lep_names, compare, record_property) == 557


def test_two_lhc_analyses(data, compare, record_property):
    names = ["ATLAS_2010_S8894728", "ATLAS_2010_S8918562"]
    reference = data / "lhc7_60.rivet317.yoda.gz"
    assert check(data / "lhc7_60.npz", reference, names, compare, record_property) == 106


def test_two_thousand_events(lep_names, compare, record_property):
    events = BIG / "lep91_2k.npz"
    if not events.exists():
        pytest.skip("the folder shared/physics is not beside this checkout")
    names = [name for name in lep_names if name != "PDG_HADRON_MULTIPLICITIES_RATIOS"]
    assert check(events, BIG / "lep91_2k.rivet317.yoda", names, compare, record_property) == 456


@pytest.mark.parametrize("name", observables.available())
def test_an_analysis_alone_gives_what_it_gives_among_others(name, lep_events, lhc_events, lep_names, equal):
    events = lhc_events if name.startswith("ATLAS") else lep_events
    group = [n for n in observables.available() if n.startswith("ATLAS") == name.startswith("ATLAS")]
    together, alone = observables.AnalysisRun(group), observables.AnalysisRun([name])
    together.fill(events)
    alone.fill(events)
    ours = alone.finalize()
    paths = {obj.path for obj in ours}
    equal(ours, [obj for obj in together.finalize() if obj.path in paths])
    assert any(f"/{name}/" in path for path in paths)
