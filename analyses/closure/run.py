"""Closure of a tune: is the truth inside the quoted errors as often as it should be?

The generator is run at points that are not in the scan; each run is taken as data and fitted with the card's surrogate.
See README.md beside this file.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.coverage import collect, fit_known
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.tuning.card import LoadedCard, load_card
from sbitune.tuning.checks.closure import pseudo_data
from sbitune.tuning.checks.validation import noise_of, read_on, run_points
from sbitune.tuning.stages.matching import match
from sbitune.tuning.stages.training import train_stage
from sbitune.workflow.runs.checking import check
from sbitune.workflow.runs.scanning import make_scan

#: part of every range, around its middle, in which the truths lie
INSIDE = 0.8


def truths(loaded: LoadedCard, n: int, seed: int) -> np.ndarray:
    """(n, n_parameters) points spread evenly over the inner part of the box."""
    parameters = loaded.card.parameters.values()
    low, high = (np.array([getattr(p, end) for p in parameters]) for end in ("low", "high"))
    u = 0.5 + INSIDE * (np.random.default_rng(seed).random((n, len(low))) - 0.5)
    return low + u * (high - low)


def closure(loaded: LoadedCard, n: int, events: int, seed: int, reporter: Reporter = QUIET) -> dict:
    """Fit `n` pseudo-data sets of `events` events; gives figures as `fitting.checks.coverage`, and pulls."""
    card = replace_events(loaded, events)
    _, reference = check(card)
    scan = make_scan(loaded, reporter)
    surrogate = train_stage(loaded, scan, reporter)
    matched = match(scan, reference, loaded.rules())
    measured = matched.measured
    points = truths(loaded, n, seed)
    names = [f"closure-{i:03d}" for i in range(n)]
    files = run_points(card, list(card.card.parameters), dict(zip(names, points, strict=True)), reporter)
    fits = []
    for theta, path in zip(points, files.values(), strict=True):
        run = read_on(path, measured.bins)
        data = pseudo_data(scan.bins, measured.indices, run.values, noise_of(run, matched.scaling))
        problem = BinnedProblem(surrogate, data, correlation=matched.correlation)
        fits += fit_known(problem, theta, [data.values], thorough=True)
    found = collect(problem, names, points, fits)
    figures = (
        {"points": n, "events": events}
        | found.figures()
        | {"slopes": slopes(found.values, points, list(card.card.parameters))}
    )
    return figures | {"pulls": found.roots.round(3).tolist()}


def slopes(fitted: np.ndarray, true: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of fitted values (n, n_parameters) against true ones, with their errors: below 1 where fits are pulled to the
    middle of the box.
    """
    found = {name: stats.linregress(true[:, i], fitted[:, i]) for i, name in enumerate(names)}
    return {name: {"slope": float(line.slope), "error": float(line.stderr)} for name, line in found.items()}


def replace_events(loaded: LoadedCard, events: int) -> LoadedCard:
    """The card with `events` in one run at every point."""
    import msgspec

    validation = msgspec.structs.replace(loaded.card.validation, events=events, split=1)
    return LoadedCard(msgspec.structs.replace(loaded.card, validation=validation), loaded.path)


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
