"""Mean numbers of identified hadrons in e+e- annihilation, averages of the Particle Data Group.

Particle Data Group (C. Amsler et al.), Phys. Lett. B 667 (2008) 1, table 40.1: at about 10, 29 to 35, 91 and 130 to 200
GeV. Events with fewer than two charged particles are not counted as hadronic.
"""

from sbitune.generators.observables.framework.analysis import ELECTRON_POSITRON, Analysis, Booking
from sbitune.generators.observables.framework.finalise import RawResults, ratio, scale
from sbitune.generators.observables.framework.hadron_species import (
    ENERGIES,
    bin_factor,
    count_hadrons,
    tables_at,
)
from sbitune.generators.observables.framework.projections import Projections


def _book(booking: Booking) -> None:
    for name in tables_at(booking):
        booking.histogram(name)


def _fill(events: Projections, booking: Booking) -> None:
    count_hadrons(events.hadronic, booking, list(booking))


def _finalize(raw: RawResults) -> dict:
    per_event = ratio(1.0, raw.sum_of_weights)
    return {name: scale(histogram, bin_factor(histogram) * per_event) for name, histogram in raw.items()}


ANALYSIS = Analysis(
    name="PDG_HADRON_MULTIPLICITIES",
    description="Mean numbers of identified hadrons in e+e- annihilation, averages of the Particle Data Group",
    inspire=None,
    beams=ELECTRON_POSITRON,
    energies=ENERGIES,
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
