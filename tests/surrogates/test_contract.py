"""What every kind of surrogate promises."""

from pathlib import Path

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.config import CONFIGS as KINDS
from sbitune.tuning.surrogates.config import SurrogateConfig
from sbitune.tuning.surrogates.description import describe, in_words
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.protocols import Kind
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.registry import kind_of, kinds, name_of, surrogate_of
from sbitune.tuning.surrogates.regression.basis import evaluate_basis, list_exponents
from sbitune.tuning.surrogates.storage import load_surrogate, save_surrogate
from sbitune.tuning.surrogates.training import train

SMALL = NetworkConfig(hidden=(16,), folds=3, members_per_fold=2, epochs=150, learning_rate=0.02)
#: what is quick of kinds that by themselves are not
QUICK: dict[str, SurrogateConfig] = {"polynomial": PolynomialConfig(order=3), "network": SMALL}
#: every kind in the registry, and other ways to train some of them
CONFIGS: dict[str, SurrogateConfig] = {name: QUICK.get(name, kind()) for name, kind in KINDS.items()} | {
    "chosen order": PolynomialConfig(max_order=3, scale="log"),
    "polynomial of every bin": PolynomialConfig(order=3, components=False),
    "gaussian of every bin": GaussianConfig(components=False, groups=2),
    "rational of every bin": RationalConfig(numerator=2, denominator=1, components=False, scale="linear"),
    "networks per bin": msgspec.structs.replace(SMALL, sharing="per_bin", scale="linear"),
}
THETA = np.array([0.7, 13.0])


def truth(theta: np.ndarray) -> list[float]:
    a, b = theta[0] + 0.5, theta[1] / 10
    return [100 * a**0.5 * b, 20 + a * b, 7.0]


@pytest.fixture(scope="module")
def scans() -> tuple[Scan, Scan]:
    def make(n_runs: int, seed: int) -> Scan:
        random = np.random.default_rng(seed)
        theta = random.uniform([0, 10], [2, 20], (n_runs, 2))
        exact = np.array([truth(point) for point in theta])
        errors = np.tile([2.0, 0.3, 0.0], (n_runs, 1))
        bins = Bins(np.full(3, "/toy"), np.arange(3), np.arange(3), np.arange(3) + 1)
        runs = tuple(str(i) for i in range(n_runs))
        values = exact + errors * random.normal(size=exact.shape)
        return Scan((Parameter("a", 0, 2), Parameter("b", 10, 20)), theta, values, errors, bins, runs)

    return make(150, 1), make(100, 2)


@pytest.fixture(scope="module", params=CONFIGS)
def trained(request: pytest.FixtureRequest, scans):
    return train(jax.random.key(1), scans[0], CONFIGS[request.param])


def test_it_predicts_held_out_runs_with_true_errors(trained, scans) -> None:
    found = evaluate(trained, scans[1])
    assert found.n_excluded == 100  # the bin without errors
    assert found.rms_pull < 1.5
    assert found.pull_width == pytest.approx(1, abs=0.2)
    np.testing.assert_allclose(trained.predict_many(scans[1].theta).mean[:, 2], 7.0, rtol=1e-6)


def test_it_passes_jit_grad_and_vmap(trained) -> None:
    one = jax.jit(trained.predict)(THETA)
    many = jax.jit(jax.vmap(trained.predict))(jnp.tile(THETA, (3, 1)))
    np.testing.assert_allclose(many.mean[1], one.mean, rtol=2e-5)  # float32: bins are sums of whitened combinations
    # variances are differences of squares of contents, whose rounding in float32 is another in every compiled program
    rounding = 4 * np.finfo(np.float32).eps * np.square(one.mean)
    assert (np.abs(np.square(many.error[1]) - np.square(one.error)) <= 1e-2 * np.square(one.error) + rounding).all()


def test_it_computes_in_the_precision_of_theta_and_leaves_it_as_it_was(trained) -> None:
    def predict_both(theta: jax.Array) -> tuple:
        prediction = trained.predict(theta)
        return prediction, prediction

    assert jax.eval_shape(trained.predict, THETA).mean.dtype == np.float32
    many = trained.predict_many(THETA[None])
    assert many.mean.dtype == many.error.dtype == np.float64
    assert jnp.ones(1).dtype == np.float32
    with jax.enable_x64(True):
        slope, one = jax.jit(jax.jacfwd(predict_both, has_aux=True))(THETA)
    assert one.mean.dtype == one.error.dtype == slope.mean.dtype == np.float64
    np.testing.assert_allclose(one.mean, many.mean[0], rtol=1e-12)
    step = np.array([1e-5, 0])
    ends = trained.predict_many([THETA + step, THETA - step])
    for derivative, both in zip(slope, ends, strict=True):
        np.testing.assert_allclose(derivative[:, 0], (both[0] - both[1]) / 2e-5, rtol=1e-4, atol=1e-6)


def test_read_back_it_predicts_the_same_bits(trained, scans, tmp_path: Path) -> None:
    save_surrogate(tmp_path / "surrogate.npz", trained)
    back = load_surrogate(tmp_path / "surrogate.npz")
    assert back.parameters == trained.parameters
    assert back.bins.labels() == trained.bins.labels()
    for theta in (scans[1].theta, THETA[None]):
        for mine, its in zip(back.predict_many(theta), trained.predict_many(theta), strict=True):
            assert mine.tobytes() == its.tobytes()


@pytest.mark.parametrize("name", ["polynomial", "chosen order", "rational", "network"])
def test_the_same_key_gives_the_same_surrogate(name: str, scans) -> None:
    one, two = (train(jax.random.key(1), scans[0], CONFIGS[name]).predict_many(THETA[None]) for _ in range(2))
    assert one.mean.tobytes() == two.mean.tobytes()
    if name == "network":
        other = train(jax.random.key(2), scans[0], CONFIGS[name]).predict_many(THETA[None])
        assert one.mean.tobytes() != other.mean.tobytes()


def test_old_keys_and_too_few_runs_are_refused(scans) -> None:
    with pytest.raises(TypeError, match="typed random key"):
        train(jax.random.PRNGKey(1), scans[0], PolynomialConfig(order=1))
    few = scans[0].take_runs([str(i) for i in range(5)])
    with pytest.raises(InputError, match="3 folds needs at least 6 runs, the scan has 5"):
        train(jax.random.key(1), few, SMALL)


def test_files_that_hold_no_surrogate_are_refused(scans, tmp_path: Path) -> None:
    scans[0].save(tmp_path / "scan.npz")
    with pytest.raises(InputError, match="expected a sbitune surrogate, this file holds a sbitune scan"):
        load_surrogate(tmp_path / "scan.npz")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_config_is_read_by_kind_and_survives(config) -> None:
    encoded = msgspec.json.encode(config)
    assert msgspec.json.decode(encoded, type=SurrogateConfig) == config
    assert msgspec.json.decode(encoded)["kind"] == config.kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"kind": "network", "hiden": [3]}', "hiden"),
        ('{"kind": "gauss"}', "gauss"),
        ('{"kind": "polynomial", "order": -1}', "order"),
        ('{"kind": "rational", "denominator": -1}', "denominator"),
        ('{"kind": "rational", "order": 2}', "order"),
        ('{"kind": "network", "members_per_fold": 1}', "members_per_fold"),
    ],
)
def test_a_misspelt_config_is_refused(text: str, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.json.decode(text, type=SurrogateConfig)


def test_the_covariance_has_the_errors_on_its_diagonal_and_is_positive(trained) -> None:
    with jax.enable_x64(True):
        error = np.asarray(trained.predict(THETA).error)
        indices = np.flatnonzero(error > 0)[::-1]
        covariance = np.asarray(trained.covariance(THETA, indices))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), error[indices], rtol=1e-6)
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-9, atol=1e-12 * covariance.max())
    unit = covariance / np.outer(error[indices], error[indices])
    assert np.linalg.eigvalsh(unit).min() > -1e-9


@pytest.mark.parametrize("kind", kinds(), ids=name_of)
def test_a_kind_is_found_by_its_config_and_its_surrogates_by_their_tag(kind: Kind) -> None:
    assert kind_of(kind.config()) is kind
    assert surrogate_of(kind.surrogate.tag) is kind.surrogate
    assert CONFIGS[name_of(kind)].kind == name_of(kind)
    assert list(kind.config().run_requirements(2))


def test_it_answers_all_that_is_asked_of_a_surrogate(trained, scans) -> None:
    theta, bins = scans[1].theta[:4], np.arange(2)
    assert surrogate_of(trained.tag) is type(trained)
    assert in_words(describe(trained))
    assert not trained.unknown_parameters(bins)
    assert trained.log.shape == (3,)
    assert trained.listed()["surrogate"]
    near = trained.near(theta[0])
    assert (near is trained) == (not trained.takes_point)
    np.testing.assert_array_equal(near.predict_many(theta).mean, trained.predict_many(theta).mean)
    wider = trained.wider(1.5)
    learnt, rest = next(trained.learnt_covariances(theta[:1], bins))
    np.testing.assert_allclose(next(wider.covariances(theta[:1], bins)), 1.5**2 * learnt + rest, rtol=1e-6)
    form, polynomial = trained.kernel_form(bins), trained.legendre()
    if form is not None:
        np.testing.assert_allclose(form.means(theta), trained.predict_many(theta).mean[:, :2], rtol=1e-9)
    if polynomial is not None:
        terms = evaluate_basis(scans[1].unit()[:4], list_exponents(2, polynomial[0]))
        np.testing.assert_allclose(terms @ polynomial[1], trained.predict_many(theta).mean, rtol=1e-9)
    for outputs in trained.independent_outputs(scans[0]):
        covariance = outputs.covariance(theta, theta)
        assert covariance.shape == (len(outputs.rows), 4, 4)
        np.testing.assert_allclose(covariance, covariance.transpose(0, 2, 1), rtol=1e-6, atol=1e-12)
        assert (outputs.noise >= 0).all()


def test_who_asks_for_some_covariances_only_computes_in_the_precision_of_before(trained, scans) -> None:
    """Blocks of a joined surrogate are asked in turns: one whose generator holds double precision would leave it on."""
    one, other = (trained.covariances(scans[1].theta[:3], np.arange(2)) for _ in range(2))
    next(one), next(other)
    assert jnp.ones(1).dtype == np.float32
    one.close(), other.close()
    assert jnp.ones(1).dtype == np.float32
