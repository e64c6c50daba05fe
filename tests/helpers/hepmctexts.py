"""Small HepMC files as texts."""

#: pions at right angles to each other, massless but for rounding
PIONS = ((211, 10.0, 0.0, 0.0), (-211, -10.0, 0.0, 0.0), (211, 0.0, 10.0, 0.0), (-211, 0.0, -10.0, 0.0))


def hepmc3(names=("Weight",), weights=(1.0,), sections=((100, 1),), beams=(4, 4), events=3) -> str:
    """Events of two beams and four pions; `weights` of every event, or a list of them."""
    lines = ["HepMC::Version 3.02.05", "HepMC::Asciiv3-START_EVENT_LISTING"]
    lines += ["W " + "\\|".join(names)] if names else []
    for number in range(events):
        mine = weights[number] if isinstance(weights, list) else weights
        numbers = " ".join(f"{value} {error}" + " -1 -1" * (i == 0) for i, (value, error) in enumerate(sections))
        lines += [f"E {number} 1 6", "U GEV MM", "W " + " ".join(map(str, mine)), f"A 0 GenCrossSection {numbers}"]
        lines += [
            f"P {k + 1} 0 {(11, -11)[k]} 0 0 {(45.6, -45.6)[k]} 45.6 0.000511 {status}"
            for k, status in enumerate(beams)
        ]
        lines += ["V -1 0 [1,2]"]
        lines += [f"P {k + 3} -1 {code} {x} {y} {z} 10.001 0.1396 1" for k, (code, x, y, z) in enumerate(PIONS)]
    return "\n".join([*lines, "HepMC::Asciiv3-END_EVENT_LISTING", "", ""])


def hepmc2(beams="10001 10002", statuses=(3, 3), others=(1, 1, 1, 1)) -> str:
    lines = ["HepMC::Version 3.02.05", "HepMC::IO_GenEvent-START_EVENT_LISTING"]
    for number in range(3):
        lines += [f"E {number} 0 0 0 0 0 0 1 {beams} 0 1 1.0", 'N 1 "Weight"', "U GEV MM", "C 100 1"]
        lines += ["V -1 0 0 0 0 0 2 4 0"]
        lines += [
            f"P {10001 + k} {(11, -11)[k]} 0 0 {(45.6, -45.6)[k]} 45.6 0.000511 {status} 0 0 -1 0"
            for k, status in enumerate(statuses)
        ]
        lines += [
            f"P {10003 + k} {code} {x} {y} {z} 10.001 0.1396 {others[k]} 0 0 0 0"
            for k, (code, x, y, z) in enumerate(PIONS)
        ]
    return "\n".join([*lines, "HepMC::IO_GenEvent-END_EVENT_LISTING", "", ""])
