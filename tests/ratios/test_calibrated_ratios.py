"""Calibration of ratios of several samples on events of its own: distorted exact ratios are mended, as a card asks."""

import json

import jax
import numpy as np
import pytest
from helpers.calling import call
from helpers.faults import refused
from helpers.mixture import draw
from helpers.mixturecard import CARD, table, write_mixture

from sbitune.data.events import write_events
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.ratios.card import load_card
from sbitune.ratios.checks.closure import calibration_curves
from sbitune.ratios.mixture.calibrated import CalibratedClasses, calibrate_classes
from sbitune.ratios.mixture.storage import load_mixture, save_mixture
from sbitune.ratios.samples import ROLES, read_samples
from sbitune.ratios.stages.training import train_stage

CENTRES = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0]])


def draw_samples(rng, n, k):
    return [rng.normal(centre, 1, (n, 2)) for centre in CENTRES[:k]]


def exact(x, fractions):
    logs = x @ CENTRES[: len(fractions)].T - (CENTRES[: len(fractions)] ** 2).sum(1) / 2
    return logs - np.log(np.exp(logs) @ fractions)[:, None]


def distorted(x, fractions):
    """What a classifier says that is too sure of itself."""
    logs = 1.6 * (x @ CENTRES[: len(fractions)].T - (CENTRES[: len(fractions)] ** 2).sum(1) / 2)
    return logs - np.log(np.exp(logs) @ fractions)[:, None]


@pytest.mark.parametrize("kind", ["isotonic", "histogram"])
@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.0, 1.0), (0.2, 0.3, 0.5)])
def test_distorted_ratios_are_mended(kind, fractions):
    rng, c = np.random.default_rng(1), np.array(fractions)
    samples = draw_samples(rng, 5000, len(c))
    found = calibrate_classes(
        kind, "abc"[: len(c)], c, [distorted(x, c) for x in samples], [np.ones(len(x)) for x in samples]
    )
    x = np.concatenate(draw_samples(rng, 2000, len(c)))
    with double_precision():
        mended = np.asarray(found(distorted(x, c), c))
    before, after = (np.sqrt(np.mean((logs - exact(x, c)) ** 2)) for logs in (distorted(x, c), mended))
    assert after < 0.4 * before
    # mean ratios over the reference, of other events
    reference = np.concatenate([np.full(2000, part / 2000) for part in c])
    error = np.sqrt(np.sum((reference[:, None] * (np.exp(mended) - 1)) ** 2, axis=0))
    assert np.all(np.abs(reference @ np.exp(mended) - 1) < 5 * error + 1e-9)
    back = CalibratedClasses.of_arrays("c.npz", kind, len(c), found.arrays())
    with double_precision():
        np.testing.assert_array_equal(np.asarray(back(distorted(x, c), c)), mended)


def test_too_few_events_are_refused_before_anything_is_learned(tmp_path):
    place = write_mixture(tmp_path / "card", n=600)
    (place / "card.yaml").write_text(CARD + "calibration: isotonic\n")
    with refused("calibration-few-events", ": 90 effective events", "`split.calibration` (0.15)"):
        read_samples(load_card(place))
    (place / "card.yaml").write_text(CARD + "calibration: isotonic\nratio_error: nuisances\n")
    with refused("ratios-calibration-floating", "let their error be `propagated`"):
        load_card(place)


def test_events_that_calibrate_do_nothing_else(tmp_path):
    place = write_mixture(tmp_path / "card", n=1200)
    groups = np.arange(1200) // 4
    for name in ("signal", "background"):
        write_events(place / f"{name}.npz", table(draw(np.random.default_rng(1), 1200, 0), groups=groups))
    (place / "card.yaml").write_text(CARD + "calibration: histogram\n")
    for sample in read_samples(load_card(place)).nominal.values():
        shares = np.bincount(sample.role, minlength=len(ROLES)) / 1200
        np.testing.assert_allclose(shares, [0.35, 0.15, 0.35, 0.15], atol=0.01)
        assert all(len(set(sample.role[groups == group])) == 1 for group in range(300))


@pytest.mark.slow
def test_a_card_calibrates(tmp_path):
    place = write_mixture(tmp_path / "card", n=3000)
    text = CARD.replace("epochs: 6", "epochs: 3").replace("toys: 20", "toys: 0")
    first, last = text.index("    responses:"), text.index("network:")
    text = text[:first] + text[last:]
    text = text.replace("  nu: {low: -2, high: 2, measured: {error: 1}}\n", "")
    (place / "card.yaml").write_text(text + "calibration: histogram\n")
    figures = json.loads(call("infer", place, "--json").stdout)
    assert figures["parameters"]["mu"]["error"] == pytest.approx(0.329, rel=0.35)
    assert 0 < figures["parameters"]["mu"]["ratio_error"] < 0.5
    mixture = train_stage(load_card(place)).mixture
    assert mixture.ratios.calibrated is not None
    save_mixture(tmp_path / "m.npz", mixture)
    x = draw(np.random.default_rng(2), 20, 20)
    again = load_mixture(tmp_path / "m.npz").prepare(x)
    for ours, theirs in zip(mixture.prepare(x), again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # of what the networks say, ratios as JAX traces them are those that were prepared
    assert mixture.ratios.combined is not None
    with double_precision():
        traced = jax.jit(mixture.ratios.of_outputs)(mixture.ratios.combined.outputs(x.astype(np.float32)))
        np.testing.assert_allclose(np.asarray(traced), np.stack(again, axis=1), atol=1e-5)
    curve, other = calibration_curves(mixture.ratios, mixture.held)
    assert (curve.sample, other.sample) == ("signal", "background")
    assert curve.p_value > 1e-4
    assert "calibrate" in (place / "report.html").read_text()
