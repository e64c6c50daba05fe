"""Reading events from Parquet beside pyarrow's own reading: CPU and wall time, and the memory that it takes.

    python tests/benchmarks/bench_events.py [--events 10000000]

Each reader runs in a process of its own, which prints its times and by how much its resident memory grew at its peak.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

#: float columns of the table
COLUMNS = 10
#: what each reader runs; `work` gives something with all columns as NumPy arrays
READERS = {
    "pyarrow": """
        import pyarrow.parquet as pq
        def work(path):
            table = pq.read_table(path)
            return {name: table.column(name).to_numpy() for name in table.column_names}
    """,
    "sbitune": """
        from sbitune.data.events import read_events
        def work(path):
            return read_events(path).columns
    """,
}
MEASURE = """
import json, sys, time
import numpy as np
def resident():
    with open("/proc/self/status") as status:
        rows = [line.split() for line in status]
    return {row[0].rstrip(":"): int(row[1]) << 10 for row in rows if row[0] in ("VmRSS:", "VmHWM:")}
path, small = sys.argv[1:]
work(small)  # imports and first uses
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before, wall, cpu = resident()["VmRSS"], time.perf_counter(), time.process_time()
columns = work(path)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
size = sum(column.nbytes for column in columns.values())
memory = (resident()["VmHWM"] - before) / size
total = float(sum(column.sum() for column in columns.values()))
print(json.dumps({"wall": wall, "cpu": cpu, "memory": memory, "sum": total}))
"""


def write_table(path: Path, n_events: int) -> None:
    """Write random columns with pyarrow's defaults, a million rows at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random, rows = np.random.default_rng(1), 1 << 20
    schema = pa.schema([(f"x{i}", pa.float64()) for i in range(COLUMNS)])
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, n_events, rows):
            n = min(rows, n_events - first)
            writer.write_table(pa.table({name: random.normal(size=n) for name in schema.names}, schema))


def measure(reader: str, path: Path, small: Path) -> dict[str, float]:
    """Run a reader in a process of its own."""
    code = textwrap.dedent(READERS[reader]) + MEASURE
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(small)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "events.parquet", Path(folder) / "small.parquet"
        write_table(path, asked.events)
        write_table(small, 1000)
        path.read_bytes()  # both read from the cache of the operating system
        best: dict[str, dict[str, float]] = {}
        for _ in range(asked.repeat):
            for reader in READERS:
                found = measure(reader, path, small)
                if reader not in best or found["wall"] < best[reader]["wall"]:
                    best[reader] = found
    print(f"{asked.events:,} events of {COLUMNS} columns, best of {asked.repeat}")
    for reader, found in best.items():
        print(f"{reader:8}  {found['wall']:6.2f} s  {found['cpu']:6.2f} CPU s  {found['memory']:5.2f} times the table")
    mine, its = best["sbitune"], best["pyarrow"]
    assert abs(mine["sum"] - its["sum"]) <= 1e-9 * asked.events
    print(f"time {mine['wall'] / its['wall']:.2f} (at most 2), CPU {mine['cpu'] / its['cpu']:.2f}, ", end="")
    print(f"memory {mine['memory']:.2f} (at most 1.5)")


if __name__ == "__main__":
    main()
