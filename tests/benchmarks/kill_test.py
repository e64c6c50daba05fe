"""Kill a Pythia scan twenty times and count what was lost. Run: python tests/benchmarks/kill_test.py

Each time the whole `sbitune scan` is killed with SIGKILL after a random while; then it is left to end, and its scan is
compared, bit for bit, with one that was never killed.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sbitune.data.scan import Scan

CARD = Path(__file__).resolve().parents[2] / "tunes" / "lep" / "card.yaml"
COMMAND = [sys.executable, "-m", "sbitune", "scan"]


def finished(directory: Path) -> dict[str, int]:
    """Names of finished runs and when their histograms were written."""
    return {p.parent.name: p.stat().st_mtime_ns for p in directory.glob("work/scan/*/run.json")}


def main(kills: int = 20, runs: int = 40, events: int = 1500) -> dict[str, object]:
    """Run the test; gives what was found."""
    text = CARD.read_text().replace("runs: 128", f"runs: {runs}").replace("events: 4500", f"events: {events}")
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        for part in ("whole", "killed"):
            (Path(name) / part).mkdir()
            (Path(name) / part / "card.yaml").write_text(text)
        whole, killed = Path(name) / "whole", Path(name) / "killed"
        subprocess.run([*COMMAND, str(whole)], check=True, capture_output=True)
        lost, seen, landed = 0, {}, []
        for _ in range(kills):
            process = subprocess.Popen([*COMMAND, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(1.0, 7.0))
            process.kill()
            process.wait()
            now = finished(killed)
            lost += sum(now.get(run) != stamp for run, stamp in seen.items())
            seen = now
            landed.append(len(now))
        subprocess.run([*COMMAND, str(killed)], check=True, capture_output=True)
        one, two = (Scan.load(d / "work" / "scan.npz") for d in (whole, killed))
        same = all(np.array_equal(getattr(one, a), getattr(two, a)) for a in ("theta", "values", "errors"))
        stale = len(list((killed / "work" / "scan").glob(".tmp-*")))
    return {"kills": kills, "finished_after_each": landed, "lost": lost, "identical": same, "left_behind": stale}


if __name__ == "__main__":
    print(main())
