import dataclasses

import numpy as np
import pytest

from sbitune.generators.observables import hepmc_status
from sbitune.generators.observables.framework.projections import Projections
from sbitune.generators.observables.kernels import particles

KNOWN_CHARGES = {
    11: -3, -13: 3, 12: 0, 22: 0, 23: 0, 24: 3, 1: -1, -2: -2, 21: 0, 211: 3, -211: -3, 111: 0, 321: 3, 130: 0, 310: 0,
    411: 3, 421: 0, 431: 3, 511: 0, 521: 3, 541: 3, 2212: 3, -2212: -3, 2112: 0, 3122: 0, 3112: -3, 3222: 3, 3334: -3,
    2224: 6, 1114: -3, 4122: 3, 4222: 6, 5112: -3, 5332: -3, 2203: 4, 1103: -2, 2101: 1, 1000020040: 6, 9010221: 0,
    100443: 0, 9000211: 3, 990: 0,
}  # fmt: skip


@pytest.mark.parametrize("code", KNOWN_CHARGES)
def test_three_charge(code):
    assert particles.three_charge(code) == KNOWN_CHARGES[code]
    assert particles.three_charge(-code) == -KNOWN_CHARGES[code]


def test_three_charge_of_all_hadrons_and_leptons_of_pythia():
    pythia8mc = pytest.importorskip("pythia8mc")
    pythia = pythia8mc.Pythia("", False)
    seen, code = 0, 1
    while code:
        if code < 41 or (pythia.particleData.isHadron(code) and code < 1_000_000):
            assert particles.three_charge(code) == pythia.particleData.chargeType(code), code
            assert particles.is_hadron(code) == pythia.particleData.isHadron(code), code
            seen += 1
        code = pythia.particleData.nextId(code)
    assert seen > 200


@pytest.mark.parametrize("name", ["lep91_200", "lhc7_60"])
def test_hepmc_status_is_what_pythia_says(data, name):
    with np.load(data / f"{name}.npz") as stored:
        computed = hepmc_status(stored["id"], stored["st"], stored["d1"], stored["offsets"])
        np.testing.assert_array_equal(computed, stored["sthep"])


def record(make_batch, rows):
    """One event from rows (code, status, mother1, daughter1, daughter2), numbered from 3 on: 1 and 2 are the beams."""
    batch = make_batch([[(code, 1.0, 2.0, 3.0, 0.1) for code, *_ in rows]])
    columns = {name: getattr(batch, name).copy() for name in ("status", "mother1", "daughter1", "daughter2")}
    for k, (_, status, mother, first, last) in enumerate(rows):
        for name, value in zip(columns, (status, mother, first, last), strict=True):
            columns[name][3 + k] = value
    return Projections(dataclasses.replace(batch, **columns))


def count(events, code):
    return len(events.unstable.of(code))


def test_of_a_repeated_decayed_hadron_the_last_copy_counts(make_batch):
    events = record(make_batch, [(511, 2, 0, 4, 4), (511, 2, 3, 5, 6), (211, 1, 4, 0, 0), (-211, 1, 4, 0, 0)])
    assert count(events, 511) == 1
    assert count(events, 211) == 2


def test_an_oscillated_hadron_counts_twice(make_batch):
    events = record(make_batch, [(511, 2, 0, 4, 4), (-511, 2, 3, 5, 5), (22, 1, 4, 0, 0)])
    assert count(events, 511) == 2


def test_partons_beams_and_decayed_photons_do_not_count(make_batch):
    rows = [
        (1, 2, 0, 0, 0),
        (21, 2, 0, 0, 0),
        (2101, 2, 0, 0, 0),
        (22, 2, 0, 0, 0),
        (990, 2, 0, 0, 0),
        (22, 1, 0, 0, 0),
    ]
    events = record(make_batch, rows)
    assert [count(events, code) for code in (1, 21, 2101, 990, 11, 22)] == [0, 0, 0, 0, 0, 1]


def test_prompt_neutrinos(make_batch):
    # W -> tau nu, tau -> nu ...: the first neutrino is prompt, that of the tau is not; nor that of the D
    rows = [
        (24, 22, 0, 4, 5),
        (-15, 2, 3, 6, 6),
        (16, 1, 3, 0, 0),
        (-16, 1, 4, 0, 0),
        (411, 2, 0, 8, 8),
        (-13, 2, 7, 9, 9),
    ]
    events = record(make_batch, [*rows, (14, 1, 8, 0, 0)])
    assert events.final.count[0] == 3
    assert events.visible.count[0] == 0
    assert events.without_prompt_neutrinos.count[0] == 2


@pytest.mark.parametrize(
    ("quarks", "flavour"),
    [([1, -1], 1), ([5, -5], 5), ([-4, 4], 4), ([1, -1, 4, -4], 4), ([5, -5, 2, -2], 5), ([], 0), ([3], 3)],
)
def test_initial_flavour(make_batch, quarks, flavour):
    rows = [(23, 22, 1, 4, 5), *((quark, 23, 3, 0, 0) for quark in quarks), (4, 51, 4, 0, 0)]
    assert record(make_batch, rows).initial_flavour[0] == flavour


def test_visible_durham_is_that_of_the_visible_particles(lep_events):
    events = Projections(lep_events)
    assert 0 < (events.visible.count != events.final.count).mean() < 1
    np.testing.assert_array_equal(events.visible_durham, events.visible.durham)


def test_beams(lep_events, lhc_events):
    for batch, momentum, energy in ((lep_events, 45.6, 91.2), (lhc_events, 3500, 7000)):
        events = Projections(batch)
        np.testing.assert_allclose(events.beam_momentum, momentum, rtol=1e-7)
        np.testing.assert_allclose(events.energy, energy, rtol=1e-9)


def test_other_types_and_views_are_accepted(lep_events):
    columns = {f.name: getattr(lep_events, f.name) for f in dataclasses.fields(lep_events) if f.init}
    odd = {name: np.repeat(column, 2)[::2] for name, column in columns.items()}
    odd["id"], odd["offsets"] = odd["id"].astype(np.int64), odd["offsets"].astype(np.int32)
    for column in odd.values():
        column.flags.writeable = False
    events = Projections(type(lep_events)(**odd))
    np.testing.assert_array_equal(events.charged.thrust, Projections(lep_events).charged.thrust)
