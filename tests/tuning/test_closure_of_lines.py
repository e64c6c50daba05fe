"""Closure tells errors that are true, half or double, of runs that are held out alone and through the whole line.

Through card, training with closure and fit: runs whose stated Monte Carlo errors are true, half or double:
errors that are too large are told. Those that are too small are taken for what the surrogate misses: nothing else makes
runs scatter by more than their errors. Then the errors of the tune come out too large and never too small, closure
agrees, and the distance of held-out runs in units of their own errors says what was found.
"""

import jax
import numpy as np
import pytest
from helpers import linearline

from sbitune.tuning.checks.closure import closure
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train
from sbitune.tuning.verdict import find_checks


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return tuned(tmp_path_factory.mktemp("exact"), 1.0)


def tuned(directory, stated):
    scan = linearline.make_scan(stated=stated)
    errors = np.full(linearline.N_BINS, linearline.ERROR)
    return tune(linearline.write(directory, scan, linearline.measure(), errors)).record


def failed(record):
    return {check.name for check in find_checks(record) if check.outcome == "failed"}


def errors_of(record):
    return np.array([p.error for p in record.parameters.values()])


@pytest.mark.slow
def test_nothing_speaks_against_errors_that_are_true(exact):
    closure = exact.closure
    assert closure["fits"] == 24
    assert closure["warnings"] == []
    assert abs(closure["coverage68"] - 0.683) < 3 * closure["coverage68_error"]
    assert abs(closure["pull_width"] - 1) < 3 * closure["pull_width_error"]
    assert exact.choice[0]["rms_pull"] == pytest.approx(1, abs=0.1)
    assert exact.choice[0]["pull_width"] == pytest.approx(1, abs=0.1)
    assert failed(exact) == set()
    assert exact.verdict.startswith("nothing speaks against this tune and its errors as far as they were checked")
    values = np.array([p.value for p in exact.parameters.values()])
    assert np.all(np.abs(values - linearline.TRUTH) < 3 * errors_of(exact))


@pytest.mark.slow
def test_errors_that_are_too_large_are_told(exact, tmp_path):
    record = tuned(tmp_path, 2.0)
    assert record.closure["coverage68"] > 0.9
    assert record.closure["pull_width"] == pytest.approx(0.5, abs=0.15)
    assert any("errors are too large" in words for words in record.closure["warnings"])
    assert record.choice[0]["rms_pull"] == pytest.approx(0.5, abs=0.05)
    assert failed(record) == {"errors of the parameters", "held-out pulls"}
    assert "errors are off on held-out runs" in record.verdict


@pytest.mark.slow
def test_errors_that_are_too_small_never_make_those_of_the_tune_too_small(exact, tmp_path):
    record = tuned(tmp_path, 0.5)
    assert record.choice[0]["rms_pull"] == pytest.approx(2, abs=0.2)
    assert record.choice[0]["pull_width"] == pytest.approx(1, abs=0.1)
    assert record.closure["coverage68"] > 0.683 - 3 * record.closure["coverage68_error"]
    assert not any("too small" in words for words in record.closure["warnings"])
    assert np.all(errors_of(record) > errors_of(exact))


@pytest.mark.slow
@pytest.mark.parametrize(("claimed", "says"), [(1.0, ""), (0.5, "too small"), (2.0, "too large")])
def test_errors_of_runs_that_are_held_out_alone_are_told_apart(claimed, says):
    """The surrogate knows its own errors; those of the runs that it is judged by are claimed."""
    scan = linearline.make_scan(180, seed=2)  # of ten seeds the widths have the mean square 1.008^2
    used, held = scan.split(scan.runs[120:])
    surrogate = train(jax.random.key(1), used, PolynomialConfig(order=2))
    noise = np.full(held.values.shape, claimed * linearline.NOISE)
    figures = closure(surrogate, held, noise, thorough=False).figures()
    assert figures["failed"] == 0
    if not says:
        assert figures["coverage68"] == pytest.approx(0.683, abs=3.5 * np.sqrt(0.683 * 0.317 / 120))
        assert figures["pull_width"] == pytest.approx(1, abs=3.5 / np.sqrt(2 * 120))
        assert figures["warnings"] == []
    else:  # the surrogate's own errors, which are true, add a twentieth to the variance
        assert figures["pull_width"] == pytest.approx(1 / claimed, rel=0.25)
        assert any(says in words for words in figures["warnings"])
        assert not any({"too small": "too large", "too large": "too small"}[says] in w for w in figures["warnings"])
