"""Do intervals hold the truth when the samples are small? With and without the error from the ratios.

Signal strength of the mixture in `helpers.mixture`, its background at rest: experiments with data and simulated events
of their own. Five networks were trained once, on other events; every experiment combines them on its own. Beside it
the exact ratio. With `floating` the ratios float in the fit as well, along what the combination's covariance allows:
normalised wherever the fit goes, and not, which is compiled anew for every experiment, 4 s each.

    python tests/benchmarks/bench_ratio_errors.py [EXPERIMENTS] [floating]
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.mixture import BACKGROUND, SIGNAL, Mixture, draw

from sbitune.data.parameter import Parameter
from sbitune.data.reporting import QUIET
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.newton import find_minima
from sbitune.fitting.results import Fit
from sbitune.learning.classifiers.combination import fit_classes, plain_mean
from sbitune.ratios.mixture import model
from sbitune.ratios.mixture.classes import ClassRatios, train_classes
from sbitune.ratios.mixture.errors import ratio_covariance
from sbitune.ratios.mixture.floating import FloatingMixture
from sbitune.ratios.samples import Simulated
from sbitune.ratios.sections import NetworkConfig

MU = Parameter("mu", 0.0, 6.0)
PROCESSES = (model.Process("signal", SIGNAL, "mu"), model.Process("background", BACKGROUND, None))
HALF = np.full(2, 0.5)


def sample(rng, n, kind, seed):
    x = draw(rng, *((n, 0) if kind == "signal" else (0, n))).astype(np.float32)
    role = np.random.default_rng(seed).permutation(n) % 5
    return Simulated(kind, x, np.ones(n), np.where(role < 3, 0, np.where(role == 3, 1, 2)))


class Fits:
    """Fits of the signal strength, compiled once for all experiments."""

    def __init__(self):
        self.problems = {}

    def __call__(self, event_model, x):
        """Signal strength, its error from the data, and what was fitted."""
        term = UnbinnedEvents("events", event_model, x, base={"mu": 1.0})
        first = self.problems.setdefault(type(event_model), Product([term], [MU]))
        problem, frame = first.with_data((term.data,)), first.frame()
        with problem.computing():
            over = problem.objective().over_data
            found = find_minima(over, frame.to_unit(np.ones(1)), [problem.data], frame.limits, ~frame.fixed)
        error = float(frame.half[0] * np.sqrt(2 / found.hessian[0, 0, 0]))
        return problem, float(frame.to_theta(found.u[0])[0]), error


class AtRest(Mixture):
    """The exact intensity, with the background at rest."""

    def log_intensity(self, theta, prepared):
        return super().log_intensity({**theta, "nu": 0.0}, prepared)


def as_fit(value, error):
    return Fit(parameters=(MU,), values=np.array([value]), covariance=np.array([[error**2]]), minos={}, minimum=0.0,
               free=("mu",), at_limit=(), starts=(), edm=0.0, calls=0, hesse_difference=0.0)  # fmt: skip


class Unnormalised(FloatingMixture):
    """Ratios that float and are no densities where they do."""

    def log_means_moved(self, theta):
        return [0.0 for _ in self.mixture.processes]


def floating_pull(model, x):
    """(fitted - true) / error with the ratios floating, whose error is in that of the fit."""
    base = {"mu": 1.0} | dict.fromkeys(model.names, 0.0)
    terms = [UnbinnedEvents("events", model, x, base=base), model.constraint()]
    problem = Product(terms, [MU, *model.nuisances()])
    with problem.computing():
        over, frame = problem.objective().over_data, problem.frame()
        start = frame.to_unit(np.array([1.0] + [0.0] * len(model.names)))
        found = find_minima(over, start, [problem.data], frame.limits, ~frame.fixed)
    error = frame.half[0] * np.sqrt(np.linalg.inv(found.hessian[0] / 2)[0, 0])
    return float((frame.to_theta(found.u[0])[0] - 1) / error)


def experiment(rng, fitted, members, n, floating=False):
    """Pulls with the exact ratio, with the learned one taken for exact, and with its error; then with the ratios
    floating, normalised and not.
    """
    x = draw(rng, rng.poisson(SIGNAL), rng.poisson(BACKGROUND))
    _, exact, exact_error = fitted(AtRest(0.0), x)
    own = np.concatenate([draw(rng, n, 0), draw(rng, 0, n)]).astype(np.float32)
    label = np.repeat([0, 1], n)
    combined = fit_classes(plain_mean(members, 2, first_is_base=True), own, label, np.ones(2 * n))
    held = model.Held(own, np.ones(2 * n), label)
    learned = model.Mixture(
        ("x", "y"), PROCESSES, ClassRatios(("signal", "background"), HALF, combined), (), (MU,), held
    )
    problem, value, error = fitted(learned, x)
    at_limit = not MU.low + 1e-6 < value < MU.high - 1e-6
    of_ratio = (
        0.0
        if at_limit
        else np.sqrt(
            ratio_covariance(learned, problem, as_fit(value, error), x.astype(np.float32), np.ones(len(x)))[0, 0]
        )
    )
    pulls = (exact - 1) / exact_error, (value - 1) / error, (value - 1) / np.hypot(error, of_ratio)
    if not floating:
        return pulls
    return *pulls, *(floating_pull(kind(learned), x) for kind in (FloatingMixture, Unnormalised))


def measure(n, experiments, seed=1, floating=False):
    """Coverage and widths of pulls for n events a class."""
    rng = np.random.default_rng(seed)
    config = NetworkConfig(members=5, hidden=(32, 32), epochs=20, batch_size=128)
    first = [sample(rng, n, kind, i) for i, kind in enumerate(("signal", "background"))]
    ratios, _ = train_classes(jax.random.key(seed), first, ["x", "y"], HALF, config, QUIET)
    members, fitted = ratios.combined.members, Fits()
    pulls = np.array([experiment(rng, fitted, members, n, floating) for _ in range(experiments)])
    return np.mean(np.abs(pulls) < 1, axis=0), pulls.std(axis=0), pulls.mean(axis=0)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    floats = "floating" in sys.argv[2:]
    names = ["exact ratio", "learned, taken for exact", "with its error"]
    names += ["floating", "floating, not normalised"] if floats else []
    for events in (2000, 500):
        clock = time.process_time()
        inside, widths, means = measure(events, number, floating=floats)
        error = np.sqrt(0.683 * 0.317 / number)
        print(f"{events} events a class, {number} experiments, {time.process_time() - clock:.0f} CPU s")
        for name, part, width, mean in zip(names, inside, widths, means, strict=True):
            print(f"  {name:<26} {100 * part:.1f} +- {100 * error:.1f} %, pull width {width:.2f}, mean {mean:+.2f}")
