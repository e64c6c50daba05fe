"""Three processes, two nuisance parameters of different kinds, rates, weights of both signs, groups, text files."""

import json

import jax
import numpy as np
import pytest
from helpers.calling import call

from sbitune.data.events import Events, write_events
from sbitune.ratios.card import load_card
from sbitune.ratios.record import read_record
from sbitune.ratios.stages.training import train_stage

CARD = """family: ratios
title: three processes
columns: [x, y]
derive: {y: z - 1}
select: x > -10
parameters:
  mu: {low: 0, high: 4}
  f: {low: 0, high: 3}
  scale: {low: -2, high: 2, measured: {error: 1}}
  shape: {low: -1, high: 1, measured: {error: 1}}
samples:
  signal: {events: signal.csv, expected: 100, scale: mu}
  wide: {events: wide.npz, expected: 300, scale: f}
  flat:
    events: flat.npz
    expected: 1000
    responses:
      scale: {kind: interpolated, down: down.npz, up: up.npz, rate: [0.9, 1.1]}
      shape: {kind: learned, order: 1, samples: [{events: a.npz, value: -1}, {events: b.npz, value: 1}]}
reference: {signal: 1, wide: 1, flat: 2}
network: {hidden: [32, 32], members: 2}
fit: {toys: 100, starts: 3}
data: data.npz
"""
N = 12_000


def events(rng, kind: str, n: int, shift: float = 0.0, tilt: float = 0.0) -> np.ndarray:
    """(n, 2): y as the card derives it. The nuisance `scale` shifts x by a quarter, `shape` tilts y of `flat`."""
    if kind == "signal":
        return rng.normal((1.0, 1.0), 0.5, (n, 2))
    if kind == "wide":
        return rng.normal((-1.0, 0.0), (1.5, 1.0), (n, 2))
    y = rng.uniform(-2, 2, 4 * n)
    y = y[rng.uniform(size=4 * n) < np.exp(0.3 * tilt * y) / np.exp(0.6 * abs(tilt))][:n]
    assert len(y) == n
    return np.column_stack([rng.normal(0.25 * shift, 1.0, n), y])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place, rng = tmp_path_factory.mktemp("three"), np.random.default_rng(3)
    (place / "card.yaml").write_text(CARD)

    def write(name, x, weights=None, groups=None):
        columns = {"x": x[:, 0], "z": x[:, 1] + 1}
        write_events(place / name, Events.of(columns, weights=weights, groups=groups))

    write("signal.csv", events(rng, "signal", N))
    wide, signs = events(rng, "wide", 2 * N), np.where(rng.uniform(size=2 * N) < 0.1, -1.0, 1.0)
    write("wide.npz", wide, signs)
    groups = np.arange(N)
    write("flat.npz", events(rng, "flat", N), groups=groups)
    for name, shift, tilt in (("down", -1, 0), ("up", 1, 0), ("a", 0, -1), ("b", 0, 1)):
        write(f"{name}.npz", events(rng, "flat", N, shift, tilt), groups=groups)
    parts = [
        ("signal", 100, 0.0),
        ("wide", 300, 0.0),
        ("flat", 1050, 0.5),
    ]  # scale = .5: 5 % more, shifted by an eighth
    write("data.npz", np.concatenate([events(rng, kind, rng.poisson(n), shift) for kind, n, shift in parts]))
    return place


@pytest.mark.slow
def test_all_of_it_is_fitted(place):
    figures = json.loads(call("infer", place, "--json").stdout)
    record = read_record(place / "result.yaml")
    for name, true in {"mu": 1.0, "f": 1.0, "scale": 0.5, "shape": 0.0}.items():
        row = figures["parameters"][name]
        assert abs(row["value"] - true) < 3.5 * np.hypot(row["error"], row["ratio_error"]), (name, row)
        assert 0 < row["ratio_error"] < row["error"]
    outcomes = {check.name: check.outcome for check in record.checks}
    for name in ("networks learnt", "reweighted events", "calibration", "mean responses", "common support"):
        assert outcomes[name] == "passed", record.warnings
    # events of one sample stand for those of another that have negative weights, and toys share what is left
    assert outcomes["simulated events"] == "failed"
    assert 2000 < record.pool["effective"] < 0.35 * 2 * N
    assert record.pool["closure"] == pytest.approx(0, abs=0.05)
    trained = train_stage(load_card(place)).record
    wide = next(row for row in trained.samples if row.name == "wide")
    assert wide.negative == pytest.approx(0.1, abs=0.01)
    assert wide.effective == pytest.approx(0.64 * 2 * N, rel=0.05)  # (1 - 2 x .1)^2 of the events
    # the rate of `scale` is log-quadratic through .9, 1 and 1.1
    mixture = train_stage(load_card(place)).mixture
    theta = {"mu": 1.0, "f": 1.0, "scale": 1.0, "shape": 0.0}
    assert float(jax.device_get(mixture.expected(theta))) == pytest.approx(100 + 300 + 1100)
    assert not mixture.normalisations[2].is_polynomial  # of two nuisance parameters
    profile = json.loads(call("profile", place, "shape", "--points", "3", "--json").stdout)
    assert min(profile["profile"].values()) < 0.1
