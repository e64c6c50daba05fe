"""Learned ratios: how good they are, what they refuse; normalised, on disk, and in a fit."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from helpers.ratiotoys import Peaks, Shifted, rms_of
from scipy import stats

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.events import Events
from sbitune.data.parameter import Parameter
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.fitting.checks.coverage import collect
from sbitune.fitting.checks.known_fits import fit_known
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.ratios.parameterised.combination.errors import ratio_covariance
from sbitune.ratios.parameterised.config import RatioConfig, RatioTraining
from sbitune.ratios.parameterised.correction import Correction
from sbitune.ratios.parameterised.kinds.kind import NetworkConfig
from sbitune.ratios.parameterised.losses.binary import Binary
from sbitune.ratios.parameterised.losses.contrastive import Contrastive
from sbitune.ratios.parameterised.losses.registry import loss_of
from sbitune.ratios.parameterised.model import RatioModel
from sbitune.ratios.parameterised.normalisation import means_along, means_of_ratio, normalise
from sbitune.ratios.parameterised.samples import RatioEvents, events_for_ratio
from sbitune.ratios.parameterised.storage import FORMAT, FORMAT_VERSION, load_ratio, save_ratio
from sbitune.ratios.parameterised.training import train_ratio

KEY = jax.random.key(3)
TOY = Shifted(2)
CONFIG = RatioConfig(
    network=NetworkConfig(hidden=(8,), hidden_theta=(8,), features=2),
    members=2,
    training=RatioTraining(epochs=12, batch_size=128, learning_rate=2e-2, patience=12),
)


@pytest.fixture(scope="module")
def learned():
    return train_ratio(KEY, TOY.sample(1, 6000), TOY.sample(2, 5000, reference=True), CONFIG, TOY.point())


@pytest.fixture(scope="module")
def reference() -> RatioEvents:
    return TOY.sample(7, 20_000, reference=True)


def test_a_ratio_is_learned(learned):
    # 25 numbers at most are learned of 6,000 events: some .05 each
    assert rms_of(learned, TOY) < 0.12
    assert learned.record.n_events == 6000
    assert learned.record.negative == 0
    assert learned.record.validation.shape[1] == 2


def test_networks_that_learned_nothing_are_refused(learned):
    assert learned.record.gain.mean > 8 * learned.record.gain.error
    other = replace(TOY.sample(1, 6000), x=TOY.sample(6, 6000, reference=True).x)
    with pytest.raises(ComputationError, match="nothing was learned"):
        train_ratio(KEY, other, TOY.sample(2, 5000, reference=True), CONFIG, TOY.point())


def test_networks_of_x_run_when_events_are_prepared_and_the_dot_product_is_the_ratio(learned):
    model = RatioModel(learned)
    x = TOY.sample(5, 300, reference=True).x
    prepared = model.prepare(x)
    theta = {"mean0": 0.4, "mean1": -0.7}
    with double_precision():
        found = jax.jit(model.log_intensity)(theta, jnp.asarray(prepared))
        assert found.dtype == jnp.float64
    found = np.asarray(found)
    np.testing.assert_allclose(found, learned.log_ratios(x, np.array([0.4, -0.7])), atol=2e-5)
    counted = RatioModel(learned, number=lambda p: 100 * (1 + p["mean0"]), precision=np.float32)
    assert counted.expected(theta) == pytest.approx(140)
    single = jax.jit(counted.log_intensity)(theta, counted.prepare(x))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, np.asarray(found) + np.log(140), atol=2e-5)
    named = {"x1": x[:, 1], "other": x[:, 0] * 0, "x0": x[:, 0]}  # columns are found by their names
    np.testing.assert_array_equal(model.prepare(named), prepared)


def test_theta_outside_of_the_range_is_refused_unless_asked_for(learned):
    model = RatioModel(learned)
    with pytest.raises(InputError, match="learned from -1 to 1") as caught:
        model.log_intensity({"mean0": 1.2, "mean1": 0.0}, model.prepare(np.zeros((2, 2))))
    assert caught.value.code == "ratio-no-extrapolation"
    with pytest.raises(InputError) as caught:
        learned.log_ratios(np.zeros((2, 2)), np.array([0.0, -1.3]))
    assert caught.value.code == "ratio-no-extrapolation"
    assert np.isfinite(learned.log_ratios(np.zeros((2, 2)), np.array([0.0, -1.3]), extrapolate=True)).all()
    wide = [Parameter("mean0", -2.0, 2.0), Parameter("mean1", -1.0, 1.0)]
    x = TOY.sample(5, 50, reference=True).x
    with pytest.raises(InputError, match="known between -1 and 1 only"):
        Product([UnbinnedEvents("events", model, x)], wide)
    assert Product([UnbinnedEvents("events", RatioModel(learned, extrapolate=True), x)], wide).ndf == 1


def test_other_columns_and_units_are_refused(learned):
    x = TOY.sample(5, 50, reference=True).x
    for given, says in (
        ({"x0": x[:, 0], "y": x[:, 1]}, "learned from x0, x1"),
        (x[:, :1], "expected finite numbers"),
        (x * np.nan, "expected finite numbers"),
        ({"x0": x[:, 0], "x1": 1000 * x[:, 1]}, "in the same unit\\?"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            RatioModel(learned).prepare(given)
        assert caught.value.code == "ratio-other-columns"


def test_the_error_of_a_ratio_that_was_not_combined_is_refused(learned):
    model = RatioModel(learned)
    problem = Product([UnbinnedEvents("events", model, TOY.sample(5, 50, reference=True).x)], TOY.parameters)
    nominal = Fit(parameters=TOY.parameters, values=np.zeros(2), covariance=np.eye(2), minos={}, minimum=0.0,
                  free=("mean0", "mean1"), at_limit=(), starts=(), edm=0.0, calls=0, hesse_difference=0.0)  # fmt: skip
    with pytest.raises(InputError, match="call `combine_members`") as caught:
        ratio_covariance(model, problem, nominal)
    assert caught.value.code == "ratio-not-combined"


def test_a_ratio_read_back_answers_with_the_same_bits(learned, reference, tmp_path):
    x, theta = reference.x[:100], np.array([0.3, -0.8])
    powers, numbers = np.array([[1, 0], [0, 2]]), np.array([0.1, 0.2])
    correction = Correction(powers, numbers, np.array([0.1, 0.1]), 2, np.eye(2), np.zeros((2, 0)))
    slope = jax.jit(jax.jacfwd(jax.grad(correction.at)))(jnp.zeros(2))  # a power has no derivatives at 0
    np.testing.assert_allclose(slope, [[0, 0], [0, 0.4]], rtol=1e-6)
    for ratio in (learned, replace(learned, correction=correction)):
        save_ratio(tmp_path / "ratio.npz", ratio)
        again = load_ratio(tmp_path / "ratio.npz", TOY.columns, TOY.parameters)
        np.testing.assert_array_equal(again.log_ratios(x, theta), ratio.log_ratios(x, theta))
        np.testing.assert_array_equal(again.record.validation, learned.record.validation)
        assert (again.record.n_events, again.config, again.inputs) == (6000, CONFIG, TOY.columns)


def test_files_of_other_columns_orders_units_and_contents_are_refused(learned, tmp_path):
    path = tmp_path / "ratio.npz"
    save_ratio(path, learned)
    first, second = TOY.parameters
    for columns, parameters in (
        (TOY.columns[::-1], None),
        (None, (second, first)),
        (None, (first, Parameter("mean1", -1.0, 1.0, unit="GeV"))),
        (None, (first,)),
    ):
        with pytest.raises(InputError, match="learned f") as caught:
            load_ratio(path, columns, parameters)
        assert caught.value.code == "ratio-other-columns"
    meta, arrays = read_stored(path, FORMAT, FORMAT_VERSION)
    arrays["weights_0"] = arrays["weights_0"] + np.float32(1e-6)
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays)
    with pytest.raises(InputError, match="not those that were written"):
        load_ratio(path)
    write_stored(path, FORMAT, FORMAT_VERSION + 1, meta, arrays)
    with pytest.raises(InputError, match=f"format version {FORMAT_VERSION + 1}"):
        load_ratio(path)


@pytest.mark.slow
def test_a_normalised_ratio_has_the_mean_1_within_its_error(learned, reference):
    """Of a ratio whose c(theta) is off by as much as .6 at the ends."""
    wrong = learned.networks.quadratic + np.float32(0.2)
    off = replace(learned, networks=replace(learned.networks, quadratic=wrong))
    found = normalise(off, reference, order=3)
    assert found.correction.n_kept > 0
    theta = np.random.default_rng(3).uniform(-1, 1, (20, 2))
    other = TOY.sample(8, 20_000, reference=True)
    before, after = (means_of_ratio(ratio, other, theta) for ratio in (off, found))
    assert np.abs(before.mean - 1).max() > 0.3
    # either sample has an error, and the polynomial cannot follow the networks everywhere
    assert (np.abs(after.mean - 1) < 4 * np.sqrt(2) * after.error + 0.03).all()
    exact = np.exp((theta**2).sum(axis=1)) - 1  # variance of the true ratio
    np.testing.assert_allclose(after.error, np.sqrt(exact / 20_000), rtol=0.25)
    along = means_along(found, other, n=3)
    assert list(along) == ["mean0", "mean1"]
    np.testing.assert_allclose(along["mean0"].theta[:, 0], [-1, 0, 1])
    assert along["mean0"].mean[1] == pytest.approx(1, abs=1e-12)  # the reference
    assert np.abs(found.log_ratios(other.x[:5], np.zeros(2))).max() == 0


@pytest.mark.slow
def test_only_what_is_larger_than_its_error_is_corrected(learned):
    """A polynomial of nine terms cannot be found from 60 events; one that is off by 1 at an end is seen."""
    off = replace(learned, networks=replace(learned.networks, quadratic=learned.networks.quadratic + np.float32(0.2)))
    theta = np.array([[1.0, 1.0], [-0.5, 1.0]])
    few, many = (TOY.sample(9, n, reference=True) for n in (60, 20_000))
    little, much = normalise(learned, few, order=3), normalise(off, many, order=3)
    assert little.correction.n_kept <= 5
    assert (little.correction.errors > 0).all()
    assert np.asarray(much.log_mean(theta)) == pytest.approx(0.2 * np.array([5.0, 1.25 - 0.5 + 1 - 0.5]), abs=0.25)


@pytest.mark.slow
def test_pulls_of_fits_with_a_learned_ratio():
    """1,000 events of the true density in each fit: the error of the ratio is small beside that of the data."""
    config = RatioConfig(members=1, network=NetworkConfig(hidden=(32, 32), features=4))
    learned = train_ratio(KEY, TOY.sample(21, 50_000), TOY.sample(22, 50_000, reference=True), config, TOY.point())
    ratio = normalise(learned, TOY.sample(23, 200_000, reference=True))
    truth, rng = np.array([0.3, 0.0]), np.random.default_rng(11)
    draw = [np.stack(list(TOY.draw(rng, 1000, truth).columns.values()), axis=1) for _ in range(64)]
    term = UnbinnedEvents("events", RatioModel(ratio), draw[0])
    problem = Product([term], TOY.parameters)
    exact = np.array([x.mean(axis=0) for x in draw])
    one = fit(problem)
    assert one.values == pytest.approx(exact[0], abs=0.5 / np.sqrt(1000))
    assert one.errors == pytest.approx([1 / np.sqrt(1000)] * 2, rel=0.05)
    fits = fit_known(problem, truth, [(term.with_events(x),) for x in draw], thorough=False, spread=False)
    found = collect(problem, [str(i) for i in range(64)], np.tile(truth, (64, 1)), fits)
    away = (found.values - exact) * np.sqrt(1000)  # of the exact fit of the same events, in errors
    assert np.abs(away.mean(axis=0)).max() < 0.5
    assert away.std(axis=0).max() < 0.1
    # 1 / sqrt(2 * 128) = .06 and the bias above, added in squares
    assert 0.82 < found.total_width < 1.3


@pytest.mark.slow
def test_what_a_simulator_knows_makes_a_better_ratio_of_as_many_events():
    """Half of the variance is that of a history, which the simulator knows; d = 3, 8,000 events of each."""
    toy = Shifted(3, share=0.5)
    events, reference = toy.sample(1, 8000, truth=True), toy.sample(2, 8000, reference=True, truth=True)
    config = RatioConfig(members=1, network=NetworkConfig(hidden=(32, 32), features=4))
    errors = {}
    for name in ("binary", "alices"):
        errors[name] = rms_of(train_ratio(KEY, events, reference, config, toy.point(), loss_of(name)), toy)
    assert errors["binary"] < 0.2
    assert errors["alices"] < 0.8 * errors["binary"]


@pytest.mark.slow
def test_a_bilinear_ratio_serves_where_it_is_not_exact():
    toy = Peaks()
    config = RatioConfig(members=1, training=RatioTraining(epochs=15, batch_size=512, patience=15))
    found = train_ratio(KEY, toy.sample(1, 30_000), toy.sample(2, 30_000, reference=True), config, toy.point())
    x, theta = toy.sample(3, 20_000).x, toy.sample(3, 20_000).theta
    assert rms_of(found, toy) < 0.5 * np.std(toy.log_ratio(x, theta))


@pytest.mark.slow
def test_components_learn_a_polynomial_from_all_theta():
    """Of the signal, an interference and a background: (1 + theta x)^2 / (1 + theta^2) of a standard normal x."""
    rng, n = np.random.default_rng(4), 40_000
    parameter = Parameter("coupling", -1.0, 1.0)

    def draw(n):  # by rejection: (1 + t x)^2 <= 2 (1 + t^2 x^2), and x^2 phi(x) is a chi distribution
        t, x = rng.uniform(-1, 1, 8 * n), rng.normal(size=8 * n)
        from_square = rng.uniform(size=8 * n) < t**2 / (1 + t**2)
        x = np.where(from_square, np.sqrt(rng.chisquare(3, 8 * n)) * rng.choice([-1, 1], 8 * n), x)
        keep = rng.uniform(size=8 * n) < (1 + t * x) ** 2 / (2 * (1 + t**2 * x**2))
        return x[keep][:n], t[keep][:n]

    x, t = draw(n)
    events = events_for_ratio(Events.of({"x": x, "coupling": t}), ["x"], [parameter])
    reference = events_for_ratio(Events.of({"x": rng.normal(size=n)}), ["x"], [parameter])
    config = RatioConfig(kind="components", members=1, network=NetworkConfig(hidden=(16,)))
    found = train_ratio(KEY, events, reference, config, {"coupling": 0.0})
    at = np.linspace(-2, 2, 41)
    for theta in (-0.8, 0.3, 1.0):
        r = np.exp(found.log_ratios(at[:, None], np.array([theta])))
        np.testing.assert_allclose(r, (1 + theta * at) ** 2 / (1 + theta**2), atol=0.1)


@pytest.mark.slow
def test_local_networks_learn_the_score_at_the_reference():
    """SALLY: of events of the reference alone, which know the score of their history; the score of N(theta, 1) is x."""
    rng, toy = np.random.default_rng(6), Shifted(1, share=0.5)
    z = np.sqrt(0.5) * rng.normal(size=4000)
    columns = {"x0": z + np.sqrt(0.5) * rng.normal(size=4000), "score": z / 0.5, "mean0": np.zeros(4000)}
    events = events_for_ratio(Events.of(columns), toy.columns, toy.parameters, score=["score"])
    config = msgspec.structs.replace(CONFIG, kind="local", loss="sally", members=1)
    found = train_ratio(KEY, events, None, config, toy.point())
    x = np.linspace(-2, 2, 9)
    # the score scatters by 1 about x: the error of a slope is 1/sqrt(4000), of what networks add some times that
    np.testing.assert_allclose(found.log_ratios(x[:, None], np.array([1.0])), x, atol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [Binary(), Contrastive(), Contrastive(over="x")])
def test_without_a_reference_the_ratio_is_that_to_the_marginal(loss):
    """NRE, NRE-C: of N(theta, 1) and theta uniform in [-1, 1] the marginal is a difference of two error functions."""
    toy = Shifted(1)
    found = train_ratio(KEY, toy.sample(1, 20_000), None, CONFIG, loss=loss)
    x, theta = toy.sample(3, 2000).x.astype(float), toy.sample(3, 2000).theta
    marginal = np.log((stats.norm.cdf(x + 1) - stats.norm.cdf(x - 1)) / 2)[:, 0]
    exact = stats.norm.logpdf(x, theta)[:, 0] - marginal
    assert np.sqrt(np.mean((found.log_ratios(x, theta) - exact) ** 2)) < 0.06
    assert found.point is None


@pytest.mark.slow
def test_weights_that_depend_on_theta_and_negative_ones_leave_the_ratio():
    """Weights exp(theta); and a tenth as many events elsewhere with weights of both signs, which cancel."""
    toy, rng = Shifted(1), np.random.default_rng(8)
    plain, extra = toy.draw(rng, 20_000), toy.draw(rng, 2000)
    sign = rng.choice([-1.0, 1.0], 2000)
    columns = {name: np.concatenate([plain[name], extra[name]]) for name in plain.columns}
    columns["x0"][20_000:] += 2.0
    weight = np.exp(columns["mean0"]) * np.concatenate([np.ones(20_000), sign])
    events = events_for_ratio(Events.of(columns, weight), toy.columns, toy.parameters)
    found = train_ratio(KEY, events, toy.sample(2, 20_000, reference=True), CONFIG, toy.point())
    assert found.record.negative == pytest.approx(1 / 22, abs=0.005)
    assert rms_of(found, toy) < 0.1
