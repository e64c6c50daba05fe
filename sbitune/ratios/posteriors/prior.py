"""Priors of independent parameters, uniform in a range or Gaussian, and the coordinates that they define.

Every parameter has three coordinates: `real` z, in which the prior is standard normal; `cumulative` v in (0, 1), in
which it is uniform; and `unit`, which networks read: z of a Gaussian parameter, and of a uniform one the place in its
range from -1 to 1, which has no steep ends.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import msgspec
import numpy as np
from jax.scipy.special import ndtr as jax_ndtr
from scipy.special import ndtr, ndtri

from sbitune.data.errors import InputError
from sbitune.data.text.names import check_name, shorten
from sbitune.learning.keys import check_key

#: z is cut there: float64 tells no numbers closer to 1 apart
_FARTHEST = 8.0
_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


class Uniform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="uniform", tag_field="kind"):
    """Uniform between two ends, in the parameter's unit."""

    low: float
    high: float


class Normal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="normal", tag_field="kind"):
    """Gaussian of this mean and standard deviation, in the parameter's unit."""

    mean: float
    deviation: float


Shape = Uniform | Normal


@dataclass(frozen=True, eq=False)
class Prior:
    """A product of uniform and Gaussian densities. Made by `make_prior`."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]  #: of every parameter
    bounded: np.ndarray  #: (n_parameters,) whether it is uniform
    centre: np.ndarray  #: (n_parameters,) middle of the range, or mean
    scale: np.ndarray  #: (n_parameters,) half of the range, or standard deviation

    def draw(self, key: jax.Array, n: int) -> np.ndarray:
        """Draw theta (n, n_parameters)."""
        seed = np.asarray(jax.random.key_data(check_key(key))).ravel()
        return self.from_cumulative(np.random.default_rng(seed.tolist()).uniform(size=(n, len(self.names))))

    def log_prob(self, theta: Any) -> np.ndarray:
        """Return the log density (...,) at theta (..., n_parameters); minus infinity outside the ranges."""
        unit = (np.asarray(theta, np.float64) - self.centre) / self.scale
        inside = np.where(np.abs(unit) <= 1, -math.log(2), -np.inf)
        return (np.where(self.bounded, inside, -0.5 * unit**2 - _LOG_ROOT_TWO_PI) - np.log(self.scale)).sum(axis=-1)

    def contains(self, theta: Any) -> np.ndarray:
        """Whether theta (..., n_parameters) is finite and inside all ranges (...,)."""
        unit = (np.asarray(theta, np.float64) - self.centre) / self.scale
        return np.asarray((np.isfinite(unit) & (~self.bounded | (np.abs(unit) <= 1))).all(axis=-1))

    def to_unit(self, theta: Any) -> np.ndarray:
        """Map theta (..., n_parameters) to what networks read."""
        return (np.asarray(theta, np.float64) - self.centre) / self.scale

    def to_real(self, theta: Any) -> np.ndarray:
        """Map theta (..., n_parameters) to z; ends of a range to +-8."""
        unit = self.to_unit(theta)
        with np.errstate(invalid="ignore"):
            real = np.where(self.bounded, ndtri((1 + np.clip(unit, -1, 1)) / 2), unit)
        return np.where(self.bounded, np.clip(real, -_FARTHEST, _FARTHEST), real)

    def from_real(self, z: Any) -> np.ndarray:
        """Map z (..., n_parameters) to theta, which lies inside the ranges."""
        z = np.asarray(z, np.float64)
        theta = self.centre + self.scale * np.where(self.bounded, 2 * ndtr(z) - 1, z)
        ends = (np.where(self.bounded, self.centre + sign * self.scale, sign * np.inf) for sign in (-1, 1))
        return np.clip(theta, *ends)

    def to_cumulative(self, theta: Any) -> np.ndarray:
        """Map theta (..., n_parameters) to v in (0, 1)."""
        unit = self.to_unit(theta)
        return np.where(self.bounded, (1 + unit) / 2, ndtr(unit))

    def from_cumulative(self, v: Any) -> np.ndarray:
        """Map v (..., n_parameters) in (0, 1) to theta."""
        v = np.clip(np.asarray(v, np.float64), 1e-300, np.nextafter(1.0, 0.0))
        return self.centre + self.scale * np.where(self.bounded, 2 * v - 1, ndtri(v))

    def unit_of_real(self, z: Any) -> Any:
        """Map z (..., n_parameters) to what networks read, as JAX traces it."""
        return jax.numpy.where(self.bounded, 2 * jax_ndtr(z) - 1, z)

    def log_slope(self, theta: Any) -> np.ndarray:
        """Return log |dz / dtheta| (...,) of all parameters together."""
        z = self.to_real(theta)
        bounded = 0.5 * z**2 + _LOG_ROOT_TWO_PI - math.log(2)
        return (np.where(self.bounded, bounded, 0.0) - np.log(self.scale)).sum(axis=-1)


def make_prior(shapes: Mapping[str, Shape | tuple[float, float]]) -> Prior:
    """Make a prior of parameters by name: `Uniform`, `Normal`, or (low, high) for the first.

    >>> prior = make_prior({"mass": (80, 100), "width": Normal(2, 0.5)})
    >>> float(prior.log_prob([90, 2])), float(prior.log_prob([70, 2]))
    (-3.2215236261987186, -inf)

    Raises:
        InputError: no parameters, a name that is none, an empty range, a deviation that is not positive.
    """
    if not shapes:
        raise InputError("a prior needs at least one parameter", code="posterior-prior")
    taken = {}
    for name, shape in shapes.items():
        check_name(name)
        taken[name] = Uniform(*map(float, shape)) if isinstance(shape, tuple) else shape
        _check_shape(name, taken[name])
    bounded = np.array([isinstance(shape, Uniform) for shape in taken.values()])
    numbers = np.array([msgspec.structs.astuple(shape) for shape in taken.values()], np.float64)
    first, second = numbers.T
    return Prior(
        names=tuple(taken),
        shapes=tuple(taken.values()),
        bounded=bounded,
        centre=np.where(bounded, (first + second) / 2, first),
        scale=np.where(bounded, (second - first) / 2, second),
    )


def _check_shape(name: str, shape: Shape) -> None:
    first, second = msgspec.structs.astuple(shape)
    if isinstance(shape, Uniform):
        right, wanted = first < second, "a range from a lower to a higher number"
    else:
        right, wanted = second > 0, "a mean and a positive standard deviation"
    if not (right and math.isfinite(first) and math.isfinite(second)):
        raise InputError(
            f"prior of {name}: {shorten(repr((first, second)))} is not {wanted}; give finite numbers",
            code="posterior-prior",
        )
