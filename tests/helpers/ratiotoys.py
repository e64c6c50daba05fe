"""Families of densities whose log ratio is known, as tables of events with parameters."""

from dataclasses import dataclass

import numpy as np

from sbitune.data.events import Events
from sbitune.data.parameter import Parameter
from sbitune.ratios.parameterised.samples import RatioEvents, events_for_ratio


@dataclass(frozen=True)
class Shifted:
    """x ~ N(theta, 1) in `d` dimensions, of theta in [-1, 1]^d; the reference is theta = 0.

    The simulator draws z ~ N(theta, share) first and then x ~ N(z, 1 - share): with a share of 1 it knows the exact
    ratio and score of x, with less only those of z, which scatter about them.
    """

    d: int = 2
    share: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"x{i}" for i in range(self.d))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(Parameter(f"mean{i}", -1.0, 1.0) for i in range(self.d))

    def point(self) -> dict[str, float]:
        return {p.name: 0.0 for p in self.parameters}

    def log_ratio(self, x: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return (x * theta).sum(-1) - (theta**2).sum(-1) / 2

    def draw(self, rng: np.random.Generator, n: int, theta: np.ndarray | None = None, truth: bool = False) -> Events:
        """Events of theta that are uniform in the box, or of the reference if `theta` is 0 (of which the joint ratio is
        that of theta uniform in the box).
        """
        at = rng.uniform(-1, 1, (n, self.d))
        mean = at if theta is None else np.broadcast_to(theta, (n, self.d))
        z = mean + np.sqrt(self.share) * rng.normal(size=(n, self.d))
        x = z + np.sqrt(1 - self.share) * rng.normal(size=(n, self.d))
        columns = dict(zip(self.columns, x.T, strict=True))
        if theta is None or truth:
            columns |= {p.name: at[:, i] for i, p in enumerate(self.parameters)}
        if truth:
            columns["log_ratio"] = self.log_ratio(z, at) / self.share
            columns |= {f"score{i}": (z - at)[:, i] / self.share for i in range(self.d)}
        return Events.of(columns)

    def sample(self, seed: int, n: int, reference: bool = False, truth: bool = False) -> RatioEvents:
        events = self.draw(np.random.default_rng(seed), n, np.zeros(self.d) if reference else None, truth)
        names = [f"score{i}" for i in range(self.d)] if truth else []
        return events_for_ratio(events, self.columns, self.parameters, "log_ratio" if truth else "", names)


@dataclass(frozen=True)
class Peaks:
    """Two peaks in three dimensions: a fraction f of N(m, w^2) about m along the first axis, and N(0, 1) otherwise; m,
    log w and logit f are parameters. Its log ratio is no finite sum of products.
    """

    columns = ("x0", "x1", "x2")
    parameters = (Parameter("m", -1.0, 1.0), Parameter("log_w", -0.7, 0.7), Parameter("logit_f", -1.0, 1.0))

    def point(self) -> dict[str, float]:
        return {p.name: 0.0 for p in self.parameters}

    def log_density(self, x: np.ndarray, theta: np.ndarray) -> np.ndarray:
        m, log_w, logit = np.moveaxis(np.asarray(theta), -1, 0)
        away = x - m[..., None] * np.array([1.0, 0.0, 0.0]) - np.array([0.5, 1.0, 0.0])
        peak = -(away**2).sum(-1) / 2 * np.exp(-2 * log_w) - 3 * log_w
        return np.logaddexp(peak - np.log1p(np.exp(-logit)), -(x**2).sum(-1) / 2 - np.log1p(np.exp(logit)))

    def log_ratio(self, x: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self.log_density(x, theta) - self.log_density(x, np.zeros(3))

    def draw(self, rng: np.random.Generator, n: int, theta: np.ndarray | None = None) -> Events:
        at = rng.uniform([p.low for p in self.parameters], [p.high for p in self.parameters], (n, 3))
        mean = at if theta is None else np.broadcast_to(theta, (n, 3))
        m, log_w, logit = mean.T
        x = rng.normal(size=(n, 3))
        peak = rng.uniform(size=n) < 1 / (1 + np.exp(-logit))
        moved = x * np.exp(log_w)[:, None] + m[:, None] * np.array([1.0, 0.0, 0.0]) + np.array([0.5, 1.0, 0.0])
        x = np.where(peak[:, None], moved, x)
        columns = dict(zip(self.columns, x.T, strict=True))
        if theta is None:
            columns |= {p.name: at[:, i] for i, p in enumerate(self.parameters)}
        return Events.of(columns)

    def sample(self, seed: int, n: int, reference: bool = False) -> RatioEvents:
        events = self.draw(np.random.default_rng(seed), n, np.zeros(3) if reference else None)
        return events_for_ratio(events, self.columns, self.parameters)


def rms_of(ratio, toy, n: int = 20_000, seed: int = 99) -> float:
    """rms error of log r over an equal mixture of both classes."""
    events, reference = toy.sample(seed, n), toy.sample(seed + 1, n, reference=True)
    x, theta = np.concatenate([events.x, reference.x]), np.concatenate([events.theta, events.theta[::-1]])
    return float(np.sqrt(np.mean((ratio.log_ratios(x, theta) - toy.log_ratio(x, theta)) ** 2)))
