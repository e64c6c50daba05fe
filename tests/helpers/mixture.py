"""Signal N((0, 0), 1) and background N((1, 1), 1), which a nuisance moves along the second axis: all of it exact.

mu scales 50 expected signal events beside 1000 of background; nu ~ N(0, 1) moves these by `shift` times nu. Log of the
signal's ratio to the background is 1 - x - y, that of the background's response shift nu (y - 1) - (shift nu)^2 / 2.
"""

import jax.numpy as jnp
import numpy as np

from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents

SIGNAL, BACKGROUND = 50.0, 1000.0
PARAMETERS = (Parameter("mu", -0.5, 5.0), Parameter("nu", -4.0, 4.0))


class Mixture:
    """Its intensity relative to the background at nu = 0, an `EventModel`."""

    parameters = ()

    def __init__(self, shift: float) -> None:
        self.shift = shift

    def prepare(self, events):
        return tuple(np.asarray(events, np.float32).T)

    def log_intensity(self, theta, prepared):
        x, y = prepared
        moved = self.shift * theta["nu"]
        return jnp.log(SIGNAL * theta["mu"] * jnp.exp(1 - x - y) + BACKGROUND * jnp.exp(moved * (y - 1) - moved**2 / 2))

    def expected(self, theta):
        return SIGNAL * theta["mu"] + BACKGROUND


def draw(rng: np.random.Generator, signal: int, background: int, moved: float = 0.0) -> np.ndarray:
    """(n, 2) events of both."""
    return np.concatenate([rng.normal(0, 1, (signal, 2)), rng.normal([1, 1 + moved], 1, (background, 2))])


def pool(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """N events, a quarter of them signal, and their weights for an integral over the background."""
    x = draw(rng, n // 4, n - n // 4)
    return x, 1 / n / (0.25 * np.exp(1 - x.sum(1)) + 0.75)


def problem(rng: np.random.Generator, shift: float, n_pool: int = 100_000, **options) -> Product:
    """The fit of events that are as many as expected at mu = 1, nu = 0."""
    events = draw(rng, 50, 1000)
    term = UnbinnedEvents("events", Mixture(shift), events, pool(rng, n_pool), {"mu": 1.0, "nu": 0.0})
    return Product([term, Constraint("nu", 0.0, 1.0)], PARAMETERS, **options)
