"""A kind that is defined in the tests alone goes through everything; one that nobody knows goes nowhere."""

from pathlib import Path

import jax
import msgspec
import numpy as np
import pytest
from helpers.linekind import LineConfig, LineKind, LineSurrogate, registered

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.report.tune.write import write_report
from sbitune.tuning.card import LoadedCard, load_card
from sbitune.tuning.checks.closure import closure
from sbitune.tuning.checks.run_requirements import check_run_requirements
from sbitune.tuning.stages.fitstage import fit_stage
from sbitune.tuning.stages.training import train_stage
from sbitune.tuning.studies.sequential import propose_next
from sbitune.tuning.surrogates import registry
from sbitune.tuning.surrogates.choice.choice import choose, retraining
from sbitune.tuning.surrogates.choice.config import AutoConfig
from sbitune.tuning.surrogates.description import describe, in_words
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.heldout.inflation import inflate
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.storage import load_surrogate, save_surrogate
from sbitune.tuning.surrogates.training import train
from sbitune.workflow.runs.scanning import make_scan

PARAMETERS = (Parameter("a", 0.0, 2.0, 1.0), Parameter("b", -1.0, 1.0, 0.0))
SLOPES = np.array([[0.5, 0.2, -0.3, 0.4, 0.1, -0.2, 0.3, 0.6], [0.1, -0.4, 0.2, 0.5, -0.3, 0.4, 0.2, -0.1]])
TUNE = np.array([1.3, 0.4])
NOISE = 0.02
CARD = """
title: straight bins
scan: {directory: scan.npz}
reference: [data.yoda]
observables: {/LINE: 1}
fit: {toys: 20, starts: 2}
"""


def contents(theta: np.ndarray) -> np.ndarray:
    return 3 + theta @ SLOPES


def straight_scan(n_runs: int, seed: int) -> Scan:
    random = np.random.default_rng(seed)
    theta = random.uniform([0, -1], [2, 1], (n_runs, 2))
    exact = contents(theta)
    place = np.arange(8)
    bins = Bins(np.full(8, "/LINE/d01-x01-y01"), place, place + 0.0, place + 1.0)
    values = exact + NOISE * random.normal(size=exact.shape)
    return Scan(PARAMETERS, theta, values, np.full(exact.shape, NOISE), bins, tuple(f"{i:03d}" for i in range(n_runs)))


@pytest.fixture
def kind():
    with registered() as known:
        yield known


@pytest.fixture(scope="module")
def scan() -> Scan:
    return straight_scan(40, 1)


def card_in(directory: Path, scan: Scan) -> LoadedCard:
    """A card whose surrogate is the kind of the tests: cards in files know those of sbitune."""
    scan.save(directory / "scan.npz")
    points = np.stack([np.arange(8) + 0.5, contents(TUNE)], axis=1)
    error = np.tile([0.5, 0.01], (8, 1))
    data = yoda.Scatter("/REF/LINE/d01-x01-y01", points, error, error, annotations={"IsRef": "1"})
    yoda.write(directory / "data.yoda", [data])
    (directory / "card.yaml").write_text(CARD)
    loaded = load_card(directory)
    return msgspec.structs.replace(loaded, card=msgspec.structs.replace(loaded.card, surrogate=LineConfig()))


def test_it_is_trained_judged_fitted_and_shown(kind: LineKind, scan: Scan, tmp_path: Path) -> None:
    loaded = card_in(tmp_path, scan)
    made = make_scan(loaded)
    surrogate = train_stage(loaded, made)
    assert isinstance(surrogate, LineSurrogate)
    assert isinstance(train_stage(loaded, made), LineSurrogate)  # read from work/
    fitted = fit_stage(loaded, made, surrogate)
    assert fitted.record.surrogate["kind"] == "line"
    errors = np.array([p.error for p in fitted.record.parameters.values()])
    np.testing.assert_array_less(np.abs(fitted.theta - TUNE), 4 * errors)
    assert fitted.record.closure
    proposal = propose_next(fitted, 3, 1)
    assert proposal.points.shape == (3, 2)
    page = write_report(fitted).read_text()
    assert "straight lines of 3 terms for every bin" in page
    assert "named in the card" in page


def test_closure_finds_its_errors_true(kind: LineKind, scan: Scan) -> None:
    surrogate = train(jax.random.key(1), scan, LineConfig())
    found = closure(surrogate, straight_scan(12, 2), thorough=False).figures()
    assert found["pull_width"] == pytest.approx(1, abs=0.35)


def test_the_automatic_choice_tries_it_and_takes_it_where_it_is_the_simplest(kind: LineKind, scan: Scan) -> None:
    config = AutoConfig(
        good=50.0,
        polynomial=PolynomialConfig(max_order=1, folds=2),
        gaussian=GaussianConfig(groups=1),
        rational=RationalConfig(numerator=1, denominator=1),
    )
    choice = choose(jax.random.key(1), scan, config)
    assert choice.config == LineConfig()
    assert len(choice.scores) == 5
    assert retraining(jax.random.key(1), config, choice.scores[0].name)[1] == choice.config


def test_a_file_keeps_it(kind: LineKind, scan: Scan, tmp_path: Path) -> None:
    surrogate = train(jax.random.key(1), scan, LineConfig())
    save_surrogate(tmp_path / "line.npz", surrogate, scan.runs)
    back = load_surrogate(tmp_path / "line.npz")
    for mine, its in zip(back.predict_many(scan.theta), surrogate.predict_many(scan.theta), strict=True):
        assert mine.tobytes() == its.tobytes()


def test_another_version_of_its_arrays_is_refused(kind: LineKind, scan: Scan, tmp_path: Path, monkeypatch) -> None:
    surrogate = train(jax.random.key(1), scan, LineConfig())
    save_surrogate(tmp_path / "one.npz", surrogate)
    monkeypatch.setattr(LineSurrogate, "version", 2)
    with pytest.raises(InputError, match=r"one\.npz.*version 1 of the kind 'line', expected 2; train"):
        load_surrogate(tmp_path / "one.npz")
    save_surrogate(tmp_path / "two.npz", surrogate)
    assert isinstance(load_surrogate(tmp_path / "two.npz"), LineSurrogate)


def test_runs_must_be_enough_for_any_kind() -> None:
    check_run_requirements(LineConfig(), 4, 2, "card.yaml:3: scan.runs")
    with pytest.raises(InputError, match=r"card\.yaml:3: scan\.runs: 3 runs are too few to learn 2 parameters from"):
        check_run_requirements(LineConfig(), 3, 2, "card.yaml:3: scan.runs")


def test_an_unknown_kind_is_named_wherever_it_comes(scan: Scan, tmp_path: Path) -> None:
    unknown = "unknown kind of surrogate 'line'; known are polynomial, gaussian, rational, network"
    with pytest.raises(InputError, match=unknown):
        train(jax.random.key(1), scan, LineConfig())
    with registered():
        surrogate = train(jax.random.key(1), scan, LineConfig())
        save_surrogate(tmp_path / "line.npz", surrogate)
    with pytest.raises(InputError, match=unknown):
        save_surrogate(tmp_path / "again.npz", surrogate)
    assert not (tmp_path / "again.npz").exists()
    with pytest.raises(InputError, match=rf"line\.npz.*{unknown}"):
        load_surrogate(tmp_path / "line.npz")
    with pytest.raises(InputError, match=unknown):
        in_words(describe(surrogate))


def test_what_cannot_be_widened_is_named() -> None:
    class Stiff:
        pass

    with pytest.raises(InputError, match="Stiff: an unknown kind of surrogate"):
        inflate(Stiff(), 2.0)  # pyright: ignore[reportArgumentType]


def test_a_name_that_is_taken_is_refused(kind: LineKind) -> None:
    with pytest.raises(InputError, match="a kind of surrogate 'line' is known already"):
        registry.register(LineKind())
