"""The underlying event against |eta| of the leading particle, in proton collisions at 7 TeV, as ATLAS measured it.

ATLAS Collaboration (G. Aad et al.), Phys. Rev. D 83 (2011) 112001, the tables that are d21 and d22 in Rivet's
ATLAS_2010_S8894728. Rivet 3.1.7 fills these with the signed eta, so that a half of the events is lost below the axis,
and so does the analysis of that name here; the tables of this name count every event.
"""

import numpy as np

from sbitune.generators.observables.framework.analysis import PROTON_PROTON, Analysis, Booking, Energy
from sbitune.generators.observables.framework.finalise import RawResults
from sbitune.generators.observables.framework.projections import Projections
from sbitune.generators.observables.lhc.atlas_2010_s8894728 import NUMBER_ETA, SUM_PT_ETA, fill_against_eta, leading_in


def _book(booking: Booking) -> None:
    booking.profile(NUMBER_ETA)
    booking.profile(SUM_PT_ETA)


def _fill(events: Projections, booking: Booking) -> None:
    leading = leading_in(events)
    if leading is not None:
        fill_against_eta(leading, np.abs(leading.eta), booking)


def _finalize(raw: RawResults) -> dict:
    return {}


ANALYSIS = Analysis(
    name="ATLAS_2010_S8894728_ABSETA",
    description="Underlying event in charged particles against |eta| of the leading one, as measured (not Rivet's)",
    inspire=879407,
    beams=PROTON_PROTON,
    energies=(Energy.near(7000.0),),
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
