"""Sequential design: how many events does a precision cost, with proposed runs and with a plain Sobol scan?

See README.md beside this file.
"""

import argparse
import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np
from scipy.optimize import least_squares

from sbitune.data.formats.professor import Reading, collect
from sbitune.data.histograms import Histograms
from sbitune.data.parameter import parameter_box
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.generators.campaigns.campaign import run_campaign
from sbitune.generators.campaigns.runs import fingerprint
from sbitune.tuning.card import LoadedCard, load_card
from sbitune.tuning.checks.validation import read_on, run_points
from sbitune.tuning.record.result import read_record
from sbitune.tuning.stages.matching import match
from sbitune.tuning.studies.information_gain import Lever, make_lever, surrogate_share
from sbitune.tuning.studies.sequential import posterior_points, propose
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.training import train
from sbitune.workflow.runs.checking import check
from sbitune.workflow.runs.tasks import design, means, tasks_at

KINDS = {"gaussian": GaussianConfig(), "polynomial": PolynomialConfig(scale="log")}
#: makes runs at points (n, n_parameters), numbered from the second argument on; `True`: they are of the card's design
Make = Callable[[np.ndarray, int, bool], Scan]


class Stage(NamedTuple):
    """A scan, what it taught, and the fit."""

    scan: Scan
    problem: BinnedProblem
    values: np.ndarray  #: (n_parameters,) the tune
    covariance: np.ndarray  #: (n_parameters, n_parameters)


class Sizes(NamedTuple):
    """Numbers of runs."""

    start: int  #: of the first scan
    batch: int  #: of every proposal
    proposed: int  #: at which the proposals end
    plain: tuple[int, ...]  #: of the Sobol scans


class Study:
    """A card, its surrogate and what its runs are made with."""

    def __init__(self, loaded: LoadedCard, kind: str, seed: int) -> None:
        self.loaded, self.config, self.seed = loaded, KINDS[kind], seed
        self.parameters, self.reference = check(loaded)
        self.half = parameter_box(self.parameters)[1]

    def points(self, runs: int, seed: int | None = None) -> np.ndarray:
        """(runs, n_parameters) of the card's design, or of one with another seed."""
        scan = self.loaded.card.scan
        longer = msgspec.structs.replace(scan, runs=runs, extra=None, seed=scan.seed if seed is None else seed)
        return design(replace_scan(self.loaded, longer))

    def generate(self, workers: int | None, reporter: Reporter) -> Make:
        """Runs of the card's generator. The design's are those of the card itself; others are kept beside them."""
        loaded, card = self.loaded, self.loaded.card

        def make(points: np.ndarray, first: int, planned: bool) -> Scan:
            n = first + len(points)
            every = np.concatenate([np.zeros((first, len(self.half))), points])  # only the numbers of the others count
            tasks = tasks_at(loaded, list(card.parameters), every, [f"{i:04d}" for i in range(n)], card.scan.events)
            if not planned:
                tasks = [msgspec.structs.replace(task, name=fingerprint(task)) for task in tasks]
            where = loaded.work / ("scan" if planned else "sequential")
            how = means(card)._replace(workers=workers)
            made = run_campaign(tasks[first:], where, how, functools.partial(reporter.progress, "runs"))
            return collect(made.runs, self.parameters, Reading(loaded.rules()))

        return make

    def problem(self, scan: Scan, values: np.ndarray | None = None) -> BinnedProblem:
        """Train the surrogate of a scan, and put it beside the data, or beside `values` (n_bins,) in their place."""
        matched = match(scan, self.reference, self.loaded.rules(), self.loaded.card.fit.correlations)
        measured = matched.measured if values is None else replace(matched.measured, values=values)
        surrogate = train(jax.random.key(self.seed), scan, self.config)
        return BinnedProblem(surrogate, measured, correlation=matched.correlation)

    def stage(self, scan: Scan) -> Stage:
        """Train and fit."""
        problem = self.problem(scan)
        tune = fit(problem, FitConfig(starts=2, minos=False))
        return Stage(scan, problem, tune.values, tune.covariance)

    def propose(self, stage: Stage, n: int) -> np.ndarray:
        """(n, n_parameters) where the next runs are made."""
        key = jax.random.fold_in(jax.random.key(self.seed), len(stage.scan.runs))
        points_key, candidates_key = jax.random.split(key)
        points = posterior_points(points_key, stage.problem, stage.values, stage.covariance)
        return propose(candidates_key, stage.problem, stage.scan, points, n).points


def replace_scan(loaded: LoadedCard, scan: Any) -> LoadedCard:
    """The card with another section `scan`."""
    return LoadedCard(msgspec.structs.replace(loaded.card, scan=scan), loaded.path, loaded.lines)


def join(one: Scan, other: Scan) -> Scan:
    """Runs of both; how Monte Carlo errors move together is taken from the two in proportion to their runs."""
    n, m = len(one.runs), len(other.runs)
    correlation = one.correlation
    if correlation is not None and other.correlation is not None:
        correlation = (n * correlation + m * other.correlation) / (n + m)
    parts = [np.concatenate([getattr(s, name) for s in (one, other)]) for name in ("theta", "values", "errors")]
    return Scan(one.parameters, *parts, one.bins, tuple(f"{i:04d}" for i in range(n + m)), correlation)


def grow(
    study: Study, make: Make, sizes: Sizes, points: np.ndarray, stage: Callable[[Scan], Stage]
) -> tuple[list[Stage], list[Stage]]:
    """The stages of the plain scans (of the design's points, n_runs, n_parameters) and of the proposals."""
    every = make(points, 0, True)
    plain = [stage(every.take_runs(every.runs[:n])) for n in sizes.plain]
    at = [plain[sizes.plain.index(sizes.start)]]
    while len(at[-1].scan.runs) < sizes.proposed:
        before = at[-1]
        n = min(sizes.batch, sizes.proposed - len(before.scan.runs))
        at.append(stage(join(before.scan, make(study.propose(before, n), len(before.scan.runs), False))))
    return plain, at


class Truth(NamedTuple):
    """A run with many events at a point, and how differences from it move the tune."""

    theta: np.ndarray  #: (n_parameters,)
    run: Histograms  #: in the measured bins
    lever: Lever

    def floor(self, correlation: np.ndarray | None) -> float:
        """The shift that the run's own Monte Carlo errors amount to, rms over the parameters in half widths."""
        spread = self.lever.values * self.run.errors
        r = np.eye(spread.shape[1]) if correlation is None else correlation
        return float(np.sqrt(np.trace(spread @ r @ spread.T) / len(spread)))


def make_truth(study: Study, best: Stage, events: int, reporter: Reporter) -> Truth:
    """Run the generator at the card's tune; the lever is that of the best surrogate there is."""
    loaded = study.loaded
    parameters = read_record(loaded.output("result.yaml")).parameters
    theta = np.array([p.value for p in parameters.values()])
    validation = msgspec.structs.replace(loaded.card.validation, events=events)
    card = LoadedCard(msgspec.structs.replace(loaded.card, validation=validation), loaded.path, loaded.lines)
    files = run_points(card, list(parameters), {"sequential": theta}, reporter)
    run = read_on(files["sequential"], best.problem.measured.bins)
    return Truth(theta, run, make_lever(best.problem, theta))


def measure(study: Study, stage: Stage, truth: Truth) -> dict[str, Any]:
    """What a stage is worth; errors are rms over the parameters, in half widths of the box."""
    problem, scan = stage.problem, stage.scan
    share = surrogate_share(problem, scan, stage.values)
    mean = problem.model.predict_many(truth.theta[None]).mean[0][problem.measured.indices]
    away = mean - truth.run.values
    errors = {name: rms(np.sqrt(np.diag(part)) / study.half) for name, part in share._asdict().items()}
    return {
        "runs": len(scan.runs),
        "events": len(scan.runs) * study.loaded.card.scan.events,
        **errors,
        "shift": rms(truth.lever.values @ away),
        "bins": rms(away / problem.measured.total_errors),
    }


def rms(x: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.asarray(x) ** 2)))


def emulate(scan: Scan, surrogate: TrainedSurrogate, seed: int) -> Make:
    """Runs of a generator whose response is a surrogate's mean; they scatter as the scan's runs do around it."""
    random = np.random.default_rng(seed)
    residuals = scan.values - surrogate.predict_many(scan.theta).mean
    counts = (scan.values >= 0).all(axis=0)

    def make(points: np.ndarray, first: int, planned: bool) -> Scan:
        rows = random.integers(len(residuals), size=len(points))
        values = surrogate.predict_many(points).mean + residuals[rows]
        # one entry has an error of its size: a histogram's bin that is not empty holds no less
        values = np.where(counts, np.maximum(values, scan.errors[rows]), values)
        names = tuple(f"{first + i:04d}" for i in range(len(points)))
        return Scan(scan.parameters, points, values, scan.errors[rows], scan.bins, names, scan.correlation)

    return make


def held_fit(problem: BinnedProblem, v: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tune (n_parameters,) and its covariance with V held."""
    white = np.linalg.inv(np.linalg.cholesky(v))
    low, high = np.array([(p.low, p.high) for p in problem.parameters]).T
    measured = problem.measured

    def residuals(u: np.ndarray) -> np.ndarray:
        mean = problem.model.predict_many((low + u * (high - low))[None]).mean[0][measured.indices]
        return white @ (mean - measured.values)

    found = least_squares(residuals, (start - low) / (high - low), bounds=(0, 1), xtol=1e-6, diff_step=1e-4)
    width = np.outer(high - low, high - low)
    return low + found.x * (high - low), np.linalg.inv(found.jac.T @ found.jac) * width


def replicate(
    study: Study, best: Stage, sizes: Sizes, replicas: int, described: bool, reporter: Reporter
) -> dict[str, dict[str, float]]:
    """The study with an emulated generator, many times; gives the errors at the tune of its exact response.

    Args:
        study: the card's.
        best: whose surrogate is the generator.
        sizes: of the scans.
        replicas: scans with other points and other noise.
        described: whether the data are taken to be just what the generator gives at its tune.
        reporter: told about progress.
    """
    measured, model = best.problem.measured, best.problem.model
    own = np.asarray(model.covariance(best.values, measured.indices), float)
    v = measured.covariance(best.problem.correlation) + own
    exact = held_fit(best.problem, v, best.values)[0]
    response = model.predict_many(exact[None]).mean[0][measured.indices]
    values = response if described else None

    def stage(scan: Scan) -> Stage:
        problem = study.problem(scan, values)
        return Stage(scan, problem, *held_fit(problem, v, best.values))

    away: dict[str, list[tuple[float, float]]] = {}
    for replica in range(replicas):
        make = emulate(best.scan, model, study.seed + replica)
        plain, proposed = grow(study, make, sizes, study.points(max(sizes.plain), seed=1000 + replica), stage)
        for name, stages in (("plain", plain), ("proposed", proposed)):
            for at in stages:
                mean = at.problem.model.predict_many(exact[None]).mean[0][measured.indices]
                one = rms((at.values - exact) / study.half), rms((mean - response) / measured.total_errors)
                away.setdefault(f"{name} {len(at.scan.runs)}", []).append(one)
        reporter.progress("replicas", replica + 1, replicas)
    return {key: _spell(np.array(pairs).T) for key, pairs in away.items()}


def _spell(pairs: np.ndarray) -> dict[str, float]:
    """The rms over the replicas of tune and bins (2, n_replicas), with standard errors."""
    tune, bins = pairs
    return {"tune": rms(tune), "tune_error": mean_error(tune), "bins": rms(bins), "bins_error": mean_error(bins)}


def mean_error(x: np.ndarray) -> float:
    """Standard error of the rms of x."""
    return float((x**2).std(ddof=1) / np.sqrt(len(x)) / (2 * rms(x)))


def events_for(level: float, rows: list[dict[str, Any]], what: str) -> float | None:
    """Events at which a scan reaches a level, by lines in logarithms between its stages; None: it does not."""
    for a, b in itertools.pairwise(rows):
        if a[what] > level >= b[what]:
            at = np.interp(-np.log(level), -np.log([a[what], b[what]]), np.log([a["events"], b["events"]]))
            return float(np.exp(at))
    return None


def run_study(study: Study, make: Make, sizes: Sizes, events: int, replicas: int, tell: Reporter) -> dict[str, Any]:
    """The whole study."""
    plain, proposed = grow(study, make, sizes, study.points(max(sizes.plain)), study.stage)
    best = plain[-1]
    truth = make_truth(study, best, events, tell)
    rows = {
        "plain": [measure(study, stage, truth) for stage in plain],
        "proposed": [measure(study, stage, truth) for stage in proposed],
    }
    last = rows["proposed"][-1]
    floors = {
        "shift": truth.floor(best.problem.correlation),
        "bins": rms(truth.run.errors / best.problem.measured.total_errors),
    }
    cost = {what: events_for(last[what], rows["plain"], what) for what in ("quoted", "teachable", "shift", "bins")}
    found = rows | {"truth_events": events, "floors": floors}
    found |= {"proposed_events": last["events"], "plain_events_for_the_same": cost}
    if replicas:
        few = sizes._replace(plain=tuple(sorted({sizes.start, sizes.proposed, max(sizes.plain)})))
        found["replicas"] = replicas
        found["emulated"] = replicate(study, best, few, replicas, False, tell)
        found["emulated_described"] = replicate(study, best, few, replicas, True, tell)
    return found


def main(arguments: list[str] | None = None) -> dict:
    """Run the study and print its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--card", default=Path(__file__).resolve().parents[2] / "tunes" / "lep")
    parser.add_argument("--kind", choices=list(KINDS), default="gaussian")
    parser.add_argument("--start", type=int, default=32, help="runs of the first scan")
    parser.add_argument("--batch", type=int, default=16, help="runs of every proposal")
    parser.add_argument("--proposed", type=int, default=96, help="runs at which proposals end")
    parser.add_argument("--plain", type=int, nargs="+", default=[32, 48, 64, 96, 128, 192], help="runs of Sobol scans")
    parser.add_argument("--events", type=int, default=300_000, help="of the run at the tune that is the truth")
    parser.add_argument("--replicas", type=int, default=5, help="with an emulated generator; 0 or more than 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    plain = {options.start, options.proposed, *options.plain}
    sizes = Sizes(options.start, options.batch, options.proposed, tuple(sorted(plain)))
    study = Study(load_card(options.card), options.kind, options.seed)
    make = study.generate(options.workers, QUIET)
    found = {"kind": options.kind, "seed": options.seed}
    found |= run_study(study, make, sizes, options.events, options.replicas, QUIET)
    text = json.dumps(found, indent=1)
    if options.output:
        options.output.write_text(text + "\n")
    print(text)
    return found


if __name__ == "__main__":
    main()
