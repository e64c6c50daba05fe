"""What the fixtures of the real Rivet do not reach, against the definitions written down once more: weights of both
signs, two charged particles, empty hemispheres, other energies."""

import numpy as np
import pytest
from helpers import bydefinition as plain

from sbitune.data import measured
from sbitune.generators.observables import AnalysisRun

MASS = {211: 0.13957, 321: 0.49368, 2212: 0.93827, 130: 0.49761, 2112: 0.93957}
CHARGED = (211, 321, 2212)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def make_events(seed, energy):
    """Events of 1 to 8 charged and up to 3 neutral particles: of two, of all on one side, and of any kind."""
    rng, events = np.random.default_rng(seed), []
    for number in range(72):
        charged = (1, 2, 2, 2, 3, 4, 6, 8)[number % 8]
        codes = [*rng.choice(CHARGED, charged), *rng.choice((130, 2112), number % 4)]
        p = rng.normal(size=(len(codes), 3)) * energy / 20
        if number % 3 == 0:  # everything within a cone: the other hemisphere is empty
            axis = plain.unit(rng.normal(size=3))
            p = np.linalg.norm(p, axis=1)[:, None] * (axis + 0.2 * rng.normal(size=p.shape))
        events.append([(int(code), *v, MASS[int(code)]) for code, v in zip(codes, p, strict=True)])
    return events, rng.choice([1.0, 2.5, -0.7], len(events), p=[0.5, 0.2, 0.3])


def momenta(event, codes=tuple(MASS)):
    rows = np.array([row for row in event if row[0] in codes])
    p = rows[:, 1:4]
    return p, np.sqrt((p**2).sum(axis=1) + rows[:, 4] ** 2)


@pytest.fixture
def compared(make_batch):
    """Run an analysis on such events, and give what it left, the plain histograms, the selected events, all weights."""

    def _compared(name, energy=91.2):
        events, weights = make_events(3, energy)
        run = AnalysisRun([name])
        run.fill(make_batch(events, weights, energy=energy))
        left = {obj.path.removeprefix(f"/{name}/"): obj for obj in run.finalize()}
        filled = {path.rsplit("/", 1)[1]: plain.Filled(s) for path, s in measured.load(name).items()}
        kept = [(event, w) for event, w in zip(events, weights, strict=True) if sum(r[0] in CHARGED for r in event) > 1]
        assert min(weights) < 0
        assert len(kept) < len(events)
        return left, filled, kept, weights

    return _compared


def check(left, name, expected):
    found = left[name]
    ours = found.mean() if hasattr(found, "mean") and found.sums.shape[1] == 7 else found.height()
    np.testing.assert_allclose(
        ours, expected, rtol=1e-6, atol=1e-9 * np.nanmax(np.abs(expected), initial=1e-300), err_msg=name
    )


def test_aleph(compared):
    left, filled, kept, weights = compared("ALEPH_1996_S3486095")
    names = {"d01": "S", "d02": "A", "d03": "1-T", "d04": "m", "d06": "heavy", "d07": "C", "d08": "O"}
    of_shape = {filled[f"{table}-x01-y01"]: shape for table, shape in names.items()}
    one = {
        key: filled[f"{key}-x01-y01"] for key in ("d05", "d09", "d10", "d11", "d12", "d17", "d18", "d19", "d20", "d23")
    }
    spectra, charged_sum = ("d09", "d10", "d11", "d12", "d17"), 0.0
    for event, w in kept:
        p, e = momenta(event, CHARGED)
        s = plain.shapes(p, e)
        for histogram, shape in of_shape.items():
            histogram.fill(s[shape], w)
        if s["durham"][0] > 0:
            one["d05"].fill(-np.log(s["durham"][0]), w)
        x_p, y = np.linalg.norm(p, axis=1) / 45.6, plain.rapidity(p, e, s["axes"][0])
        values = (x_p, y, np.abs(p @ s["quadratic"][1]), np.abs(p @ s["quadratic"][2]), -np.log(x_p))
        for key, value in zip(spectra, values, strict=True):
            one[key].fill(value, w)
        charged_sum += w * len(p)
        one["d18"].fill(len(p), w)
        for key, weight in (("d19", w * len(p)), ("d20", w * (y <= 0.5).sum()), ("d23", w * (y <= 2.0).sum())):
            one[key].fill(one[key].centre, weight)
    for table in names:
        histogram = filled[f"{table}-x01-y01"]
        check(left, f"{table}-x01-y01", histogram.height(1 / histogram.total))
    check(left, "d05-x01-y01", one["d05"].height(1 / one["d05"].total))
    for key in spectra:
        check(left, f"{key}-x01-y01", one[key].height(charged_sum / weights.sum() / one[key].total))
    check(left, "d18-x01-y01", one["d18"].height(2 / weights.sum()))
    for key in ("d19", "d20", "d23"):
        check(left, f"{key}-x01-y01", one[key].height(1 / weights.sum()))


def test_delphi(compared):
    left, filled, kept, _ = compared("DELPHI_1996_S3430090")
    h = {table: filled[f"d{table:02d}-x01-y01"] for table in range(1, 36)}
    names = dict(enumerate(("1-T", "M", "m", "O", "S", "A", "P", "C", "D", "heavy", "light"), start=11))
    selected, charged_sum, enough = 0.0, 0.0, np.zeros(3)
    for event, w in kept:
        p, e = momenta(event, CHARGED)
        s = plain.shapes(p, e)
        for table, shape in names.items():
            h[table].fill(s[shape], w)
        halves = (s["heavy"] - s["light"], s["wide"], s["narrow"], s["wide"] + s["narrow"], s["wide"] - s["narrow"])
        for table, value in enumerate(halves, start=22):
            h[table].fill(value, w)
        (n, m, o), (v1, v2, v3), x_p = s["axes"], s["quadratic"], np.linalg.norm(p, axis=1) / 45.6
        spectra = (np.abs(p @ m), np.abs(p @ o), np.abs(p @ v2), np.abs(p @ v3), plain.rapidity(p, e, n))
        for table, value in enumerate((*spectra, plain.rapidity(p, e, v1), x_p, -np.log(x_p)), start=1):
            h[table].fill(value, w)
        h[9].fill(x_p, w, np.abs(p @ o))
        h[10].fill(x_p, w, np.hypot(p @ m, p @ o))
        for k in range(min(3, len(p) - 2)):
            enough[k] += w
            h[27 + 2 * k].fill(s["durham"][k], w)
            h[28 + 2 * k].fill(s["jade"][k], w)
        for i in range(len(p)):
            for j in range(i):
                cosine, share = plain.unit(p[i]) @ plain.unit(p[j]), w * e[i] * e[j] / e.sum() ** 2
                h[33].fill(cosine, share)
                h[34].fill(-abs(cosine), share if cosine < 0 else -share)
        h[35].fill(h[35].centre, w * len(p))
        selected, charged_sum = selected + w, charged_sum + w * len(p)
    for table, histogram in h.items():
        if table in (9, 10):
            check(left, f"d{table:02d}-x01-y01", histogram.mean())
            continue
        factor = charged_sum / selected / histogram.total if table < 9 else 1 / selected
        factor = 1 / enough[(table - 27) // 2] if 27 <= table <= 32 else factor
        check(left, f"d{table:02d}-x01-y01", histogram.height(factor))


@pytest.mark.parametrize(("energy", "y"), [(91.2, 1), slow(133.0, 2), slow(177.0, 3), (197.0, 4)])
def test_opal_at_all_energies(compared, energy, y):
    left, filled, kept, _ = compared("OPAL_2004_S6132243", energy)
    tables = ("1-T", "M_H", "C", "B_T", "wide", "y23", "M", "m", "A", "S", "O", "M_L", "narrow", "D")
    moments = ("1-T", "M_H", "C", "B_T", "wide", "y23", "M", "m", "S", "O", "M_L", "narrow")
    selected = 0.0
    for event, w in kept:
        s = plain.shapes(*momenta(event))
        s |= {"M_H": np.sqrt(s["heavy"]), "M_L": np.sqrt(max(s["light"], 0.0)), "B_T": s["wide"] + s["narrow"]}
        s["y23"] = s["durham"][0]
        selected += w
        for table, shape in enumerate(tables, start=1):
            if shape != "y23" or s["y23"] > 0:
                filled[f"d{table:02d}-x01-y0{y}"].fill(s[shape], w)
        for table, shape in enumerate(moments, start=15):
            for order in range(1, 6):
                filled[f"d{table:02d}-x01-y0{y}"].fill(float(order), w * s[shape] ** order)
    for table in range(1, 27):
        name = f"d{table:02d}-x01-y0{y}"
        check(left, name, filled[name].height(1 / selected))


@pytest.mark.parametrize(("energy", "table"), [(35.0, 7), slow(44.0, 8), slow(133.0, 10), (189.0, 14)])
def test_jet_rates_at_other_energies(compared, energy, table):
    left, filled, _, weights = compared("JADE_OPAL_2000_S4300807", energy)
    events, _ = make_events(3, energy)
    clustered = [(plain.merging(*momenta(event), measure), w) for measure in (plain.jade, plain.durham)
                 for event, w in zip(events, weights, strict=True)]  # fmt: skip
    for first, scales in ((table, clustered[: len(events)]), (table + 9, clustered[len(events) :])):
        for k in range(5):
            name = f"d{first:02d}-x01-y{k + 1:02d}"
            if name not in filled:
                continue
            cut = 0.5 * (filled[name].low + filled[name].high)
            expected = sum(w * ((k == 4) | (y[min(k, 3)] < cut)) * ((k == 0) | (y[k - 1] > cut)) for y, w in scales)
            check(left, name, 100 * expected / weights.sum())
    for k in range(4):
        name = f"d{table + 17:02d}-x01-y{k + 1:02d}"
        if name in filled:
            for y, w in clustered[len(events) :]:
                filled[name].fill(y[k], w)
            check(left, name, filled[name].height(1 / filled[name].total))


@pytest.mark.parametrize(("energy", "y", "share"), [(10.0, 1, 1.0), (32.0, 2, 5 / 6), (91.2, 3, 1.0), (161.0, 4, 1.0)])
def test_hadrons_at_all_energies(compared, energy, y, share):
    left, filled, kept, weights = compared("PDG_HADRON_MULTIPLICITIES", energy)
    for table, code in ((1, 211), (3, 321), (38, 2212), (4, 130)):
        name = f"d{table:02d}-x01-y{y:02d}"
        if name in filled:  # 29 to 35 GeV: Rivet divides by 6 and multiplies by 5
            count = sum(w * sum(row[0] == code for row in event) for event, w in kept)
            check(left, name, np.array([share * count / weights.sum()]))
