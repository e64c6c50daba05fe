"""Hadrons and anti-kT jets of e+e- events as ragged columns, against what defines them."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from sbitune.data.errors import InputError
from sbitune.data.events import Origin
from sbitune.generators.columns import ColumnsRun
from sbitune.generators.columns.sets.antikt_jets import LEAST_ENERGY, RADIUS
from sbitune.generators.eventfiles import EventFile
from sbitune.generators.observables.framework.projections import Projections

STORED = Path(__file__).parents[1] / "data" / "lep91_200.npz"
#: mass in GeV and strange quarks of hadrons that decay weakly or not at all
KNOWN = {0.13957: 0, 0.13498: 0, 0.49368: 1, 0.93827: 0, 1.11568: 1, 1.32171: 2, 1.18937: 1}


@pytest.fixture(scope="module")
def batch():
    return next(EventFile(STORED).batches())


def test_hadrons_are_what_their_masses_say(batch):
    events = ColumnsRun(["LEP_HADRONS"], Origin("a file")).table(batch)
    xi, pt, y, mass, strange = (
        events[f"hadron_{name}"].content.astype(float)  # pyright: ignore
        for name in ("xi", "pt", "rapidity", "mass", "strange")
    )
    for known, quarks in KNOWN.items():
        alike = np.abs(mass - known) < 1e-5
        assert alike.any(), known
        assert (strange[alike] == quarks).all(), known
    # energy from momentum and mass, and from rapidity and transverse mass
    p, mt = 45.6 * np.exp(-xi), np.sqrt(mass**2 + pt**2)
    np.testing.assert_allclose(np.sqrt(p**2 + mass**2), mt * np.cosh(y), rtol=2e-4)
    projections = Projections(batch)
    hadrons = [projections.unstable.of(code) for code in (211, 321, 3122)]
    counted = [np.sum(np.abs(mass - m) < 1e-5) for m in (0.13957, 0.49368, 1.11568)]
    assert counted == [len(found) for found in hadrons]


def test_jets_are_those_of_the_definition(batch):
    pytest.importorskip("fastjet")
    events = ColumnsRun(["ANTIKT_JETS"], Origin("a file")).table(batch)
    visible = Projections(batch).visible
    for event in range(5):
        part = slice(*visible.offsets[event : event + 2])
        jets = cluster(np.stack([visible.px[part], visible.py[part], visible.pz[part], visible.e[part]], axis=1))
        jets = sorted((jet for jet in jets if jet[3] >= LEAST_ENERGY), key=lambda jet: -jet[3])
        assert events["n_jets"][event] == len(jets)
        np.testing.assert_allclose(events["jet_e"][event], [jet[3] for jet in jets], rtol=1e-5)
        mass = [np.sqrt(max(jet[3] ** 2 - jet[:3] @ jet[:3], 0)) for jet in jets]
        np.testing.assert_allclose(events["jet_mass"][event], mass, rtol=1e-3, atol=1e-2)


def cluster(momenta: np.ndarray) -> list[np.ndarray]:
    """Jets (4,) of particles (n, 4), by the definition: one pair at a time."""
    left, jets = list(momenta), []
    while left:
        power = np.array([p[3] ** -2 for p in left])
        unit = np.array([p[:3] / np.linalg.norm(p[:3]) for p in left])
        apart = (1 - np.clip(unit @ unit.T, -1, 1)) / (1 - np.cos(RADIUS))
        table = np.minimum.outer(power, power) * apart
        table[np.diag_indices(len(left))] = power
        i, j = sorted(np.unravel_index(int(np.argmin(table)), table.shape))
        if i == j:
            jets.append(left.pop(i))
        else:
            left[i] = left[i] + left.pop(j)
    return jets


def test_without_fastjet_jets_are_refused_with_the_remedy(batch, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastjet", None)
    with pytest.raises(InputError, match=r"sbitune\[jets\]") as caught:
        ColumnsRun(["ANTIKT_JETS"], Origin("a file")).table(batch)
    assert caught.value.code == "jets-absent"
    assert importlib.util.find_spec("sbitune.generators.columns.sets.antikt_jets") is not None
