"""Proton collisions against the definitions written down once more, at every energy and with weights of both signs."""

import numpy as np
import pytest
from helpers import bydefinition as plain

from sbitune.data import measured
from sbitune.generators.observables import AnalysisRun

CODES = (211, -321, 2212, 130, 22)
AREA = 5 * 2 * np.pi / 3


def make_events(seed):
    """(code, pt, eta, phi) of some particles in each event, neutral ones among them."""
    rng, events = np.random.default_rng(seed), []
    for _ in range(120):
        n = rng.integers(0, 24)
        columns = (rng.choice(CODES, n), 0.05 + rng.exponential(1.3, n), rng.uniform(-3, 3, n), rng.uniform(0, 6.28, n))
        events.append(list(zip(*columns, strict=True)))
    return events, rng.choice([1.0, 0.5, -0.4], len(events), p=[0.5, 0.3, 0.2])


def tracks(event, least, strict):
    """pt, eta, phi of the charged particles inside |eta| < 2.5 above a threshold, the hardest first."""
    rows = [row[1:] for row in event if abs(row[0]) in (211, 321, 2212) and abs(row[2]) < 2.5]
    return sorted((row for row in rows if (row[0] > least if strict else row[0] >= least)), reverse=True)


@pytest.fixture
def compared(make_batch):
    def _compared(name, energy):
        events, weights = make_events(5)
        batch = [
            [(int(c), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), 0.1) for c, pt, eta, phi in event]
            for event in events
        ]
        run = AnalysisRun([name])
        run.fill(make_batch(batch, weights, beams=(2212, 2212), energy=energy))
        left = {obj.path.removeprefix(f"/{name}/"): obj for obj in run.finalize()}
        filled = {path.rsplit("/", 1)[1]: plain.Filled(s) for path, s in measured.load(name).items()}
        return left, filled, list(zip(events, weights, strict=True))

    return _compared


def check(found, expected, name):
    atol = 1e-9 * np.nanmax(np.abs(expected), initial=1e-300)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=atol, err_msg=name)


#: threshold in GeV, least number: multiplicity, pT, eta, mean pT (0: none), from `observables.md`
SPACES = {
    900.0: {(0.1, 2): (18, 11, 4, 24), (0.1, 20): (34, 30, 26, 0), (0.5, 1): (15, 8, 1, 22), (0.5, 6): (20, 13, 6, 0),
            (2.5, 1): (36, 32, 28, 38)},
    2360.0: {(0.5, 1): (16, 9, 2, 0)},
    7000.0: {(0.1, 2): (19, 12, 5, 25), (0.1, 20): (35, 31, 27, 0), (0.5, 1): (17, 10, 3, 23), (0.5, 6): (21, 14, 7, 0),
             (2.5, 1): (37, 33, 29, 39)},
}  # fmt: skip


@pytest.mark.parametrize("energy", SPACES)
def test_minimum_bias(compared, energy):
    left, filled, events = compared("ATLAS_2010_S8918562", energy)
    for (least, n_min), tables in SPACES[energy].items():
        names = [f"d{table:02d}-x01-y01" for table in tables]
        for event, w in events:
            seen = tracks(event, least, strict=True)
            if len(seen) < n_min:
                continue
            filled[names[0]].fill(float(len(seen)), w)
            for pt, eta, _ in seen:
                filled[names[1]].fill(pt, w / pt)
                filled[names[2]].fill(eta, w)
                if tables[3]:
                    filled[names[3]].fill(float(len(seen)), w, pt)
        per_event = 1 / filled[names[0]].total if filled[names[0]].total else np.nan
        factors = (per_event, per_event / (2 * np.pi * 5), per_event)
        for name, factor in zip(names[:3], factors, strict=True):
            if np.isfinite(factor):
                check(left[name].height(), filled[name].height(factor), name)
        if tables[3]:
            check(left[names[3]].mean(), filled[names[3]].mean(), names[3])


@pytest.mark.parametrize(("energy", "shift"), [(900.0, 0), (7000.0, 1)])
def test_underlying_event(compared, energy, shift):
    left, filled, events = compared("ATLAS_2010_S8894728", energy)
    h = {(table, y): filled[f"d{table + shift:02d}-x01-y{y:02d}"] for table in (1, 3, 9, 11, 17, 19) for y in (1, 2, 3)}
    dphi_tables = {(t, y): filled[f"d{t + shift:02d}-x01-y{y:02d}"] for t in (13, 15) for y in (1, 2, 3, 4)}
    for event, w in events:
        seen = tracks(event, 0.5, strict=False)
        if not seen or seen[0][0] < 1.0:
            continue
        lead = seen[0]

        def angle(track, lead=lead):
            return abs((track[2] - lead[2] + np.pi) % (2 * np.pi) - np.pi)

        for y, (low, high) in enumerate(((1, 2), (0, 1), (2, 3.01)), start=1):  # transverse, toward, away
            for number, sum_pt, least in ((1, 3, 0.5), (17, 19, 0.1)):
                region = [t for t in tracks(event, least, False) if low <= angle(t) / (np.pi / 3) < high]
                total = sum(t[0] for t in region)
                h[number, y].fill(lead[0], w, len(region) / AREA)
                h[sum_pt, y].fill(lead[0], w, total / AREA)
                if least == 0.5 and region:
                    h[9, y].fill(lead[0], w, total / len(region))
                    for t in region:
                        h[11, y].fill(float(len(region)), w, t[0])
            if y == 1 and energy == 7000.0 and lead[0] > 5:
                filled["d21-x01-y01"].fill(lead[1], w, len(region) / AREA)
                filled["d22-x01-y01"].fill(lead[1], w, total / AREA)
        _against_dphi(dphi_tables, seen, angle, lead, w, (1, 1.5, 2, 2.5) if shift == 0 else (1, 2, 3, 5))
    for (table, y), histogram in (h | dphi_tables).items():
        name = f"d{table + shift:02d}-x01-y{y:02d}"
        check(left[name].mean(), histogram.mean(), name)
    if energy == 7000.0:
        for name in ("d21-x01-y01", "d22-x01-y01"):
            check(left[name].mean(), filled[name].mean(), name)


def _against_dphi(tables, seen, angle, lead, w, cuts):
    """Every bin of every event once, at the mean angle of its tracks or in its middle, with density per eta and phi."""
    for table, value in ((13, lambda t: 1.0), (15, lambda t: t[0])):
        some = tables[table, 1]
        for low, high in zip(some.low, some.high, strict=True):
            inside = [t for t in seen[1:] if low <= angle(t) < high]
            total = sum(value(t) for t in inside)
            place = sum(value(t) * angle(t) for t in inside) / total if inside else 0.5 * (low + high)
            for y, cut in enumerate(cuts, start=1):
                if lead[0] >= cut:
                    tables[table, y].fill(place, w, total / (high - low) / 10)
