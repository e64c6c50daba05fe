"""The underlying event seen in charged particles, in proton collisions at 0.9 and 7 TeV, by ATLAS.

ATLAS Collaboration (G. Aad et al.), Phys. Rev. D 83 (2011) 112001. Charged particles with |eta| < 2.5; the one with the
largest p_T, at least 1 GeV, leads. The others lie at an angle dphi in azimuth from it, in the regions toward
(dphi < pi/3, the leading one included), transverse (pi/3 to 2 pi/3) and away. Densities are per unit of eta and phi.

Everything is filled as Rivet 3.1.7 fills it, so that scans of both can be joined. That is what was measured but for d21
and d22, tables against |eta| of the leading particle: Rivet fills its signed eta, and half of the events fall below the
axis. ATLAS_2010_S8894728_ABSETA fills |eta|.
"""

import numpy as np

from sbitune.data.yoda import Scatter
from sbitune.generators.observables.framework.analysis import PROTON_PROTON, Analysis, Booking, Energy
from sbitune.generators.observables.framework.finalise import RawResults
from sbitune.generators.observables.framework.projections import Projections
from sbitune.generators.observables.framework.selection import Selection

#: largest |eta|, smallest p_T of the leading particle, of the others, and of them in the inclusive tables (GeV)
ETA_MAX, LEADING_PT, PT_MIN, PT_MIN_LOW = 2.5, 1.0, 0.5, 0.1
ENERGIES = (Energy.near(900.0), Energy.near(7000.0))
#: smallest p_T of the leading particle (GeV) of the four histograms against dphi
LEADING_PT_OF_DPHI = {900.0: (1.0, 1.5, 2.0, 2.5), 7000.0: (1.0, 2.0, 3.0, 5.0)}
#: order of the regions in the y index: region number by |dphi| / (pi/3)
TRANSVERSE, TOWARD, AWAY = 1, 0, 2
REGIONS = (TRANSVERSE, TOWARD, AWAY)
#: area of a region in eta and phi
REGION_AREA = 2 * ETA_MAX * 2 * np.pi / 3
#: first table (900 GeV; that of 7 TeV follows) of what is measured against the leading p_T, in three regions
NUMBER, SUM_PT, MEAN_PT, MEAN_PT_OF_NUMBER, NUMBER_LOW, SUM_PT_LOW = 1, 3, 9, 11, 17, 19
NUMBER_DPHI, PT_DPHI = 13, 15
#: first table and profiles of the higher powers of the standard deviations in the transverse region
SPREADS = {5: (NUMBER, "TMP/nch"), 7: (SUM_PT, "TMP/ptsum")}
#: 7 TeV only, against eta of a leading particle of more than 5 GeV: number and sum of p_T
NUMBER_ETA, SUM_PT_ETA, LEADING_PT_OF_ETA = "d21-x01-y01", "d22-x01-y01", 5.0


def _name(table: int, energy: Energy, y: int = 1) -> str:
    return f"d{table + ENERGIES.index(energy):02d}-x01-y{y:02d}"


def _book(booking: Booking) -> None:
    energy = booking.energy
    for table in (NUMBER, SUM_PT, MEAN_PT, MEAN_PT_OF_NUMBER, NUMBER_LOW, SUM_PT_LOW):
        for y in (1, 2, 3):
            booking.profile(_name(table, energy, y))
    for table in (NUMBER_DPHI, PT_DPHI):
        for y in (1, 2, 3, 4):
            booking.profile(_name(table, energy, y))
    for table, (_, moment) in SPREADS.items():
        booking.derived(_name(table, energy))
        for order in (1, 2, 3):
            booking.profile(f"{moment}{order}", like=_name(table, energy))
    if energy.nominal == 7000.0:
        booking.profile(NUMBER_ETA)
        booking.profile(SUM_PT_ETA)


class Leading:
    """Events that have a leading particle: its p_T and eta (n_events,), and all particles seen from it."""

    def __init__(self, tracks: Selection):
        first = tracks.offsets[:-1]
        order = np.lexsort((-tracks.pt, tracks.event))
        index = order[first]  # the hardest one of each event
        phi = np.arctan2(tracks.py, tracks.px)
        difference = np.abs(phi - phi[index][tracks.event])
        self.tracks = tracks
        self.weight = tracks.event_weight
        self.pt, self.eta = tracks.pt[index], tracks.eta[index]
        self.dphi = np.minimum(difference, 2 * np.pi - difference)  #: (n,) 0 to pi
        self.region = np.minimum((self.dphi / (np.pi / 3)).astype(int), AWAY)  #: (n,)
        self.is_leading = np.zeros(len(tracks.pt), bool)
        self.is_leading[index] = True

    def sums(self, pt_min: float) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers and sums of p_T (n_events, 3) by region, of particles with p_T of at least `pt_min`."""
        keep = self.tracks.pt >= pt_min
        cell = 3 * self.tracks.event[keep] + self.region[keep]
        size = 3 * len(self.weight)
        number = np.bincount(cell, minlength=size)
        sum_pt = np.bincount(cell, weights=self.tracks.pt[keep], minlength=size)
        return number.reshape(-1, 3), sum_pt.reshape(-1, 3)


def leading_in(events: Projections) -> Leading | None:
    """Find the events with a leading particle; None if there is no such event."""
    tracks = events.charged.where(np.abs(events.charged.eta) < ETA_MAX)
    hard = np.bincount(tracks.event[tracks.pt >= LEADING_PT], minlength=len(events)) > 0
    return Leading(tracks.of_events(hard)) if hard.any() else None


def fill_against_eta(leading: Leading, eta: np.ndarray, booking: Booking) -> None:
    """Fill d21 and d22 at `eta` (n_events,) of the leading particles."""
    far = leading.pt > LEADING_PT_OF_ETA
    for name, sums in zip((NUMBER_ETA, SUM_PT_ETA), leading.sums(PT_MIN_LOW), strict=True):
        booking[name].fill(eta[far], sums[far, TRANSVERSE] / REGION_AREA, leading.weight[far])


def _fill(events: Projections, booking: Booking) -> None:
    leading = leading_in(events)
    if leading is None:
        return
    _fill_regions(leading, *leading.sums(PT_MIN), booking)
    for table, sums in zip((NUMBER_LOW, SUM_PT_LOW), leading.sums(PT_MIN_LOW), strict=True):
        for y, region in enumerate(REGIONS, start=1):
            profile = booking[_name(table, booking.energy, y)]
            profile.fill(leading.pt, sums[:, region] / REGION_AREA, leading.weight)
    _fill_dphi(leading, booking)
    if NUMBER_ETA in booking:
        fill_against_eta(leading, leading.eta, booking)


def _fill_regions(leading: Leading, number: np.ndarray, sum_pt: np.ndarray, booking: Booking) -> None:
    energy, weight, tracks = booking.energy, leading.weight, leading.tracks
    for y, region in enumerate(REGIONS, start=1):
        n, pt = number[:, region], sum_pt[:, region]
        booking[_name(NUMBER, energy, y)].fill(leading.pt, n / REGION_AREA, weight)
        booking[_name(SUM_PT, energy, y)].fill(leading.pt, pt / REGION_AREA, weight)
        some = n > 0
        booking[_name(MEAN_PT, energy, y)].fill(leading.pt[some], pt[some] / n[some], weight[some])
        inside = (leading.region == region) & (tracks.pt >= PT_MIN)
        of_number = booking[_name(MEAN_PT_OF_NUMBER, energy, y)]
        of_number.fill(n[tracks.event[inside]], tracks.pt[inside], tracks.weight[inside])
    for sums, (_, moment) in zip((number, sum_pt), SPREADS.values(), strict=True):
        density = sums[:, TRANSVERSE] / REGION_AREA
        for order in (1, 2, 3):
            booking[f"{moment}{order}"].fill(leading.pt, density ** (order + 1), weight)


def _fill_dphi(leading: Leading, booking: Booking) -> None:
    """Fill the densities of the particles other than the leading one, in every event and bin of dphi.

    An event is filled at the mean dphi of its particles in the bin, or at the centre of an empty one.
    """
    energy = booking.energy
    bins = booking[_name(NUMBER_DPHI, energy)]
    keep = (leading.tracks.pt >= PT_MIN) & ~leading.is_leading & (leading.dphi < bins.high[-1])
    dphi, n_bins, events = leading.dphi[keep], len(bins.low), len(leading.weight)
    cell = leading.tracks.event[keep] * n_bins + np.searchsorted(bins.low, dphi, side="right") - 1
    pt = leading.tracks.pt[keep]

    def per_bin(weights: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=weights, minlength=events * n_bins).reshape(events, n_bins)

    area = 2 * (bins.high - bins.low) * 2 * ETA_MAX  # both signs of dphi
    for table, weights in ((NUMBER_DPHI, np.ones(len(pt))), (PT_DPHI, pt)):
        sums, moments = per_bin(weights), per_bin(weights * dphi)
        place = np.where(sums > 0, moments / np.where(sums > 0, sums, 1.0), bins.centre)
        for y, pt_min in enumerate(LEADING_PT_OF_DPHI[energy.nominal], start=1):
            chosen = leading.pt >= pt_min
            weight = np.repeat(leading.weight[chosen], n_bins)
            profile = booking[_name(table, energy, y)]
            profile.fill(place[chosen].ravel(), (sums[chosen] / area).ravel(), weight)


def _finalize(raw: RawResults) -> dict:
    done = {}
    for energy in ENERGIES:
        for table, (mean_table, moment) in SPREADS.items():
            name = _name(table, energy)
            if name in raw:
                means = [raw[_name(mean_table, energy)], *(raw[f"{moment}{order}"] for order in (1, 2, 3))]
                done[name] = _standard_deviation(raw[name].path, means)
    return done


def _standard_deviation(path: str, means: list) -> Scatter:
    """Return the standard deviation of y with its error from profiles of y, y^2, y^3 and y^4.

    With the means m1 to m4: sigma^2 = m2 - m1^2, and the error of sigma is the root of (mu4 - sigma^4) / (n - 2) over
    2 sigma, mu4 being the fourth central moment; 0 for bins of fewer than three entries.
    """
    low, high, sums = means[0].low, means[0].high, means[0].sums
    filled = sums[:, 0] != 0
    m1, m2, m3, m4 = (np.divide(h.sums[:, 4], h.sums[:, 0], out=np.zeros(len(low)), where=filled) for h in means)
    variance = m2 - m1**2
    sigma = np.where(variance > 1e-8, np.sqrt(np.abs(variance)), 0.0)
    spread = m4 - 4 * m3 * m1 - m2**2 + 8 * m2 * m1**2 - 4 * m1**4
    known = (sigma > 0) & (sums[:, 6] >= 3)
    error = np.zeros(len(low))
    error[known] = np.sqrt(np.maximum(spread[known], 0.0) / (sums[known, 6] - 2.0)) / (2.0 * sigma[known])
    half = 0.5 * (high - low)
    errors = np.stack([half, error], axis=1)
    return Scatter(path=path, values=np.stack([0.5 * (low + high), sigma], axis=1), minus=errors, plus=errors.copy())


ANALYSIS = Analysis(
    name="ATLAS_2010_S8894728",
    description="Underlying event in charged particles, proton collisions at 0.9 and 7 TeV",
    inspire=879407,
    beams=PROTON_PROTON,
    energies=ENERGIES,
    book=_book,
    fill=_fill,
    finalize=_finalize,
)
