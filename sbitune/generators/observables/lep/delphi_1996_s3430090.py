"""Event shapes, charged-particle spectra and energy correlations in Z decays, by DELPHI.

DELPHI Collaboration (P. Abreu et al.), Z. Phys. C 73 (1996) 11: the data to which most generators were first tuned.
Everything is made of the charged particles; multiplicities of hadrons are the averages quoted there.
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

#: spectra: p along thrust major and minor, sphericity major and minor; rapidity along thrust and sphericity; x_p, xi_p
SPECTRA = tuple(f"d{number:02d}-x01-y01" for number in range(1, 9))
#: mean transverse momentum out of the event plane, and total, in bins of x_p
PROFILES = ("d09-x01-y01", "d10-x01-y01")
EVENT_SHAPES = {
    "d11-x01-y01": lambda c: 1.0 - c.thrust,
    "d12-x01-y01": lambda c: c.major,
    "d13-x01-y01": lambda c: c.minor,
    "d14-x01-y01": lambda c: c.oblateness,
    "d15-x01-y01": lambda c: c.sphericity,
    "d16-x01-y01": lambda c: c.aplanarity,
    "d17-x01-y01": lambda c: c.planarity,
    "d18-x01-y01": lambda c: c.c_parameter,
    "d19-x01-y01": lambda c: c.d_parameter,
    "d20-x01-y01": lambda c: c.hemispheres.heavy,
    "d21-x01-y01": lambda c: c.hemispheres.light,
    "d22-x01-y01": lambda c: c.hemispheres.heavy - c.hemispheres.light,
    "d23-x01-y01": lambda c: c.hemispheres.wide,
    "d24-x01-y01": lambda c: c.hemispheres.narrow,
    "d25-x01-y01": lambda c: c.hemispheres.wide + c.hemispheres.narrow,
    "d26-x01-y01": lambda c: c.hemispheres.wide - c.hemispheres.narrow,
}
#: y_{n,n+1} for n = 2, 3, 4: Durham histogram, JADE histogram, counter of the events with more than n particles
JET_RATES = (
    ("d27-x01-y01", "d28-x01-y01", "_passedCut3WeightSum"),
    ("d29-x01-y01", "d30-x01-y01", "_passedCut4WeightSum"),
    ("d31-x01-y01", "d32-x01-y01", "_passedCut5WeightSum"),
)
CORRELATION, ASYMMETRY = "d33-x01-y01", "d34-x01-y01"
MEAN_MULTIPLICITY = "d35-x01-y01"
YIELDS = {
    "d36-x01-y01": (211,),
    "d36-x01-y02": (111,),
    "d36-x01-y03": (321,),
    "d36-x01-y04": (130, 310),
    "d36-x01-y05": (221,),
    "d36-x01-y06": (331,),
    "d36-x01-y07": (411,),
    "d36-x01-y08": (421,),
    "d36-x01-y09": (511, 521, 531),
    "d37-x01-y01": (9010221,),
    "d38-x01-y01": (113,),
    "d38-x01-y02": (323,),
    "d38-x01-y03": (313,),
    "d38-x01-y04": (333,),
    "d38-x01-y05": (413,),
    "d39-x01-y01": (225,),
    "d39-x01-y02": (315,),
    "d40-x01-y01": (2212,),
    "d40-x01-y02": (3122,),
    "d40-x01-y03": (3312,),
    "d40-x01-y04": (3334,),
    "d40-x01-y05": (2224,),
    "d40-x01-y06": (3114,),  # as in the reference implementation; the measured value is that of both charges
    "d40-x01-y07": (3324,),
    "d40-x01-y08": (5122,),
}
#: sums of weights: times charged multiplicity; of the selected events
CHARGED_SUM, SELECTED = "_TotalPartNum", "_passedCutWeightSum"


def _book(booking: Booking) -> None:
    for name in SPECTRA:
        booking.histogram(name)
    for name in PROFILES:
        booking.profile(name)
    for name in EVENT_SHAPES:
        booking.histogram(name)
    for durham, jade, _ in JET_RATES:
        booking.histogram(durham)
        booking.histogram(jade)
    for name in (CORRELATION, ASYMMETRY, MEAN_MULTIPLICITY, *YIELDS):
        booking.histogram(name)
    for name in (CHARGED_SUM, SELECTED, *(counter for _, _, counter in JET_RATES)):
        booking.counter(name)


def _fill(events: Projections, booking: Booking) -> None:
    events = events.hadronic
    charged = events.charged
    weight = events.weight
    booking[SELECTED].fill(weight)
    booking[CHARGED_SUM].fill(weight * charged.count)
    booking[MEAN_MULTIPLICITY].fill(booking[MEAN_MULTIPLICITY].centre[0], weight * charged.count)
    for name, shape in EVENT_SHAPES.items():
        booking[name].fill(shape(charged), weight)
    _fill_spectra(charged, events.scaled_momentum(), booking)
    _fill_jet_rates(charged, booking)
    cosine, share = charged.energy_correlations()
    booking[CORRELATION].fill(cosine, share)
    booking[ASYMMETRY].fill(-np.abs(cosine), np.where(cosine < 0, share, -share))
    hadrons = events.unstable
    for name, species in YIELDS.items():
        booking[name].fill(booking[name].centre[0], hadrons.weight[hadrons.of(*species)])


def _fill_spectra(charged: Selection, x_p: np.ndarray, booking: Booking) -> None:
    thrust, sphericity = charged.thrust_axes, charged.sphericity_axes
    in_plane, out_of_plane = np.abs(charged.along(thrust[:, 1])), np.abs(charged.along(thrust[:, 2]))
    spectra = (
        in_plane,
        out_of_plane,
        np.abs(charged.along(sphericity[:, 1])),
        np.abs(charged.along(sphericity[:, 2])),
        charged.rapidity(thrust[:, 0]),
        charged.rapidity(sphericity[:, 0]),
        x_p,
        -np.log(x_p),
    )
    for name, values in zip(SPECTRA, spectra, strict=True):
        booking[name].fill(values, charged.weight)
    booking[PROFILES[0]].fill(x_p, out_of_plane, charged.weight)
    booking[PROFILES[1]].fill(x_p, np.sqrt(in_plane**2 + out_of_plane**2), charged.weight)


def _fill_jet_rates(charged: Selection, booking: Booking) -> None:
    for k, (durham, jade, counter) in enumerate(JET_RATES):
        enough = charged.count >= k + 3
        weight = charged.event_weight[enough]
        booking[counter].fill(weight)
        booking[durham].fill(charged.durham[enough, k], weight)
        booking[jade].fill(charged.jade[enough, k], weight)


def _finalize(raw: RawResults) -> dict:
    per_event = ratio(1.0, raw[SELECTED].sumw)
    done = raw.normalized(SPECTRA, raw[CHARGED_SUM].sumw * per_event)
    done |= raw.scaled((*EVENT_SHAPES, CORRELATION, ASYMMETRY, MEAN_MULTIPLICITY, *YIELDS), per_event)
    for durham, jade, counter in JET_RATES:
        done |= raw.scaled((durham, jade), ratio(1.0, raw[counter].sumw))
    return done


ANALYSIS = Analysis(
    name="DELPHI_1996_S3430090",
    description="Event shapes, charged-particle spectra and energy correlations in Z decays",
    inspire=424112,
    beams=ELECTRON_POSITRON,
    energies=(Energy.near(91.2),),
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
