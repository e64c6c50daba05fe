"""Jet rates in e+e- annihilation from 35 to 189 GeV, by JADE and OPAL.

JADE and OPAL Collaborations (P. Pfeifenschneider et al.), Eur. Phys. J. C 17 (2000) 19. Fractions of 2-, 3-, 4-, 5- and
6-or-more-jet events against y_cut, in per cent, for the JADE and the Durham algorithm, and the distributions of the
Durham y_{n,n+1}. Clustered are all final-state particles but prompt neutrinos; every event with particles
counts.
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

ENERGIES = tuple(Energy.near(e) for e in (35.0, 44.0, 91.2, 133.0, 161.0, 172.0, 183.0, 189.0))
#: tables of the first energy; those of the following energies follow
JADE_RATES, DURHAM_RATES, DURHAM_SCALES = 7, 16, 24


def _names(first: int, count: int, energy: Energy) -> list[str]:
    table = first + ENERGIES.index(energy)
    return [f"d{table:02d}-x01-y{y:02d}" for y in range(1, count + 1)]


def _book(booking: Booking) -> None:
    for first, count in ((JADE_RATES, 5), (DURHAM_RATES, 5), (DURHAM_SCALES, 4)):
        for name in _names(first, count, booking.energy):
            booking.histogram(name)


def _fill(events: Projections, booking: Booking) -> None:
    jets = events.without_prompt_neutrinos
    clustered = jets.count > 0
    weight = events.weight[clustered]
    jade, durham = jets.jade[clustered], jets.durham[clustered]
    for first, scales in ((JADE_RATES, jade), (DURHAM_RATES, durham)):
        _fill_rates(scales, weight, [booking[name] for name in _names(first, 5, booking.energy)])
    for k, name in enumerate(_names(DURHAM_SCALES, 4, booking.energy)):
        booking[name].fill(durham[:, k], weight)


def _fill_rates(scales: np.ndarray, weight: np.ndarray, rates: list) -> None:
    """Count, at every y_cut, the events with y_{n,n+1} < y_cut < y_{n-1,n}: they have n jets."""
    for k, rate in enumerate(rates):
        chosen = np.ones((len(scales), len(rate.centre)), bool)
        if k < 4:
            chosen &= scales[:, k, None] < rate.centre
        if k > 0:
            chosen &= scales[:, k - 1, None] > rate.centre
        # a weight of the bin's width makes the height the number of events
        rate.fill_bins(chosen, weight, rate.high - rate.low)


def _finalize(raw: RawResults) -> dict:
    done = {}
    for energy in ENERGIES:
        rates = _names(JADE_RATES, 5, energy) + _names(DURHAM_RATES, 5, energy)
        done |= raw.scaled(rates, ratio(100.0, raw.sum_of_weights))
        done |= raw.normalized(_names(DURHAM_SCALES, 4, energy))
    return done


ANALYSIS = Analysis(
    name="JADE_OPAL_2000_S4300807",
    description="Jet rates of the JADE and Durham algorithms from 35 to 189 GeV",
    inspire=513337,
    beams=ELECTRON_POSITRON,
    energies=ENERGIES,
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
