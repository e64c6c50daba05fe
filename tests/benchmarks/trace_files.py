"""How often one has to turn from file to file to follow a scan through training, and parameters through a likelihood.

    python tests/benchmarks/trace_files.py

Traces `sbitune train` and `sbitune fit` on a small scan with `sys.setprofile` and prints, for each: files of the
package that were entered; and returns, entries into a file that had been left before. A pair of functions in different
files, of which one calls the other, is one entry, however often it is called.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import sbitune

ROOT = str(Path(sbitune.__file__).parent)
CARD = """title: thirty-nine bins of LEP
scan: {directory: scan.npz}
reference: [ALEPH_1996_S3486095, OPAL_2004_S6132243, PDG_HADRON_MULTIPLICITIES]
observables:
  /ALEPH_1996_S3486095/d01-x01-y01: 1
  /OPAL_2004_S6132243/d06-x01-y01: 1
  /PDG_HADRON_MULTIPLICITIES/.*: 1
surrogate: {kind: polynomial}
fit: {starts: 2, toys: 10}
"""


def trace(work: Callable[[], Any]) -> tuple[int, int]:
    """Files of the package that `work` enters, and returns to one that was left."""
    seen: set[tuple[Any, Any]] = set()
    files: set[str] = set()
    returns = 0

    def follow(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal returns
        if event != "call" or not frame.f_code.co_filename.startswith(ROOT):
            return
        name, caller = frame.f_code.co_filename, frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(ROOT):
            caller = caller.f_back
        if frame.f_code.co_name == "<module>" or (caller is not None and caller.f_code.co_filename == name):
            return
        pair = caller and caller.f_code, frame.f_code
        if pair not in seen:
            seen.add(pair)
            returns += name in files
            files.add(name)

    sys.setprofile(follow)
    try:
        work()
    finally:
        sys.setprofile(None)
    return len(files), returns


def main() -> None:
    """Print the counts."""
    from sbitune.cli.main import main as command

    def run(*arguments: str) -> None:
        command(list(arguments), standalone_mode=False)  # pyright: ignore[reportCallIssue]

    with tempfile.TemporaryDirectory() as name:
        shutil.copy(Path(__file__).parents[1] / "tuning" / "unchanged" / "scan.npz", name)
        (Path(name) / "card.yaml").write_text(CARD)
        for stage in ("train", "fit"):
            files, returns = trace(lambda stage=stage: run(stage, name))
            print(f"sbitune {stage}: {files} files entered, {returns} returns to a file left before")


if __name__ == "__main__":
    main()
