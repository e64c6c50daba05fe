"""Surrogates on a real scan of 8 parameters: how well they predict held-out runs, and what it costs.

Run `python tests/benchmarks/bench_surrogates.py`. It needs the scan in `shared/scans/flavour` beside the checkout.
"""

import sys
import time
from pathlib import Path

import jax

from sbitune.data.apprentice import read_scan
from sbitune.tuning.surrogates.config import NetworkConfig, PolynomialConfig, SurrogateConfig
from sbitune.tuning.surrogates.evaluation import evaluate
from sbitune.tuning.surrogates.training import train

SCAN = Path(__file__).resolve().parents[3] / "shared" / "scans" / "flavour"
CASES: dict[str, SurrogateConfig] = {
    "polynomial 2": PolynomialConfig(order=2),
    "polynomial 3": PolynomialConfig(order=3),
    "polynomial 3 of log": PolynomialConfig(order=3, scale="log"),
    "polynomial auto": PolynomialConfig(),
    "network": NetworkConfig(),
    "network, bootstrap": NetworkConfig(bootstrap=True),
    "network, no log inputs": NetworkConfig(log_inputs=False),
    "network, linear scale": NetworkConfig(scale="linear"),
}


def main() -> None:
    """Print the table."""
    if not SCAN.is_dir():
        print("skipped: the folder shared/scans/flavour is not beside this checkout")
        return
    used = read_scan(SCAN / "train.h5")
    held = read_scan(SCAN / "holdout.h5", used.parameters)
    chosen = sys.argv[1:] or list(CASES)
    print(f"{'surrogate':<24} {'rms pull':>9} {'pull width':>10} {'rel. error':>10} {'CPU s':>7}")
    for name in chosen:
        start = time.process_time()
        surrogate = train(jax.random.key(1), used, CASES[name])
        seconds = time.process_time() - start
        found = evaluate(surrogate, held)
        print(
            f"{name:<24} {found.rms_pull:9.2f} {found.pull_width:10.3f} {found.relative_error:10.4f} {seconds:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
