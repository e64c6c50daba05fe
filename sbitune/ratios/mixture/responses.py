"""What a nuisance parameter does to the events of a sample: log p(x | nu) / p(x | 0).

Learned from events at any values, it is sum_k nu^k g_k(x) with k from 1: so g_k are the derivatives of log p at 0, and
the networks run once for all nu (R. Schoefbeck, "Refinable modeling for unbinned SMEFT analyses",
arXiv:2406.19076, and GOLLUM, arXiv:2505.05544). Members of an ensemble are combined in g_k on events that none has
seen, see `learning.classifiers.combination`.

Interpolated between events at -1 and +1, it follows from the two ratios to the nominal events, see
`fitting.likelihood.terms.interpolation`. Neither form has the mean 1 over nominal events by itself: `normalisation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import msgspec
import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.fitting.likelihood.terms.interpolation import EVENT_CODES
from sbitune.learning.classifiers.combination import Combined, fit_polynomial, plain_mean
from sbitune.learning.classifiers.logistic import fit_logistic, with_ones
from sbitune.learning.classifiers.losses import polynomial, response_cross_entropy
from sbitune.learning.classifiers.networks import build_classifier
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.rows import Rows
from sbitune.learning.scaling import Scaling, find_scaling
from sbitune.ratios.mixture.classes import train_classes
from sbitune.ratios.mixture.learning import Learned, learned, training_config
from sbitune.ratios.samples import Simulated
from sbitune.ratios.sections import InterpolatedConfig, LearnedConfig, NetworkConfig

#: name of the learned form, beside the codes of interpolation
POLYNOMIAL = "polynomial"


@dataclass(frozen=True, eq=False)
class Response:
    """What one nuisance parameter does to the events of one sample."""

    sample: str
    nuisance: str
    form: str  #: `polynomial`, or one of `EVENT_CODES`
    order: int  #: numbers of an event that it needs: powers, or up and down
    combined: Combined  #: networks
    rate: tuple[float, float]  #: expected number at -1 and +1 over that at 0
    ends: tuple[float, float]  #: values between which it was learnt

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """(n_events, order) what does not depend on nu, of x (n_events, n_columns), float32."""
        return np.asarray(self.coefficients_of(self.combined.outputs(x)), np.float32)

    def coefficients_of(self, outputs: Any) -> Any:
        """The same of what the networks say (n_events, n_out). Can be traced by JAX."""
        return outputs if self.form == POLYNOMIAL else outputs[:, 1:] - outputs[:, :1]

    def log_response(self, nu: Any, coefficients: Any) -> Any:
        """(n_events,) at nu, not normalised, of coefficients (order, n_events). Can be traced by JAX."""
        if self.form == POLYNOMIAL:
            return polynomial(coefficients, nu)
        return EVENT_CODES[self.form](nu, *coefficients)

    def log_rate(self, nu: Any) -> Any:
        """Log of the expected number at nu over that at 0."""
        down, up = np.log(self.rate)
        return nu * (up - down) / 2 + nu**2 * (up + down) / 2


def train_response(
    key: jax.Array,
    name: str,
    nuisance: str,
    nominal: Simulated,
    varied: Sequence[Simulated],
    config: LearnedConfig | InterpolatedConfig,
    columns: Sequence[str],
    network: NetworkConfig,
    reporter: Reporter,
) -> tuple[Response, Learned]:
    """Learn the response of a sample to a nuisance parameter, and say how that went. Raises as `train_classes`."""
    values = [0.0, *(sample.value for sample in varied)]
    ends = (min(values), max(values))
    what = f"{name}, {nuisance}"
    if isinstance(config, InterpolatedConfig):
        thirds = np.full(3, 1 / 3)
        ordered = [nominal, max(varied, key=_value), min(varied, key=_value)]
        classes, noted = train_classes(key, ordered, columns, thirds, network, reporter)
        assert noted is not None
        assert classes.combined is not None
        response = Response(name, nuisance, config.code, 2, classes.combined, config.rate, ends)
        return response, msgspec.structs.replace(noted, what=what)
    combined, noted = _train_polynomial(key, what, nominal, varied, config.order, columns, network, reporter)
    return Response(name, nuisance, POLYNOMIAL, config.order, combined, config.rate, ends), noted


def _value(sample: Simulated) -> float:
    return sample.value


def _train_polynomial(
    key: jax.Array,
    what: str,
    nominal: Simulated,
    varied: Sequence[Simulated],
    order: int,
    columns: Sequence[str],
    network: NetworkConfig,
    reporter: Reporter,
) -> tuple[Combined, Learned]:
    rng = np.random.default_rng(np.asarray(jax.random.key_data(jax.random.fold_in(key, 2))).tolist())
    parts = [_pairs(rng, nominal.of(role), [sample.of(role) for sample in varied]) for role in ("train", "validation")]
    data = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n_train, n = len(parts[0]["nu"]), len(data["nu"])
    shape, settings = (network.members, 1), training_config(network, n_train)
    scaling = find_scaling(what, columns, np.concatenate([data["varied"], data["nominal"]]))
    linear = _linear({name: array[:n_train] for name, array in data.items()}, scaling, order)
    trained = train_ensemble(
        jax.random.split(jax.random.fold_in(key, 1), network.members),
        build_classifier(
            jax.random.split(jax.random.fold_in(key, 0), network.members),
            scaling,
            order,
            network.hidden,
            linear=linear,
        ),
        response_cross_entropy,
        data,
        settings,
        rows=Rows(np.tile(np.arange(n_train), shape), np.tile(np.arange(n_train, n), shape)),
        progress=lambda epoch, *_: reporter.progress(f"training {what}", epoch + 1, settings.epochs),
    )
    reporter.progress(f"training {what}", settings.epochs, settings.epochs)
    noted = learned(what, trained, float(2 * np.log(2)), n - n_train)
    combined = plain_mean(trained.model, len(columns), first_is_base=False)
    pairs = _pairs(rng, nominal.of("held"), [sample.of("held") for sample in varied])
    return _combine(combined, pairs), noted


def _combine(combined: Combined, pairs: dict[str, np.ndarray]) -> Combined:
    """Fit to pairs of events that were held back: each sees the value of the varied one."""
    x = np.concatenate([pairs["varied"], pairs["nominal"]])
    label = np.repeat([1.0, 0.0], len(pairs["nu"]))
    weights = np.concatenate([pairs["varied_weight"], pairs["nominal_weight"]]).astype(float)
    return fit_polynomial(combined, x, np.tile(pairs["nu"].astype(float), 2), label, weights)


def _linear(data: dict[str, np.ndarray], scaling: Scaling, order: int) -> np.ndarray:
    """(n_columns + 1, order) of networks g_k that are linear: a logistic regression on nu^k and nu^k x."""
    powers = data["nu"][:, None].astype(float) ** np.arange(1, order + 1)
    features = np.concatenate(
        [
            (with_ones(scaling.apply(data[kind]))[:, :, None] * powers[:, None, :]).reshape(len(powers), -1)
            for kind in ("nominal", "varied")
        ]
    )
    label = np.repeat([0, 1], len(powers))
    weights = np.concatenate([data["nominal_weight"], data["varied_weight"]])
    found = fit_logistic(features, label, 2, weights)
    return (found[:, 1] - found[:, 0]).reshape(-1, order)


def _pairs(rng: np.random.Generator, nominal: Simulated, varied: Sequence[Simulated]) -> dict[str, np.ndarray]:
    """Varied events, each beside a nominal one; the fewer of both come again.

    Events at every value count alike in all, so that rates of the samples, which are told apart from the shapes, teach
    the networks nothing.
    """
    x = np.concatenate([sample.x for sample in varied])
    nu = np.concatenate([np.full(len(sample.x), sample.value) for sample in varied])
    weights = np.concatenate([sample.weights * len(sample.x) / sample.weights.sum() for sample in varied])
    n = max(len(x), len(nominal.x))
    moved, there = _rows(rng, len(x), n), _rows(rng, len(nominal.x), n)
    return {
        "varied": x[moved],
        "nu": nu[moved].astype(np.float32),
        "varied_weight": (weights[moved] * n / weights[moved].sum()).astype(np.float32),
        "nominal": nominal.x[there],
        "nominal_weight": (nominal.weights[there] * n / nominal.weights[there].sum()).astype(np.float32),
    }


def _rows(rng: np.random.Generator, n: int, wanted: int) -> np.ndarray:
    """(wanted,) rows of n, shuffled, each as often as the others or once more."""
    return np.concatenate([rng.permutation(n) for _ in range(-(-wanted // n))])[:wanted]
