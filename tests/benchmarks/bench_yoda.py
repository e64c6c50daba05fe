"""How long it takes to read and to write all reference data. Run: python tests/benchmarks/bench_yoda.py"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sbitune.data import yoda

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


def seconds(action: Callable[[], object], repetitions: int = 3) -> float:
    """Shortest wall time of a few repetitions."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Print the table."""
    files = sorted(REFERENCE.glob("*.yoda"))
    if not files:
        print(f"nothing to measure: {REFERENCE} is absent; put YODA files there")
        return 0
    contents = [yoda.read(path) for path in files]
    n_objects, megabytes = sum(map(len, contents)), sum(path.stat().st_size for path in files) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        actions = {
            "read": lambda: [yoda.read(path) for path in files],
            "read, one object per file": lambda: [
                yoda.read(p, lambda path: path.endswith("d01-x01-y01")) for p in files
            ],
            "write": lambda: [yoda.write(Path(folder) / p.name, c) for p, c in zip(files, contents, strict=True)],
            "text, version 1": lambda: [yoda.dumps(content) for content in contents],
            "text, version 2": lambda: [yoda.dumps(content, version=2) for content in contents],
        }
        print(f"{'':28}{'files':>7}{'objects':>9}{'MB':>7}{'seconds':>9}")
        for name, action in actions.items():
            print(f"{name:28}{len(files):7d}{n_objects:9d}{megabytes:7.1f}{seconds(action):9.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
