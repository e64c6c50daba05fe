#!/bin/sh
# pythia8mc 8.317.2, awkward 2.14: the columns of weights that `nextBatch` gives are not those that `weightLabel` names.
#
# With `UncertaintyBands:List = {low fsr:muRfac=0.5, high fsr:muRfac=2.0}`, `Info.nWeights()` is 3 and `weightLabel` names
# Baseline and the two variations by their settings; the groups `low` and `high` of the card have numbers of their own
# (`nWeightGroups` counts 3). `nextBatch` gives five weights for every event: Weight, the two, and `low` and `high` once
# more. Only `numberOfWeights()` and `weightNameByIndex(i)` say so. Whoever names the columns by `weightLabel`, or takes as
# many as `nWeights()` says, loses the variations under the names that the user gave them.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/v"
"$place/v/bin/pip" install --quiet "pythia8mc==8.317.2" "awkward==2.14.0" numpy
"$place/v/bin/python" - <<'PY'
import pythia8mc

pythia = pythia8mc.Pythia("", False)
for line in (
    "Print:quiet = on", "Beams:idA = 11", "Beams:idB = -11", "Beams:eCM = 91.2", "PDF:lepton = off",
    "WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 1 2 3 4 5", "UncertaintyBands:doVariations = on",
    "UncertaintyBands:List = {low fsr:muRfac=0.5, high fsr:muRfac=2.0}",
):
    assert pythia.readString(line), line
assert pythia.init()
weights = pythia.nextBatch(1, "skip")["info"]["weights"].tolist()[0]
info = pythia.infoPython()
labels = [info.weightLabel(i) for i in range(info.nWeights())]
names = [info.weightNameByIndex(i) for i in range(info.numberOfWeights())]
print("weightLabel      ", labels)
print("weightNameByIndex", names)
print("nextBatch        ", weights)
assert labels == ["Baseline", "fsr.murfac=0.5", "fsr.murfac=2.0"]
assert names == ["Weight", "fsr.murfac=0.5", "fsr.murfac=2.0", "low", "high"]
assert len(weights) == 5
assert weights[1] == weights[3]
assert weights[2] == weights[4]
assert weights == [info.weightValueByIndex(i) for i in range(5)]
PY
