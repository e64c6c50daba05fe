"""Mean numbers of identified hadrons in e+e- annihilation relative to that of charged pions.

From the averages of the Particle Data Group (C. Amsler et al.), Phys. Lett. B 667 (2008) 1, table 40.1.
"""

from sbitune.generators.observables.framework.analysis import ELECTRON_POSITRON, Analysis, Booking
from sbitune.generators.observables.framework.finalise import INTERNAL, RawResults, ratio, scale
from sbitune.generators.observables.framework.hadron_species import (
    ENERGIES,
    SPECIES,
    bin_factor,
    count_hadrons,
    table_of,
    tables_at,
)
from sbitune.generators.observables.framework.projections import Projections

PION_TABLE = 1
PIONS = "TMP/PiPlus"


def _book(booking: Booking) -> None:
    for name in tables_at(booking):
        if table_of(name) != PION_TABLE:
            booking.histogram(name)
    booking.counter(PIONS)


def _fill(events: Projections, booking: Booking) -> None:
    events = events.hadronic
    hadrons = events.unstable
    booking[PIONS].fill(hadrons.weight[hadrons.of(*SPECIES[PION_TABLE])])
    count_hadrons(events, booking, [name for name in booking if not name.startswith(INTERNAL)])


def _finalize(raw: RawResults) -> dict:
    per_pion = ratio(1.0, raw[PIONS].sumw)
    histograms = {name: raw[name] for name in raw if not name.startswith(INTERNAL)}
    return {name: scale(histogram, bin_factor(histogram) * per_pion) for name, histogram in histograms.items()}


ANALYSIS = Analysis(
    name="PDG_HADRON_MULTIPLICITIES_RATIOS",
    description="Mean numbers of identified hadrons per charged pion in e+e- annihilation",
    inspire=None,
    beams=ELECTRON_POSITRON,
    energies=ENERGIES,
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
