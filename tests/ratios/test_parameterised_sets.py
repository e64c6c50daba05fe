"""Learned ratios of events with sets of particles beside columns: closed forms, storage, refusals, fits."""

import jax
import msgspec
import numpy as np
import pytest

from sbitune.data.errors import InputError
from sbitune.data.events import Events, from_counts
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.learning.sets.config import KINDS, SetConfig
from sbitune.learning.sets.scaling import SetEvents, set_scaling
from sbitune.ratios.parameterised.config import RatioConfig, RatioTraining
from sbitune.ratios.parameterised.judgement import Gain
from sbitune.ratios.parameterised.kinds.kind import Inputs, NetworkConfig, SetScales
from sbitune.ratios.parameterised.kinds.registry import builder_of
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.parameterised.normalisation import means_of_ratio, normalise
from sbitune.ratios.parameterised.ratio import LearnedRatio, TrainingRecord
from sbitune.ratios.parameterised.samples import RatioEvents, events_for_ratio
from sbitune.ratios.parameterised.scaling import Scaling
from sbitune.ratios.parameterised.storage import FORMAT, FORMAT_VERSION, load_ratio, save_ratio
from sbitune.ratios.parameterised.training import train_ratio

KEY = jax.random.key(3)
PARAMETERS = (Parameter("shift", -0.5, 0.5), Parameter("y0", -1.0, 1.0))
SETS = (("p", "q"),)
CONFIG = RatioConfig(
    network=NetworkConfig(hidden=(8,), hidden_theta=(8,), features=3, sets=SetConfig(width=4, hidden=(8,))),
    members=1,
    training=RatioTraining(epochs=15, batch_size=256, learning_rate=2e-2, patience=15),
)


def draw(seed: int, n: int, at: tuple[float, float] | None = None) -> Events:
    """Some 5 particles N(shift, 1) x N(0, 1), and y ~ N(y0, 1); theta from the box, or at a point."""
    random = np.random.default_rng(seed)
    theta = random.uniform(-1, 1, (n, 2)) * [0.5, 1.0] if at is None else np.tile(np.array(at), (n, 1))
    counts = random.poisson(5.0, n)
    p = random.normal(np.repeat(theta[:, 0], counts))
    columns = {"p": from_counts(p, counts), "q": from_counts(random.normal(size=len(p)), counts)}
    return Events.of({**columns, "y": random.normal(theta[:, 1]), "shift": theta[:, 0], "y0": theta[:, 1]})


def exact(events: Events, theta: np.ndarray) -> np.ndarray:
    """log p(x | theta) / p(x | 0)."""
    p, y = events["p"], events["y"]
    sums = np.bincount(np.repeat(np.arange(len(events)), p.counts), p.content, len(events))  # pyright: ignore
    shift, y0 = theta.T
    return shift * sums - p.counts * shift**2 / 2 + y0 * y - y0**2 / 2  # pyright: ignore


def sample(events: Events) -> RatioEvents:
    return events_for_ratio(events, ["y"], PARAMETERS, sets=SETS)


@pytest.fixture(scope="module")
def learned():
    events, reference = sample(draw(1, 8000)), sample(draw(2, 8000, (0.0, 0.0)))
    return train_ratio(KEY, events, reference, CONFIG, {"shift": 0.0, "y0": 0.0})


@pytest.fixture(scope="module")
def untrained():
    """As a training begins."""
    given = sample(draw(1, 100))
    scaling = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    box = Scaling(np.zeros(2, np.float32), np.array([0.5, 1.0], np.float32))
    scales = SetScales(*set_scaling(SetEvents(given.sets))[:2])
    networks = builder_of("factorised")(jax.random.split(KEY, 1), Inputs(scaling, box, None, scales), CONFIG.network)
    zero = np.zeros((1, 1), np.float32)
    record = TrainingRecord("binary", 100, 100, 0.0, 0.0, Gain(1.0, 0.1), zero, zero, np.zeros(1, int))
    ranges = np.tile(np.array([[-9.0], [9.0]], np.float32), 3)
    networks = jax.tree.map(np.asarray, networks)
    return LearnedRatio(CONFIG, ("y",), ("y", "p", "q"), PARAMETERS, None, ranges, networks, record, sets=SETS)


@pytest.mark.slow
def test_a_ratio_of_sets_beside_columns_is_learned(learned):
    events = draw(5, 4000)
    theta = np.stack([events["shift"], events["y0"]], axis=1)  # pyright: ignore
    truth = exact(events, theta)
    found = learned.log_ratios(events, theta)
    assert np.std(truth) > 0.8
    # one small network of 8,000 events: the sum over particles alone has a spread of .65
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.2
    assert np.abs(learned.log_ratios(events, np.zeros(2))).max() < 1e-6
    reference = sample(draw(7, 10_000, (0.0, 0.0)))
    points = np.array([[0.3, 0.5], [-0.3, -0.5]])
    means = means_of_ratio(normalise(learned, reference, order=2), reference, points)
    np.testing.assert_allclose(means.mean, 1, atol=0.05)


def test_networks_run_once_and_events_of_any_length_at_once(untrained):
    events = draw(6, 300, (0.2, 0.1))
    prepared = RatioModel(untrained).prepare(events)
    assert prepared.shape == (300, 1, 2 + 3 + 1)
    there = {"shift": 0.2, "y0": 0.1}
    found = np.asarray(RatioModel(untrained).log_intensity(there, prepared))
    assert np.std(found) > 0
    np.testing.assert_allclose(found, untrained.log_ratios(events, np.array([0.2, 0.1])), atol=2e-6)
    few = untrained.log_ratios(events.take(slice(0, 7)), np.array([0.2, 0.1]))
    np.testing.assert_allclose(few, found[:7], atol=2e-6)


def test_it_is_stored_with_its_sets_and_refused_for_others(untrained, tmp_path):
    save_ratio(tmp_path / "r.npz", untrained)
    read = load_ratio(tmp_path / "r.npz", ["y"], PARAMETERS, SETS)
    events, there = draw(8, 50, (0.1, 0.1)), np.array([0.1, 0.2])
    np.testing.assert_array_equal(read.log_ratios(events, there), untrained.log_ratios(events, there))
    assert (read.sets, read.columns, read.inputs) == (SETS, ("y",), ("y", "p", "q"))
    for words, wrong in (("of q and p", [["q", "p"]]), ("no particles", [])):
        with pytest.raises(InputError, match="learned from sets of") as caught:
            load_ratio(tmp_path / "r.npz", sets=wrong)
        assert caught.value.code == "ratio-other-columns", words
    plain = dict(events.columns)
    wrong = {
        "without": Events.of({"y": plain["y"], "p": plain["p"]}),
        "flat": Events.of({"y": plain["y"], "p": plain["y"], "q": plain["y"]}),
        "unit": Events.of({**plain, "p": from_counts(1000 * plain["p"].content, plain["p"].counts)}),  # pyright: ignore
        "array": np.zeros((5, 3)),
    }
    for name, table in wrong.items():
        with pytest.raises(InputError) as caught:
            untrained.log_ratios(table, np.zeros(2))
        assert caught.value.code == "ratio-other-columns", name
    assert (FORMAT, FORMAT_VERSION) == ("sbitune learned ratio", 2)


def test_sets_that_are_none_and_kinds_that_take_none():
    events = draw(1, 50)
    with pytest.raises(InputError, match="name it among the columns of a set"):
        events_for_ratio(events, ["p"], PARAMETERS)
    with pytest.raises(InputError, match="name it among the columns") as caught:
        events_for_ratio(events, [], PARAMETERS, sets=[["y"]])
    assert caught.value.code == "ratio-other-columns"
    with pytest.raises(InputError, match="takes too long with sets") as caught:
        train_ratio(KEY, sample(events), None, replace_kind("joint"))
    assert caught.value.code == "ratio-no-sets"
    with pytest.raises(InputError, match="deep sets, attention"):
        train_ratio(KEY, sample(events), None, replace_sets(SetConfig(kind="graph")))


def replace_kind(kind: str) -> RatioConfig:
    return RatioConfig(kind=kind, network=CONFIG.network, members=1, training=CONFIG.training)


def replace_sets(sets: SetConfig) -> RatioConfig:
    network = NetworkConfig(hidden=(8,), hidden_theta=(8,), features=3, sets=sets)
    return RatioConfig(network=network, members=1, training=CONFIG.training)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_networks_of_sets_serves(kind):
    """Without columns, against the marginal, of another kind of networks around it; with the joint score of one."""
    events = draw(1, 6000)
    p, shift = events["p"], np.asarray(events["shift"])
    sums = np.bincount(np.repeat(np.arange(len(events)), p.counts), p.content, len(events))  # pyright: ignore
    events = events.joined_with({"score": sums - p.counts * shift})  # pyright: ignore
    found = events_for_ratio(events, [], PARAMETERS, score=["score", ""], sets=SETS)
    assert np.isnan(found.score[:, 1]).all()  # pyright: ignore
    config = replace_sets(SetConfig(kind=kind, width=4, hidden=(8,), heads=2, blocks=1))
    ratio = train_ratio(KEY, found, None, msgspec.structs.replace(config, loss="cascal"))  # pyright: ignore
    theta = np.column_stack([shift, np.zeros(len(shift))])
    away = ratio.log_ratios(events, theta) - exact(events, theta)
    assert np.std(away) < 0.75 * np.std(exact(events, theta))


@pytest.mark.slow
def test_a_fit_of_sets_finds_the_truth(learned):
    data, truth = draw(11, 2000, (0.2, -0.3)), {"shift": 0.2, "y0": -0.3}
    found = fit(Product([UnbinnedEvents("data", RatioModel(learned), data)], PARAMETERS))
    # 1 / sqrt(5 x 2000) and 1 / sqrt(2000), and the error of the ratio
    for name, value, error, sigma in zip(found.names, found.values, found.errors, (0.01, 0.0224), strict=True):
        assert error == pytest.approx(sigma, rel=0.25)
        assert abs(value - truth[name]) < 5 * sigma
