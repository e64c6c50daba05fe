#!/bin/sh
# pythia8mc 8.317.2: a tune that is read later sets anew what an earlier one has set, and the mode does not show it.
#
# `Tune:pp = 14` sets the values of e+e- tunes, too, those of the tune that it is based on (7, Monash 2013). Read behind
# `Tune:ee = 3` it takes this back: StringZ:aLund is .68 again, not .3. `settings.mode("Tune:ee")` still says 3, nothing
# is printed, and reading returns True. In the other order the e+e- tune holds. A log of the modes is therefore no record
# of what was run.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/v"
"$place/v/bin/pip" install --quiet "pythia8mc==8.317.2" numpy
"$place/v/bin/python" - <<'PY'
import pythia8mc


def read(*lines):
    pythia = pythia8mc.Pythia("", False)
    taken = [pythia.readString(line) for line in lines]
    s = pythia.settings
    found = (all(taken), s.mode("Tune:ee"), s.mode("Tune:pp"), s.parm("StringZ:aLund"), s.parm("TimeShower:alphaSvalue"))
    print(f"{' then '.join(lines):32} taken {found[0]}, Tune:ee {found[1]}, Tune:pp {found[2]}, "
          f"aLund {found[3]:g}, alphaS {found[4]:g}")
    return found


assert read("Tune:ee = 3") == (True, 3, 14, 0.3, 0.1383)
assert read("Tune:pp = 14", "Tune:ee = 3") == (True, 3, 14, 0.3, 0.1383)
assert read("Tune:ee = 3", "Tune:pp = 14") == (True, 3, 14, 0.68, 0.1365)
PY
