"""Charged particles in proton collisions with minimum bias at 0.9, 2.36 and 7 TeV, by ATLAS.

ATLAS Collaboration (G. Aad et al.), New J. Phys. 13 (2011) 053033. Stable charged particles with |eta| < 2.5 above a
threshold in p_T, in events with a smallest number of them. Generators must be told to keep particles of
c tau > 10 mm stable.
"""

from typing import NamedTuple

import numpy as np

from sbitune.generators.observables.framework.analysis import PROTON_PROTON, Analysis, Booking, Energy
from sbitune.generators.observables.framework.finalise import RawResults, ratio
from sbitune.generators.observables.framework.projections import Projections

ETA_MAX = 2.5
ENERGIES = (Energy.near(900.0), Energy.near(2360.0), Energy.near(7000.0))


class PhaseSpace(NamedTuple):
    """Threshold in p_T (GeV), smallest number of particles, and the tables; 0 for those that do not exist."""

    pt_min: float
    n_min: int
    multiplicity: int
    pt: int
    eta: int
    mean_pt: int


PHASE_SPACES = {
    900.0: (
        PhaseSpace(0.1, 2, 18, 11, 4, 24),
        PhaseSpace(0.1, 20, 34, 30, 26, 0),
        PhaseSpace(0.5, 1, 15, 8, 1, 22),
        PhaseSpace(0.5, 6, 20, 13, 6, 0),
        PhaseSpace(2.5, 1, 36, 32, 28, 38),
    ),
    2360.0: (PhaseSpace(0.5, 1, 16, 9, 2, 0),),
    7000.0: (
        PhaseSpace(0.1, 2, 19, 12, 5, 25),
        PhaseSpace(0.1, 20, 35, 31, 27, 0),
        PhaseSpace(0.5, 1, 17, 10, 3, 23),
        PhaseSpace(0.5, 6, 21, 14, 7, 0),
        PhaseSpace(2.5, 1, 37, 33, 29, 39),
    ),
}


def _name(table: int) -> str:
    return f"d{table:02d}-x01-y01"


def _book(booking: Booking) -> None:
    for space in PHASE_SPACES[booking.energy.nominal]:
        for table in (space.multiplicity, space.pt, space.eta):
            booking.histogram(_name(table))
        if space.mean_pt:
            booking.profile(_name(space.mean_pt))


def _fill(events: Projections, booking: Booking) -> None:
    charged = events.charged
    central = charged.where(np.abs(charged.eta) < ETA_MAX)
    for space in PHASE_SPACES[booking.energy.nominal]:
        tracks = central.where(central.pt > space.pt_min)
        kept = tracks.count >= space.n_min
        tracks = tracks.of_events(kept)
        booking[_name(space.multiplicity)].fill(tracks.count, tracks.event_weight)
        booking[_name(space.pt)].fill(tracks.pt, tracks.weight / tracks.pt)
        booking[_name(space.eta)].fill(tracks.eta, tracks.weight)
        if space.mean_pt:
            booking[_name(space.mean_pt)].fill(tracks.count[tracks.event], tracks.pt, tracks.weight)


def _finalize(raw: RawResults) -> dict:
    done = {}
    for space in (space for spaces in PHASE_SPACES.values() for space in spaces):
        if _name(space.multiplicity) in raw:
            per_event = ratio(1.0, float(raw[_name(space.multiplicity)].total[0]))
            done |= raw.scaled((_name(space.multiplicity), _name(space.eta)), per_event)
            # 1 / (2 pi p_T) d2N / deta dp_T; 1 / p_T is in the weights
            done |= raw.scaled([_name(space.pt)], per_event / (2 * np.pi * 2 * ETA_MAX))
    return done


ANALYSIS = Analysis(
    name="ATLAS_2010_S8918562",
    description="Charged particles in minimum-bias proton collisions at 0.9, 2.36 and 7 TeV",
    inspire=882098,
    beams=PROTON_PROTON,
    energies=ENERGIES,
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
