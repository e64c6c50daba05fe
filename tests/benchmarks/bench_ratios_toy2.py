"""A signal beside a background that a nuisance parameter moves, learned from 50,000 events a class: how good it is.

Signal N((0, 0), 1), 50 events; background N((1, 1), 1), 1000 events, moved by `shift` nu along the second axis; nu ~
N(0, 1). A card's line learns ratios and response (from events at nu = -1.5, -.75, .75, 1.5, together 50,000); fitted is
what is expected at nu = 0, .5 and 1, on a grid: sigma(mu), which is .3554 for shift 1 and .3551 for .3, and how far mu
is off, in units of it, of every training. With --toys also how often intervals hold the truth.

`limit` is what these numbers of events allow: logistic regression with the true features (1, x, y; nu (1, y), nu^2) in
place of networks, all events used at once, for samples of their own: rms of what mu is off by. No network that is not
told the form of the ratio does better, and half of the events, which the line keeps from training, make it sqrt(2)
worse for what is learned from the others.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python tests/benchmarks/bench_ratios_toy2.py [--shifts 1 0.3] [--trainings 3]
        [--limit 30] [--toys 2000]
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import jax.numpy as jnp
import numpy as np
from helpers.mixture import BACKGROUND, SIGNAL, Mixture, draw

from sbitune.data.events import Events, write_events
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.newton import find_minima
from sbitune.learning.classifiers.logistic import with_ones
from sbitune.learning.sandwich import fit_with_sandwich
from sbitune.ratios.card import load_card
from sbitune.ratios.stages.training import train_stage

EVENTS, RANGE, VALUES, PLACES = 50_000, 1.5, (-1.5, -0.75, 0.75, 1.5), (0.0, 0.5, 1.0)
PARAMETERS = (Parameter("mu", 0.0, 6.0), Parameter("nu", -RANGE, RANGE))
AXIS = np.linspace(-6.0, 8.0, 113)
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), -1).reshape(-1, 2)


def expected_counts(shift, nu):
    """Of the exact density, in cells of the grid."""
    square = (AXIS[1] - AXIS[0]) ** 2 / (2 * np.pi)
    signal, background = (
        np.exp(-((GRID - middle) ** 2).sum(1) / 2) for middle in ((0.0, 0.0), np.array([1.0, 1 + shift * nu]))
    )
    return square * (SIGNAL * signal + BACKGROUND * background)


class Fits:
    """Fits of a model, compiled once."""

    def __init__(self, model):
        self.term = UnbinnedEvents("events", model, GRID.astype(np.float32), base={"mu": 1.0, "nu": 0.0})
        self.problem = Product([self.term, Constraint("nu", 0.0, 1.0)], PARAMETERS)

    def __call__(self, samples, measured):
        """Values (n, 2) and errors (n, 2) of samples of this term, with nu measured (n,)."""
        frame = self.problem.frame()
        with self.problem.computing():
            data = [(sample, np.asarray(m, float)) for sample, m in zip(samples, measured, strict=True)]
            over, start = self.problem.objective().over_data, frame.to_unit(np.array([1.0, 0.0]))
            found = find_minima(over, start, data, frame.limits, ~frame.fixed)
        inverse = np.linalg.inv(found.hessian / 2)
        return frame.to_theta(found.u), frame.half * np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))

    def asimov(self, shift):
        """Sigma(mu) at nu 0, and (mu - 1) / sigma at all places."""
        samples = [self.term.with_events(GRID.astype(np.float32), expected_counts(shift, nu)) for nu in PLACES]
        values, errors = self(samples, PLACES)
        return errors[0, 0], (values[:, 0] - 1) / errors[:, 0]

    def coverage(self, shift, n, nu=0.0):
        """Part of the intervals of toys that hold mu."""
        rng = np.random.default_rng(7)
        counts = zip(rng.poisson(SIGNAL, n), rng.poisson(BACKGROUND, n), strict=True)
        toys = [self.term.with_events(draw(rng, *pair, shift * nu).astype(np.float32)) for pair in counts]
        values, errors = self(toys, rng.normal(nu, 1.0, n))
        return np.mean(np.abs(values[:, 0] - 1) < errors[:, 0])


def write_card(folder, shift, seed):
    """Tables and a card."""
    rng = np.random.default_rng(seed)
    varied = [f"nu{i}" for i in range(len(VALUES))]
    tables = {"signal": draw(rng, EVENTS, 0), "background": draw(rng, 0, EVENTS)}
    tables |= {name: draw(rng, 0, EVENTS // len(VALUES), shift * nu) for name, nu in zip(varied, VALUES, strict=True)}
    for name, x in tables.items():
        write_events(folder / f"{name}.npz", Events.of({"x": x[:, 0], "y": x[:, 1]}))
    samples = ", ".join(f"{{events: {name}.npz, value: {nu}}}" for name, nu in zip(varied, VALUES, strict=True))
    (folder / "card.yaml").write_text(
        f"""family: ratios
title: toy 2
columns: [x, y]
seed: {seed}
parameters:
  mu: {{low: 0, high: 6}}
  nu: {{low: {-RANGE}, high: {RANGE}, measured: {{value: 0, error: 1}}}}
samples:
  signal: {{events: signal.npz, expected: {SIGNAL}, scale: mu}}
  background:
    events: background.npz
    expected: {BACKGROUND}
    responses:
      nu: {{kind: learned, samples: [{samples}]}}
"""
    )


def learned(shift, trainings, toys):
    """Print what every training is worth."""
    off = []
    for seed in range(1, trainings + 1):
        with tempfile.TemporaryDirectory() as name:
            write_card(Path(name), shift, seed)
            clock = time.process_time()
            fits = Fits(train_stage(load_card(name)).mixture)
            spent = time.process_time() - clock
        sigma, bias = fits.asimov(shift)
        off.append(bias)
        held = "" if not toys else f", coverage of {toys} toys {fits.coverage(shift, toys):.3f}"
        print(f"  training {seed}, {spent:.0f} CPU s: sigma(mu) {sigma:.4f}, off {bias.round(2)}{held}", flush=True)
    spread = np.std(off, axis=0, ddof=1).round(2) if trainings > 1 else "-"
    print(f"  mean of {trainings}: off {np.mean(off, axis=0).round(2)}, scatter {spread}")


class TrueFeatures(Mixture):
    """The exact form, with numbers (alpha: log r_s; beta: the response) that were found from events."""

    def __init__(self, shift, alpha, beta, background):
        super().__init__(shift)
        self.alpha, self.beta, self.y = alpha, beta, background[:, 1]

    def response(self, nu, y):
        """Before it is normalised."""
        return nu * (self.beta[0] + self.beta[1] * y) + nu**2 * self.beta[2]

    def log_intensity(self, theta, prepared):
        x, y = prepared
        log_z = jnp.log(jnp.mean(jnp.exp(self.response(theta["nu"], self.y))))
        signal = self.alpha[0] * x + self.alpha[1] * y + self.alpha[2]
        return jnp.log(
            SIGNAL * theta["mu"] * jnp.exp(signal) + BACKGROUND * jnp.exp(self.response(theta["nu"], y) - log_z)
        )


def regression(features, label):
    """Numbers that maximise the likelihood of labels 0 and 1."""

    def derivatives(phi):
        p = 1 / (1 + np.exp(-features @ phi))
        return features.T @ (label - p), (features * (p * (1 - p))[:, None]).T @ features, np.eye(len(phi))

    return fit_with_sandwich(np.zeros(features.shape[1]), derivatives, np.ones(len(label)))[0]


def limit(shift, repetitions):
    """Print the rms of what mu is off by."""
    rng, off = np.random.default_rng(3), []
    for _ in range(repetitions):
        signal, background = draw(rng, EVENTS, 0), draw(rng, 0, EVENTS)
        nu = rng.choice(VALUES, EVENTS)
        varied = draw(rng, 0, EVENTS)
        varied[:, 1] += shift * nu
        label = np.repeat([1.0, 0.0], EVENTS)
        alpha = regression(with_ones(np.concatenate([signal, background])), label)
        y, both = np.concatenate([varied, background])[:, 1], np.tile(nu, 2)
        beta = regression(np.column_stack([both, both * y, both**2]), label)
        off.append(Fits(TrueFeatures(shift, alpha, beta, background)).asimov(shift)[1])
    rms = np.sqrt(np.mean(np.square(off), axis=0)).round(3)
    print(f"  limit, {repetitions} samples: rms of what mu is off by {rms}", flush=True)


def main():
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shifts", type=float, nargs="+", default=[1.0, 0.3])
    parser.add_argument("--trainings", type=int, default=3)
    parser.add_argument("--limit", type=int, default=30)
    parser.add_argument("--toys", type=int, default=0)
    options = parser.parse_args()
    for shift in options.shifts:
        print(f"shift {shift:g}, at nu {PLACES}, in units of sigma(mu)")
        if options.limit:
            limit(shift, options.limit)
        if options.trainings:
            learned(shift, options.trainings, options.toys)


if __name__ == "__main__":
    main()
