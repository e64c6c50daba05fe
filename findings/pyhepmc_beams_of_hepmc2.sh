#!/bin/sh
# pyhepmc 2.16.1 (HepMC3), reading HepMC 2: the two barcodes of the E line, which say which particles are the beams, are
# skipped. `event.beams` is every particle that no vertex makes, in the order of the file: of an event whose E line names
# 10001 (an electron) and 10003 (a positron), with a photon 10002 among the incoming ones, the first two "beams" are
# electron and photon. Neither barcodes nor the E line's words can be asked for afterwards.
# Seen with pyhepmc 2.16.1: pids of event.beams [11, 22, -11], attributes of the particles [{}, {}, {}, {}].
# Fails if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install --quiet "pyhepmc==2.16.1" "numpy"
cat > "$place/events.hepmc" <<'EVENTS'
HepMC::Version 2.06.09
HepMC::IO_GenEvent-START_EVENT_LISTING
E 0 0 0 0 0 0 0 1 10001 10003 0 1 1.0
N 1 "Weight"
U GEV MM
C 1 0
V -1 0 0 0 0 0 3 1 0
P 10001 11 0 0 45.6 45.6 0 4 0 0 -1 0
P 10002 22 0 0 1 1 0 3 0 0 -1 0
P 10003 -11 0 0 -45.6 45.6 0 4 0 0 -1 0
P 10004 23 0 0 1 92.2 91.2 1 0 0 0 0
HepMC::IO_GenEvent-END_EVENT_LISTING

EVENTS
"$place/env/bin/python" - "$place/events.hepmc" <<'CODE'
import sys

import pyhepmc

assert pyhepmc.__version__ == "2.16.1", pyhepmc.__version__
with pyhepmc.open(sys.argv[1]) as file:
    event = file.read()
beams = [particle.pid for particle in event.beams]
attributes = [dict(particle.attributes) for particle in event.particles]
print("beams", beams, "attributes", attributes)
assert beams == [11, 22, -11], beams
assert attributes == [{}, {}, {}, {}], attributes
CODE
