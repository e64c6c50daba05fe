"""Event shapes, charged-particle spectra and identified hadrons in Z decays, by ALEPH.

ALEPH Collaboration (R. Barate et al.), Phys. Rept. 294 (1998) 1. Event shapes are those of the charged particles;
x_p = p / p_beam, xi_p = -ln x_p, x_E = E / E_beam; y_T is the rapidity along the thrust axis.
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
from sbitune.generators.observables.framework.selection import Selection

#: histogram: event shape of the charged particles
EVENT_SHAPES = {
    "d01-x01-y01": lambda c: c.sphericity,
    "d02-x01-y01": lambda c: c.aplanarity,
    "d03-x01-y01": lambda c: 1.0 - c.thrust,
    "d04-x01-y01": lambda c: c.minor,
    "d06-x01-y01": lambda c: c.hemispheres.heavy,
    "d07-x01-y01": lambda c: c.c_parameter,
    "d08-x01-y01": lambda c: c.oblateness,
}
Y23 = "d05-x01-y01"
#: charged-particle spectra: x_p, |y_T|, p_T in and out of the sphericity plane, xi_p
SPECTRA = ("d09-x01-y01", "d10-x01-y01", "d11-x01-y01", "d12-x01-y01", "d17-x01-y01")
MULTIPLICITY, MEAN_MULTIPLICITY = "d18-x01-y01", "d19-x01-y01"
#: histogram: largest |y_T| of the charged particles it counts
CENTRAL = {"d20-x01-y01": 0.5, "d21-x01-y01": 1.0, "d22-x01-y01": 1.5, "d23-x01-y01": 2.0}
#: histogram: species, variable, smallest x_p
HADRONS = {
    "d25-x01-y01": ((211,), "x_p", 0.0),
    "d26-x01-y01": ((321,), "x_p", 0.0),
    "d27-x01-y01": ((2212,), "x_p", 0.0),
    "d28-x01-y01": ((22,), "xi_p", 0.0),
    "d29-x01-y01": ((111,), "x_p", 0.0),
    "d30-x01-y01": ((221,), "x_E", 0.1),
    "d31-x01-y01": ((331,), "x_E", 0.1),
    "d32-x01-y01": ((130, 310), "x_p", 0.0),
    "d33-x01-y01": ((3122,), "x_p", 0.0),
    "d34-x01-y01": ((3312,), "x_E", 0.0),
    "d35-x01-y01": ((3114, 3224), "x_E", 0.0),
    "d36-x01-y01": ((3324,), "x_E", 0.0),
    "d37-x01-y01": ((113,), "x_p", 0.0),
    "d38-x01-y01": ((223,), "x_p", 0.0),
    "d39-x01-y01": ((313,), "x_p", 0.0),
    "d40-x01-y01": ((333,), "x_p", 0.0),
    "d43-x01-y01": ((323,), "x_E", 0.0),
}
#: histogram: species, smallest x_p, of mean multiplicities
YIELDS = {
    "d44-x01-y02": ((111,), 0.0),
    "d44-x01-y03": ((221,), 0.1),
    "d44-x01-y04": ((331,), 0.1),
    "d44-x01-y05": ((130, 310), 0.0),
    "d44-x01-y06": ((113,), 0.0),
    "d44-x01-y07": ((223,), 0.0),
    "d44-x01-y08": ((333,), 0.0),
    "d44-x01-y09": ((323,), 0.0),
    "d44-x01-y10": ((313,), 0.0),
    "d44-x01-y11": ((3122,), 0.0),
    "d44-x01-y12": ((3212,), 0.0),
    "d44-x01-y13": ((3312,), 0.0),
    "d44-x01-y14": ((3114, 3224), 0.0),
    "d44-x01-y15": ((3324,), 0.0),
    "d44-x01-y16": ((3334,), 0.0),
}
#: sum of weights times charged multiplicity; the second name is Rivet's, which never fills it
CHARGED_SUM, UNUSED_SUM = "/TMP/weightedTotalPartNum", "/TMP/TotalPartNum"


def _book(booking: Booking) -> None:
    for name in (*EVENT_SHAPES, Y23, *SPECTRA, MULTIPLICITY, MEAN_MULTIPLICITY, *CENTRAL, *HADRONS, *YIELDS):
        booking.histogram(name)
    booking.counter(UNUSED_SUM)
    booking.counter(CHARGED_SUM)


def _fill(events: Projections, booking: Booking) -> None:
    events = events.hadronic
    charged = events.charged
    for name, shape in EVENT_SHAPES.items():
        booking[name].fill(shape(charged), events.weight)
    y23 = charged.durham[:, 0]
    merged = y23 > 0
    booking[Y23].fill(-np.log(y23[merged]), events.weight[merged])
    rapidity = charged.rapidity(charged.thrust_axes[:, 0])
    _fill_spectra(charged, events.scaled_momentum(), rapidity, booking)
    _fill_multiplicities(charged, rapidity, booking)
    _fill_hadrons(events, booking)


def _fill_spectra(charged: Selection, x_p: np.ndarray, rapidity: np.ndarray, booking: Booking) -> None:
    axes = charged.sphericity_axes
    in_plane, out_of_plane = np.abs(charged.along(axes[:, 1])), np.abs(charged.along(axes[:, 2]))
    for name, values in zip(SPECTRA, (x_p, rapidity, in_plane, out_of_plane, -np.log(x_p)), strict=True):
        booking[name].fill(values, charged.weight)


def _fill_multiplicities(charged: Selection, rapidity: np.ndarray, booking: Booking) -> None:
    weight = charged.event_weight
    booking[MULTIPLICITY].fill(charged.count, weight)
    booking[MEAN_MULTIPLICITY].fill(booking[MEAN_MULTIPLICITY].centre[0], weight * charged.count)
    for name, limit in CENTRAL.items():
        inside = np.bincount(charged.event[rapidity <= limit], minlength=len(weight))
        booking[name].fill(booking[name].centre[0], weight * inside)
    booking[CHARGED_SUM].fill(weight * charged.count)


def _fill_hadrons(events: Projections, booking: Booking) -> None:
    hadrons = events.unstable
    x_p = hadrons.p / events.beam_momentum[hadrons.event]
    variables = {"x_p": x_p, "x_E": hadrons.e / events.beam_momentum[hadrons.event], "xi_p": -np.log(x_p)}
    for name, (species, variable, smallest) in HADRONS.items():
        these = hadrons.of(*species)
        these = these[x_p[these] >= smallest]
        booking[name].fill(variables[variable][these], hadrons.weight[these])
    for name, (species, smallest) in YIELDS.items():
        these = hadrons.of(*species)
        booking[name].fill(booking[name].centre[0], hadrons.weight[these[x_p[these] >= smallest]])


def _finalize(raw: RawResults) -> dict:
    per_event = ratio(1.0, raw.sum_of_weights)
    done = raw.normalized((*EVENT_SHAPES, Y23))
    done |= raw.normalized(SPECTRA, raw[CHARGED_SUM].sumw * per_event)
    done |= raw.scaled([MULTIPLICITY], 2.0 * per_event)  # the bins are two wide: n_ch is even
    return done | raw.scaled((MEAN_MULTIPLICITY, *CENTRAL, *HADRONS, *YIELDS), per_event)


ANALYSIS = Analysis(
    name="ALEPH_1996_S3486095",
    description="Event shapes, charged-particle spectra and identified hadrons in Z decays",
    inspire=428072,
    beams=ELECTRON_POSITRON,
    energies=(Energy.near(91.2),),
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
