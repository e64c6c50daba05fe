"""Closure of a tune: is the truth inside the quoted errors as often as it should be?

The generator is run at points that are not in the scan; each run is taken as data and fitted with the card's surrogate.
See README.md beside this file.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from sbitune.data.histograms import Histograms
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.config import FitConfig
from sbitune.fitting.minimiser import fit
from sbitune.fitting.problem import Measured, Problem
from sbitune.tuning.card import LoadedCard, load_card
from sbitune.tuning.line import train_stage
from sbitune.tuning.matching import match
from sbitune.tuning.scanning import check, make_scan
from sbitune.tuning.validation import read_on, run_points

#: part of every range, around its middle, in which the truths lie
INSIDE = 0.8


def truths(loaded: LoadedCard, n: int, seed: int) -> np.ndarray:
    """(n, n_parameters) points spread evenly over the inner part of the box."""
    parameters = loaded.card.parameters.values()
    low, high = (np.array([getattr(p, end) for p in parameters]) for end in ("low", "high"))
    u = 0.5 + INSIDE * (np.random.default_rng(seed).random((n, len(low))) - 0.5)
    return low + u * (high - low)


def as_data(measured: Measured, run: Histograms) -> Measured:
    """The run in place of the measurement: its values and Monte Carlo errors, unit weights."""
    # a bin without entries quotes no error: that of one entry is the best guess, and the largest among the filled
    filled = run.errors > 0
    noise = np.where(filled, run.errors, np.max(run.errors[filled]))
    n = len(run.values)
    zero = np.zeros(n)
    return replace(measured, values=run.values, errors=zero, noise=noise, shifts=np.zeros((0, n)), weights=np.ones(n))


def closure(loaded: LoadedCard, n: int, events: int, seed: int, reporter: Reporter = QUIET) -> dict:
    """Fit `n` pseudo-data sets of `events` events; gives the pulls and what they amount to."""
    card = replace_events(loaded, events)
    _, reference = check(card)
    scan = make_scan(loaded, reporter)
    surrogate = train_stage(loaded, scan, reporter)
    matched = match(scan, reference, loaded.rules())
    measured = matched.measured
    points = truths(loaded, n, seed)
    files = run_points(
        card, list(card.card.parameters), {f"closure-{i:03d}": theta for i, theta in enumerate(points)}, reporter
    )
    pulls, chi2 = [], []
    for theta, path in zip(points, files.values(), strict=True):
        data = as_data(measured, read_on(path, measured.bins))
        tune = fit(Problem(surrogate, data, correlation=matched.correlation), FitConfig(starts=2, minos=False))
        pulls.append((tune.values - theta) / tune.errors)
        chi2.append(tune.chi2 / tune.ndf)
    return summary(np.array(pulls), np.array(chi2), list(loaded.card.parameters), events)


def replace_events(loaded: LoadedCard, events: int) -> LoadedCard:
    """The card with `events` in one run at every point."""
    import msgspec

    validation = msgspec.structs.replace(loaded.card.validation, events=events, split=1)
    return LoadedCard(msgspec.structs.replace(loaded.card, validation=validation), loaded.path)


def summary(pulls: np.ndarray, chi2: np.ndarray, names: list[str], events: int) -> dict:
    """Coverage, bias and width of pulls (n_points, n_parameters), each with its own error where it is simple."""
    n = len(pulls)
    return {
        "points": n,
        "events": events,
        "coverage68": float(np.mean(np.abs(pulls) < 1.0)),
        "coverage95": float(np.mean(np.abs(pulls) < 1.959964)),
        "pull_mean": dict(zip(names, pulls.mean(0).round(3).tolist(), strict=True)),
        "pull_width": dict(zip(names, np.sqrt((pulls**2).mean(0)).round(3).tolist(), strict=True)),
        "pull_width_all": float(np.sqrt(np.mean(pulls**2))),
        "expected_error_of_width": float(1 / np.sqrt(2 * n)),
        "chi2_per_ndf": float(chi2.mean()),
        "pulls": pulls.round(3).tolist(),
    }


def main(arguments: list[str] | None = None) -> dict:
    """Run the study and print its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--card", default=Path(__file__).resolve().parents[2] / "tunes" / "lep")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    found = closure(load_card(options.card), options.points, options.events, options.seed)
    text = json.dumps(found, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)
    return found


if __name__ == "__main__":
    main()
