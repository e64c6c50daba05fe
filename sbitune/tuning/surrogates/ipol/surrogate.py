"""Professor's `ipol.dat` as a surrogate that can be fitted.

What Professor calls the error of a bin, a polynomial through the Monte Carlo errors of the runs, takes the place of the
surrogate's error, as in `prof2-tune`: it is that of one run, and no statement about the polynomial.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.ipol import Interpolation, Polynomial, exponents
from sbitune.data.parameter import Parameter
from sbitune.data.storage.layout import Layout
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.base import BaseSurrogate
from sbitune.tuning.surrogates.protocols import Meta, Packed, Unpacked
from sbitune.tuning.surrogates.regression.covariance import correlate

#: how the summary of a file begins
WRITTEN = "written by sbitune: "
_OWN_FILE = "the surrogate of an ipol.dat is kept as that file; `sbitune convert` writes it"


class _Group(NamedTuple):
    """Bins whose polynomials have one order and one box."""

    members: np.ndarray  #: (n,) which bins
    order: int
    low: np.ndarray  #: (n_parameters,)
    high: np.ndarray  #: (n_parameters,)
    coefficients: np.ndarray  #: (n_terms, n)


@dataclass(frozen=True, eq=False)
class IpolSurrogate(BaseSurrogate):
    """The polynomials of an `ipol.dat`. Satisfies `TrainedSurrogate`; errors are independent from bin to bin."""

    tag: ClassVar[str] = "ipol"

    interpolation: Interpolation
    correlation: np.ndarray | None = None  #: the file does not tell

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """With the box that the runs span."""
        return self.interpolation.parameters

    @property
    def bins(self) -> Bins:
        """(n_bins,) those of the file."""
        return self.interpolation.bins

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        mean, error = (_evaluate(groups, theta, len(self.bins)) for groups in self._groups)
        return Prediction(mean, jnp.maximum(error, 0.0))

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) with NumPy in float64: mean and error (n, n_bins)."""
        return Prediction(*self.interpolation.evaluate(np.asarray(theta, np.float64)))

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX."""
        return correlate(self.predict(theta).error, None, indices)

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        for error in self.predict_many(theta).error:
            yield correlate(error, None, indices, np)

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) False: contents are polynomials."""
        return np.zeros(len(self.bins), bool)

    def with_parameters(self, parameters: tuple[Parameter, ...]) -> Self:
        """The same with what is known of the parameters: the file does not tell their values before tuning."""
        return replace(self, interpolation=replace(self.interpolation, parameters=parameters))

    def wider(self, factor: float) -> Self:
        """Not possible: the errors are those of a run, and no statement about the polynomials."""
        raise InputError("the errors of an ipol.dat are Monte Carlo errors of a run; they cannot be widened")

    def describe(self) -> dict[str, Any]:
        """The highest orders of means and errors."""
        order, error_order = self.interpolation.orders.max(axis=0).tolist()
        return {"kind": self.tag, "order": order, "order_of_errors": error_order}

    @classmethod
    def in_words(cls, about: Mapping[str, Any]) -> str:
        """A few sentences on what `describe` gave."""
        return (
            f"Professor's polynomials of orders up to {about['order']} for every bin. As error stands the Monte Carlo "
            "error of one run, which says nothing about the polynomials; it is independent from bin to bin"
        )

    def listed(self) -> dict[str, Any]:
        """Orders and, where the file tells, from how many runs it learnt."""
        value, error = self.interpolation.orders.max(axis=0).tolist()
        given = str(self.interpolation.header.get("NumInputs", ""))  # where names have no place in the file
        known = given.isascii() and given.isdigit() and len(given) < 10
        about = {"order": value} | ({"error_order": error} if error >= 0 else {})
        return about | ({"runs": int(given)} if known and int(given) else {})

    def cautions(self, name: str) -> list[str]:
        """What is missing of errors, and what the polynomials stand for."""
        said = [] if self.interpolation.error else [f"{name} holds no errors: predictions are taken to be exact"]
        told = surrogate_summary(self.interpolation)
        return said + ([f"{name} stands for another surrogate: {told}"] if told else [])

    def pack(self) -> Packed:
        """Not possible: its file is the ipol.dat."""
        raise InputError(_OWN_FILE)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """Not possible, see `pack`."""
        raise InputError(_OWN_FILE)

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """Not possible, see `pack`."""
        raise InputError(_OWN_FILE)

    @cached_property
    def _groups(self) -> tuple[list[_Group], list[_Group]]:
        return _group(self.interpolation.value), _group(self.interpolation.error)


def _group(polynomials: tuple[Polynomial, ...]) -> list[_Group]:
    alike: dict[tuple[int, bytes, bytes], list[int]] = {}
    for i, polynomial in enumerate(polynomials):
        key = (polynomial.order, polynomial.low.tobytes(), polynomial.high.tobytes())
        alike.setdefault(key, []).append(i)
    return [
        _Group(np.array(members), *_shape(polynomials[members[0]]), _coefficients(polynomials, members))
        for members in alike.values()
    ]


def _shape(polynomial: Polynomial) -> tuple[int, np.ndarray, np.ndarray]:
    return polynomial.order, polynomial.low, polynomial.high


def _coefficients(polynomials: tuple[Polynomial, ...], members: list[int]) -> np.ndarray:
    return np.array([polynomials[i].coefficients for i in members]).T


def _evaluate(groups: list[_Group], theta: Any, n_bins: int) -> Any:
    """(n_bins,) at theta (n_parameters,), traceable; 0 without polynomials."""
    result = jnp.zeros(n_bins, theta.dtype)
    for group in groups:
        low, high = (jnp.asarray(end, theta.dtype) for end in (group.low, group.high))
        unit = (theta - low) / (high - low)
        # x ** k has no derivative of integer powers at 0 that JAX would find for an array of k
        powers = [jnp.ones_like(unit)]
        for _ in range(group.order):
            powers.append(powers[-1] * unit)
        table, terms = jnp.stack(powers), 1.0
        for column, power in enumerate(exponents(len(low), group.order).T):
            terms = terms * table[power, column]
        values = terms @ jnp.asarray(group.coefficients, theta.dtype)
        result = result.at[group.members].set(values)
    return result


def surrogate_summary(interpolation: Interpolation) -> str:
    """What an `ipol.dat` of sbitune says of the surrogate that it was made from; nothing of others."""
    summary = interpolation.header.get("Summary", "")
    return summary.removeprefix(WRITTEN) if summary.startswith(WRITTEN) else ""
