"""Event shapes and their moments in e+e- annihilation from 91 to 209 GeV, by OPAL.

OPAL Collaboration (G. Abbiendi et al.), Eur. Phys. J. C 40 (2005) 287. Shapes are those of all final-state particles,
charged and neutral, neutrinos included; y23 is that of the visible ones.
"""

import numpy as np

from sbitune.generators.observables.framework.analysis import (
    ELECTRON_POSITRON,
    Analysis,
    Booking,
    Energy,
)
from sbitune.generators.observables.framework.finalise import RawResults, ratio
from sbitune.generators.observables.framework.projections import Projections

#: energies in the order of the y index; measured data of 177 and 197 are those of 161 to 183 and 189 to 209 GeV
ENERGIES = (Energy.near(91.2), Energy.near(133.0), Energy.near(177.0), Energy.near(197.0))
#: event shape: table of its distribution, table of its moments (0: none)
TABLES = {
    "1-T": (1, 15),
    "M_H": (2, 16),
    "C": (3, 17),
    "B_T": (4, 18),
    "B_W": (5, 19),
    "y23": (6, 20),
    "T_major": (7, 21),
    "T_minor": (8, 22),
    "A": (9, 0),
    "S": (10, 23),
    "O": (11, 24),
    "M_L": (12, 25),
    "B_N": (13, 26),
    "D": (14, 0),
}
MOMENTS = np.arange(1, 6)
SELECTED, CLUSTERED = "_sumWTrack2", "_sumWJet3"


def _names(shape: str, energy: Energy) -> tuple[str, str]:
    """Return the names of the histograms of an event shape and of its moments, "" for none."""
    y = ENERGIES.index(energy) + 1
    distribution, moments = TABLES[shape]
    return f"d{distribution:02d}-x01-y{y:02d}", f"d{moments:02d}-x01-y{y:02d}" if moments else ""


def _book(booking: Booking) -> None:
    for shape in TABLES:
        for name in _names(shape, booking.energy):
            if name:
                booking.histogram(name)
    booking.counter(SELECTED)
    booking.counter(CLUSTERED)


def _fill(events: Projections, booking: Booking) -> None:
    events = events.hadronic
    booking[SELECTED].fill(events.weight)
    booking[CLUSTERED].fill(events.weight)
    for shape, (values, used) in _event_shapes(events).items():
        distribution, moments = _names(shape, booking.energy)
        values, weight = values[used], events.weight[used]
        booking[distribution].fill(values, weight)
        if moments:
            powers = values[:, None] ** MOMENTS
            orders = np.broadcast_to(MOMENTS, powers.shape)
            booking[moments].fill(orders.ravel(), (weight[:, None] * powers).ravel())


def _event_shapes(events: Projections) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the values of every event shape and which events have one."""
    final, halves = events.final, events.final.hemispheres
    y23 = events.visible_durham[:, 0]
    everywhere = np.ones(len(events), bool)
    # rounding can leave a massless hemisphere a negative mass squared: the root of it is not a number
    massive = (halves.heavy >= 0) & (halves.light >= 0)
    plain = {
        "1-T": 1.0 - final.thrust,
        "C": final.c_parameter,
        "T_major": final.major,
        "T_minor": final.minor,
        "A": final.aplanarity,
        "S": final.sphericity,
        "O": final.oblateness,
        "D": final.d_parameter,
    }
    of_halves = {
        "M_H": np.sqrt(np.abs(halves.heavy)),
        "B_T": halves.wide + halves.narrow,
        "B_W": halves.wide,
        "M_L": np.sqrt(np.abs(halves.light)),
        "B_N": halves.narrow,
    }
    shapes = {name: (values, everywhere) for name, values in plain.items()}
    shapes |= {name: (values, massive) for name, values in of_halves.items()}
    return shapes | {"y23": (y23, y23 > 0)}


def _finalize(raw: RawResults) -> dict:
    clustered = {name for energy in ENERGIES for name in _names("y23", energy)}
    others = {name for shape in TABLES for energy in ENERGIES for name in _names(shape, energy)} - clustered
    done = raw.scaled(others, ratio(1.0, raw[SELECTED].sumw))
    return done | raw.scaled(clustered, ratio(1.0, raw[CLUSTERED].sumw))


ANALYSIS = Analysis(
    name="OPAL_2004_S6132243",
    description="Event shapes and their moments in e+e- annihilation from 91 to 209 GeV",
    inspire=669402,
    beams=ELECTRON_POSITRON,
    energies=ENERGIES,
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
