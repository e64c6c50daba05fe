#!/bin/sh
# pythia8mc 8.317.2: the in-situ weight of `StringZ:aLund` alone is a polynomial. With VariationFrag:zHead = 5 and bLund
# held, log w of an event, from aLund .63, is of the fourth order in aLund - .63: from the weights at .48, .58, .78 and .88
# those at .53, .73 and .83 follow to 3.5e-5 (rms; 3e-4 at most), though log w spreads by .36 to .73 there and is off by .12
# (1.3 at most) if taken for linear. So four variations give an event's weight at any value between them, and its
# derivative. Together with bLund the same order is off by .007 to .015. Fails if that changes.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install --quiet "pythia8mc==8.317.2" "awkward>=2.6" "numpy"
"$place/env/bin/python" - <<'CODE'
import numpy as np
import pythia8mc

BASE, NODES, OTHERS = 0.63, (0.48, 0.58, 0.78, 0.88), (0.53, 0.73, 0.83)
values = (*NODES, *OTHERS)
pythia = pythia8mc.Pythia("", False)
for line in (
    "Print:quiet = on", "Beams:idA = 11", "Beams:idB = -11", "Beams:eCM = 91.2", "PDF:lepton = off",
    "WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 1 2 3 4 5", "Random:setSeed = on",
    "Random:seed = 3", "VariationFrag:zHead = 5", f"StringZ:aLund = {BASE}",
    "VariationFrag:List = {" + ",".join(f"a{i} frag:aLund={v}" for i, v in enumerate(values)) + "}",
):
    assert pythia.readString(line), line
assert pythia.init()
rows = []
for _ in range(10):
    batch = pythia.nextBatch(200, "skip")
    names = [str(name) for name in pythia.infoPython().weightNameVector()]
    places = [names.index(f"a{i}") for i in range(len(values))]
    rows += [[weights[i] for i in places] for weights in batch.info.weights.to_list()]
log = np.log(rows)
away = np.array(values) - BASE
k = len(NODES)
found = {}
for order in (1, 4):
    powers = away[:, None] ** np.arange(1, order + 1)
    numbers = np.linalg.lstsq(powers[:k], log[:, :k].T, rcond=None)[0]
    off = log[:, k:] - (powers[k:] @ numbers).T
    found[order] = float(np.sqrt(np.mean(off**2))), float(np.abs(off).max())
print("log w spreads by", log[:, k:].std(axis=0).round(3), "order: rms, largest difference", found)
assert found[4][0] < 1e-4 and found[4][1] < 2e-3, found
assert found[1][0] > 0.02, found
assert log[:, k].std() > 0.25, log.std(axis=0)
CODE
