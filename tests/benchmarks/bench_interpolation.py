"""What interpolated responses cost a fit, with and without division by their mean: exact ratios at -1 and +1.

Signal N((0, 0), 1), 50 events, beside background N((1, 1), 1), 1000 events, whose second coordinate a nuisance
parameter nu ~ N(0, 1) moves by `shift` times nu. Ratios of the background at nu = -1 and +1 are exact, and each form
interpolates between them, event by event. Data are those expected at a true nu, on a grid, and the constraint is
measured there; nu is looked for between -1 and 1, as beyond the forms that are not normalised run away. Printed are
sigma(mu), sigma(nu) and how far mu is off, in units of its error.

A minute: `PYTHONPATH=tests python tests/benchmarks/bench_interpolation.py`.
"""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.mixture import BACKGROUND, SIGNAL

from sbitune.data.errors import ComputationError
from sbitune.data.parameter import Parameter
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.interpolation import EVENT_CODES, normalised
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit

PARAMETERS = (Parameter("mu", -2.0, 5.0), Parameter("nu", -1.0, 1.0))
#: events with y beyond are left out of everything: there the polynomial of code 4 is negative for the shift of 1
LOW, HIGH = -2.3, 4.3
X, Y = np.linspace(-6.0, 8.0, 113), np.linspace(LOW, HIGH, 113)
GRID = np.stack(np.meshgrid(X, Y, indexing="ij"), -1).reshape(-1, 2)
CELL = (X[1] - X[0]) * (Y[1] - Y[0]) * np.where((GRID[:, 1] == LOW) | (GRID[:, 1] == HIGH), 0.5, 1.0)
FORMS = [
    ("exact density", None, False),
    ("code 4, as it comes", "code4", False),
    ("code 4, divided by E_ref[r]", "code4", True),
    ("code 4p, as it comes", "code4p", False),
    ("code 4p, divided by E_ref[r]", "code4p", True),
    ("log r quadratic in nu", "log_quadratic", False),
]


def normal(x, mean):
    """Density of unit width."""
    return np.exp(-((x - mean) ** 2) / 2) / np.sqrt(2 * np.pi)


class Interpolated:
    """Signal and background, relative to the background at nu = 0."""

    parameters = ()

    def __init__(self, shift, code, divided):
        self.shift, self.code, self.divided = shift, code and EVENT_CODES[code], divided
        if divided:
            y = np.linspace(LOW, HIGH, 801)
            self.code = normalised(self.code, *self.ends(y), normal(y, 1.0))

    def accepted(self, nu):
        """Part of the background that is not left out."""
        middle = 1 + self.shift * nu
        return ndtr(HIGH - middle) - ndtr(LOW - middle)

    def ends(self, y):
        """Log ratios at +1 and -1."""
        return self.shift * (y - 1) - self.shift**2 / 2, -self.shift * (y - 1) - self.shift**2 / 2

    def prepare(self, events):
        return tuple(np.asarray(events, float).T)

    def log_intensity(self, theta, prepared):
        x, y = prepared
        if self.code is None:
            moved = self.shift * theta["nu"]
            response = moved * (y - 1) - moved**2 / 2
        else:
            response = self.code(theta["nu"], *self.ends(y))
            if self.divided:
                response += jnp.log(self.accepted(theta["nu"]) / self.accepted(0.0))
        return jnp.log(SIGNAL * theta["mu"] * jnp.exp(1 - x - y) + BACKGROUND * jnp.exp(response))

    def expected(self, theta):
        return SIGNAL * theta["mu"] * (ndtr(HIGH) - ndtr(LOW)) + BACKGROUND * self.accepted(theta["nu"])


def measure(shift, nu, code, divided):
    """The fit of what is expected at mu = 1 and nu."""
    x, y = GRID.T
    signal, background = normal(x, 0) * normal(y, 0), normal(x, 1) * normal(y, 1 + shift * nu)
    counts = CELL * (SIGNAL * signal + BACKGROUND * background)
    term = UnbinnedEvents("events", Interpolated(shift, code, divided), GRID, base={"mu": 1.0, "nu": 0.0})
    problem = Product([term, Constraint("nu", nu, 1.0)], PARAMETERS)
    data = (term.with_events(GRID, counts), *problem.data[1:])
    return fit(problem.with_data(data), FitConfig(starts=1, minos=False))


def main():
    """Print the table."""
    for shift in (1.0, 0.3, 0.1):
        print(f"shift {shift:g}: sigma(mu), sigma(nu) at nu 0; (mu - 1) / sigma and nu at nu .5")
        for name, code, divided in FORMS:
            try:
                at_rest, moved = (measure(shift, nu, code, divided) for nu in (0.0, 0.5))
            except ComputationError:
                print(f"  {name:<28} no fit: intensities of events are negative between -1 and 1", flush=True)
                continue
            bias = (moved.values[0] - 1) / moved.errors[0]
            errors = f"{at_rest.errors[0]:.4f} {at_rest.errors[1]:.4f}"
            print(f"  {name:<28} {errors}  {bias:+.2f} {moved.values[1]:.3f}", flush=True)


if __name__ == "__main__":
    main()
