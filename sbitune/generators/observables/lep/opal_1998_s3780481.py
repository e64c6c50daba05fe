"""Fragmentation of light, charm and bottom quarks in Z decays, by OPAL.

OPAL Collaboration (K. Ackerstaff et al.), Eur. Phys. J. C 7 (1999) 369: x_p = p / p_beam and xi_p = -ln x_p of charged
particles, and their mean number, in events of Z -> u d s, c, b and in all.
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

#: initial quarks: histograms of x_p, xi_p and the mean multiplicity, counter of the events
SAMPLES = {
    (1, 2, 3): ("d01-x01-y01", "d05-x01-y01", "d09-x01-y01", "_udsWeights"),
    (4,): ("d02-x01-y01", "d06-x01-y01", "d09-x01-y02", "_cWeights"),
    (5,): ("d03-x01-y01", "d07-x01-y01", "d09-x01-y03", "_bWeights"),
}
ALL_X_P, ALL_XI_P, ALL_MULTIPLICITY = "d04-x01-y01", "d08-x01-y01", "d09-x01-y04"
#: sum of weights times charged multiplicity
CHARGED_SUM = "_TotalPartNum"


def _book(booking: Booking) -> None:
    for x_p, xi_p, multiplicity, counter in SAMPLES.values():
        for name in (x_p, xi_p, multiplicity):
            booking.histogram(name)
        booking.counter(counter)
    for name in (ALL_X_P, ALL_XI_P, ALL_MULTIPLICITY):
        booking.histogram(name)
    booking.counter(CHARGED_SUM)


def _fill(events: Projections, booking: Booking) -> None:
    events = events.hadronic
    charged, flavour = events.charged, events.initial_flavour
    x_p = events.scaled_momentum()
    xi_p = -np.log(x_p)
    booking[CHARGED_SUM].fill(events.weight * charged.count)
    booking[ALL_X_P].fill(x_p, charged.weight)
    booking[ALL_XI_P].fill(xi_p, charged.weight)
    booking[ALL_MULTIPLICITY].fill(booking[ALL_MULTIPLICITY].centre[0], charged.weight)
    for quarks, names in SAMPLES.items():
        chosen = np.isin(flavour, quarks)
        particles = chosen[charged.event]
        booking[names[0]].fill(x_p[particles], charged.weight[particles])
        booking[names[1]].fill(xi_p[particles], charged.weight[particles])
        booking[names[2]].fill(booking[names[2]].centre[0], charged.weight[particles])
        booking[names[3]].fill(events.weight[chosen])


def _finalize(raw: RawResults) -> dict:
    per_event = ratio(1.0, raw.sum_of_weights)
    done = raw.scaled([ALL_MULTIPLICITY], per_event)
    mean = raw[CHARGED_SUM].sumw * per_event
    done |= raw.normalized((ALL_X_P, ALL_XI_P), mean)
    for x_p, xi_p, multiplicity, counter in SAMPLES.values():
        # spectra of one flavour, too, are normalised to the mean multiplicity of all events
        done |= raw.normalized((x_p, xi_p), mean)
        done |= raw.scaled([multiplicity], ratio(1.0, raw[counter].sumw))
    return done


ANALYSIS = Analysis(
    name="OPAL_1998_S3780481",
    description="Charged-particle spectra in Z decays to light, charm and bottom quarks",
    inspire=472637,
    beams=ELECTRON_POSITRON,
    energies=(Energy.near(91.2),),
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
