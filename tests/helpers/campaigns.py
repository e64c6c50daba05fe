"""Runs of toy generators, and of Pythia at the Z, for tests of campaigns."""

import sys
from pathlib import Path

from sbitune.generators.campaigns.runs import Task
from sbitune.generators.config import CommandConfig, PythiaConfig

LEP = (
    "Beams:idA = 11",
    "Beams:idB = -11",
    "Beams:eCM = 91.2",
    "PDF:lepton = off",
    "WeakSingleBoson:ffbar2gmZ = on",
    "23:onMode = off",
    "23:onIfAny = 1 2 3 4 5",
)
PYTHIA = PythiaConfig(settings=LEP, analyses=("ALEPH_1996_S3486095",))
#: writes a histogram whose content is the parameter; sleeps or fails when told to
SCRIPT = """
import sys, time, os
value, seed, mode = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if mode == "fail": sys.exit("no luck with %g" % value)
if mode == "hang": time.sleep(600)
if mode == "crash": os.kill(os.getsid(0), 9)
if mode == "slow": time.sleep(0.15)
rows = "".join("%d %d 1 %g %g %g %g\\n" % (i, i + 1, value + i + seed % 3, 0.1, i, i) for i in range(3))
open("out.yoda", "w").write("BEGIN YODA_PROFILE1D_V2 /TOY/h\\nPath: /TOY/h\\nType: Profile1D\\n---\\n"
  "Total Total 1 1 1 1 1 1 1\\nUnderflow Underflow 0 0 0 0 0 0 0\\nOverflow Overflow 0 0 0 0 0 0 0\\n"
  "END YODA_PROFILE1D_V2\\n" if mode == "empty" else
  "BEGIN YODA_SCATTER2D_V2 /TOY/h\\nPath: /TOY/h\\nType: Scatter2D\\n---\\n" +
  "".join("%g 0.5 0.5 %r 0.1 0.1\\n" % (i + .5, value * (i + 1) + seed % 7) for i in range(3)) +
  "END YODA_SCATTER2D_V2\\n")
"""


def toy_tasks(directory: Path, n: int, mode: str = "good", bad: int | None = None) -> list[Task]:
    (directory / "toy.py").write_text(SCRIPT)
    tasks = []
    for i in range(n):
        how = mode if bad is None or i == bad else "good"
        command = f"{sys.executable} {{CARD}}/toy.py {{alpha}} {{SEED}} {how}"
        config = CommandConfig(command=command, output="out.yoda")
        tasks.append(Task(f"{i:04d}", config, {"alpha": 0.5 + 0.1 * i}, 100, 10 + i, str(directory)))
    return tasks


def misfit_tasks(n: int) -> list[Task]:
    """The analysis is of the Z, the run is not: nothing but the worker looks at it here."""
    off = PythiaConfig(settings=tuple(s.replace("91.2", "60") for s in LEP), analyses=PYTHIA.analyses)
    return [Task(f"{i:04d}", off, {"StringZ:aLund": 0.5}, 10, 1 + i, ".") for i in range(n)]


def content(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.glob("*/*.yoda"))}
