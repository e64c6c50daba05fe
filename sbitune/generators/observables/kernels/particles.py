"""Which entries of the event record are seen: final-state particles, decayed hadrons, neutrinos, initial quarks."""

import numpy as np
from numba import njit

#: HepMC status codes
FINAL, DECAYED, BEAM = 1, 2, 4


@njit(cache=True, nogil=True)
def three_charge(pdg: int) -> int:
    """Return three times the electric charge, read off the PDG numbering scheme (quark content in the digits)."""
    code = abs(pdg)
    if code >= 1000000000:  # nuclei: 10LZZZAAAI
        charge = 3 * ((code // 10000) % 1000)
    elif code % 1000000 < 100:
        charge = _fundamental_charge(code % 1000000)
    else:
        first, second, third = (code // 1000) % 10, (code // 100) % 10, (code // 10) % 10
        if first == 0:  # mesons: the heavier quark is named first and decides which one is the antiquark
            charge = _quark_charge(second) - _quark_charge(third)
            if second % 2 == 1:
                charge = -charge
        elif third == 0:
            charge = _quark_charge(first) + _quark_charge(second)
        else:
            charge = _quark_charge(first) + _quark_charge(second) + _quark_charge(third)
    return charge if pdg > 0 else -charge


@njit(cache=True, nogil=True)
def _quark_charge(flavour: int) -> int:
    if flavour == 0 or flavour > 8:
        return 0
    return 2 if flavour % 2 == 0 else -1


@njit(cache=True, nogil=True)
def _fundamental_charge(code: int) -> int:
    if code <= 8:
        return _quark_charge(code)
    if code in (11, 13, 15, 17):
        return -3
    return 3 if code in (24, 34, 37) else 0


@njit(cache=True, nogil=True)
def final_state(pdg, status, offsets):
    """Return the positions (k,) of final-state particles, 3 x their charge (k,) and their offsets (m + 1,)."""
    position = np.empty(len(pdg), np.int64)
    charge = np.empty(len(pdg), np.int64)
    bounds = np.zeros(len(offsets), np.int64)
    found = 0
    for event in range(len(offsets) - 1):
        for i in range(offsets[event], offsets[event + 1]):
            if status[i] == FINAL:
                position[found] = i
                charge[found] = three_charge(pdg[i])
                found += 1
        bounds[event + 1] = found
    return position[:found], charge[:found], bounds


@njit(cache=True, nogil=True)
def _is_parton(code: int) -> bool:
    return code <= 8 or code == 21 or (1000 < code < 10000 and (code // 10) % 10 == 0)


@njit(cache=True, nogil=True)
def unstable(pdg, status, daughter1, daughter2, offsets):
    """Return positions (k,) and event numbers (k,) of all hadrons and leptons: final ones and decayed ones.

    Of a particle that the record repeats (same code, both decayed) only the last copy counts. Partons, beams,
    decayed photons and the pseudo-particles of diffraction do not.
    """
    position = np.empty(len(pdg), np.int64)
    events = np.empty(len(pdg), np.int64)
    found = 0
    for event in range(len(offsets) - 1):
        start = offsets[event]
        for i in range(start, offsets[event + 1]):
            code = abs(pdg[i])
            if (status[i] != FINAL and status[i] != DECAYED) or _is_parton(code):
                continue
            if status[i] == DECAYED:
                if code == 22 or code == 110 or code == 990 or code == 9990:
                    continue
                if _is_repeated(pdg, status, i, start + daughter1[i], start + daughter2[i], start):
                    continue
            position[found] = i
            events[found] = event
            found += 1
    return position[:found], events[:found]


@njit(cache=True, nogil=True)
def _is_repeated(pdg, status, i, first, last, start) -> bool:
    if first <= start:
        return False
    copies = 0
    for k in range(first, max(first, last) + 1):
        copies += pdg[k] == pdg[i] and status[k] == DECAYED
    return copies > 0


@njit(cache=True, nogil=True)
def prompt_neutrinos(position, pdg, status, mother1, offsets, bounds):
    """Return for each final-state particle (k,) whether it is a neutrino without decayed hadron or lepton above it.

    The chain of first mothers is enough: every product of a decay has its parent as first mother.
    """
    prompt = np.zeros(len(position), np.bool_)
    for event in range(len(offsets) - 1):
        start = offsets[event]
        for k in range(bounds[event], bounds[event + 1]):
            code = abs(pdg[position[k]])
            if code == 12 or code == 14 or code == 16:
                prompt[k] = True
                above = mother1[position[k]]
                while above > 0:
                    if status[start + above] == DECAYED:
                        prompt[k] = False
                        break
                    above = mother1[start + above]
    return prompt


@njit(cache=True, nogil=True)
def initial_flavour(pdg, mother1, mother2, offsets):
    """Return the flavour (m,) of the quarks born from e+e-, a Z or a photon: 1 to 5, or 0 if there are none.

    With two such quarks it is that of the first. With more (a radiated photon that split) the heaviest flavour wins,
    as in the reference implementation of OPAL_1998_S3780481. Of several mothers the last one decides.
    """
    flavour = np.zeros(len(offsets) - 1, np.int64)
    for event in range(len(offsets) - 1):
        start, count, first, heaviest = offsets[event], 0, 0, 0
        for i in range(start, offsets[event + 1]):
            code = abs(pdg[i])
            if code < 1 or code > 6 or mother1[i] <= 0:
                continue
            parent = abs(pdg[start + max(mother1[i], mother2[i])])
            if parent == 11 or parent == 22 or parent == 23:
                count += 1
                first = code if count == 1 else first
                heaviest = max(heaviest, code) if code <= 5 else heaviest
        flavour[event] = first if count == 2 else heaviest
    return flavour


@njit(cache=True, nogil=True)
def beams(pdg, status, px, py, pz, e, offsets):
    """Return the codes (m, 2) of the two beam particles and their momenta |p| (m, 2) and sqrt(s) (m,), in GeV.

    An event that has not exactly two beam particles gets codes 0.
    """
    events = len(offsets) - 1
    codes = np.zeros((events, 2), np.int64)
    momenta = np.zeros((events, 2))
    energy = np.zeros(events)
    for event in range(events):
        count, x, y, z, t = 0, 0.0, 0.0, 0.0, 0.0
        for i in range(offsets[event], offsets[event + 1]):
            if status[i] == BEAM:
                if count < 2:
                    codes[event, count] = pdg[i]
                    momenta[event, count] = np.sqrt(px[i] ** 2 + py[i] ** 2 + pz[i] ** 2)
                count += 1
                x, y, z, t = x + px[i], y + py[i], z + pz[i], t + e[i]
        energy[event] = np.sqrt(max(t * t - x * x - y * y - z * z, 0.0))
        if count != 2:
            codes[event, 0] = codes[event, 1] = 0
    return codes, momenta, energy


@njit(cache=True, nogil=True)
def hepmc_status(pdg, status, daughter1, offsets):
    """Return the HepMC status (n,) int32 of entries from Pythia's own `status` (n,), as Pythia's HepMC output has it.

    1: final (status > 0); 4: beam (-12); 2: hadron, muon or tau whose first daughter is another particle, made in a
    decay (|status| 91 to 94); otherwise -status from 11 to 200, or 0. `daughter1` (n,) counts inside the event.
    """
    result = np.zeros(len(pdg), np.int32)
    for event in range(len(offsets) - 1):
        start = offsets[event]
        for i in range(start, offsets[event + 1]):
            result[i] = _hepmc_status_of(pdg, status, i, daughter1[i], start)
    return result


@njit(cache=True, nogil=True)
def _hepmc_status_of(pdg, status, i, daughter, start):
    code = abs(pdg[i])
    if status[i] > 0:
        return FINAL
    if status[i] == -12:
        return BEAM
    can_decay = code == 13 or code == 15 or is_hadron(code)
    if can_decay and daughter > 0 and pdg[start + daughter] != pdg[i]:
        made_by = abs(status[start + daughter])
        if 91 <= made_by <= 94:
            return DECAYED
    if -200 <= status[i] <= -11:
        return -status[i]
    return 0


@njit(cache=True, nogil=True)
def is_hadron(code: int) -> bool:
    """Say whether a positive PDG code is that of a hadron: two or three quarks in its digits, and a spin."""
    if code <= 100 or 1000000 <= code <= 9000000 or code >= 9900000:
        return False
    if code == 130 or code == 310:
        return True
    return not (code % 10 == 0 or (code // 10) % 10 == 0 or (code // 100) % 10 == 0)
