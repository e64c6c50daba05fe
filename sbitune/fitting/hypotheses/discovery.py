"""The significance of a signal: how often there would be as much without one.

p_0 = Phi(-sqrt(q_0)) asymptotically (G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727, eq. 52), or the share
of toys without signal; expected with a signal of a given strength from Asimov data.
"""

from dataclasses import dataclass

import jax
import numpy as np
from scipy.special import log_ndtr

from sbitune.data.errors import InputError
from sbitune.fitting.checks.goodness import p_value
from sbitune.fitting.hypotheses.asimov import asimov_data
from sbitune.fitting.hypotheses.asymptotic import significance
from sbitune.fitting.hypotheses.exclusion import SAME, need_key
from sbitune.fitting.hypotheses.profiled import Fits, Profiled
from sbitune.fitting.hypotheses.statistics import LEAST, statistics
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.results import Fit


@dataclass(frozen=True, eq=False)
class Discovery:
    """How significant a signal is."""

    parameter: str
    best: float  #: where the data have it
    statistic: float  #: q_0
    p_value: float  #: p_0
    p_error: float | None  #: of the number of toys; None for the asymptotic formula
    significance: float  #: standard deviations of a Gaussian whose upper tail is p_0
    expected: float | None  #: significance expected of a signal of the strength asked for; None if not asked
    notes: tuple[str, ...]
    toys: int = 0  #: that count; 0 for the asymptotic formula
    failed: int = 0  #: toys that could not be fitted

    def __str__(self) -> str:
        """One line, as a terminal shows it."""
        wanted = "" if self.expected is None else f", expected {self.expected:.3g}"
        spread = "" if self.p_error is None else f" +- {self.p_error:.2g}"
        return f"{self.parameter}: p0 = {self.p_value:.3g}{spread}, significance {self.significance:.3g}{wanted}"


def discovery(
    problem: Product,
    name: str,
    strength: float | None = None,
    best: Fit | None = None,
    key: jax.Array | None = None,
    toys: int = 0,
) -> Discovery:
    """The significance of a parameter above 0, by the asymptotic formula or by so many toys without signal.

    Args:
        problem: the fit.
        name: the parameter, whose range holds 0.
        strength: of a signal of which the significance is to be expected; other parameters are as the data have them
            with this strength.
        best: a fit of the data to begin from.
        key: throws toys; needed if there are any.
        toys: their number.

    Raises:
        InputError: if the range of the parameter begins above 0, it is not free, there is no likelihood, or toys have
            no key.
        ComputationError: if the data cannot be fitted, or more than 5 % of the toys.
    """
    need_key(key, toys)
    profiled = Profiled(problem, name)
    if not profiled.ends[0] <= LEAST < profiled.ends[1]:
        raise InputError(
            f"{name} is looked for from {profiled.ends[0]:g} on, and compared with no signal, {name} = 0; let its "
            "range hold 0",
            code="test-range",
        )
    free = profiled.best(best)
    data = statistics(profiled, "q_0", LEAST, [profiled.observed()], free.u, free)
    profiled.need_all(data.held, f"the data at {name} = 0")
    q = float(data.value[0])
    expected, notes = (None, ()) if strength is None else _expected(profiled, problem, strength, free)
    found = float(profiled.values(free)[0])
    if not toys or key is None:
        root = float(np.sqrt(q))
        return Discovery(name, found, q, float(np.exp(log_ndtr(-root))), None, root, expected, notes)
    thrown = profiled.throw(key, data.held.u[0], toys)
    of_toys = statistics(profiled, "q_0", LEAST, thrown, data.held.u[0])
    good = profiled.kept(of_toys.value)
    p, error = p_value(q - SAME, of_toys.value[good])
    lost = int(np.sum(~good))
    return Discovery(name, found, q, p, error, significance(p), expected, notes, int(np.sum(good)), lost)


def _expected(profiled: Profiled, problem: Product, strength: float, free: Fits) -> tuple[float, tuple[str, ...]]:
    """The significance of Asimov data with a signal."""
    held = profiled.held([profiled.observed()], strength, free.u)
    profiled.need_all(held, f"the data at {profiled.name} = {strength:g}")
    asimov = asimov_data(problem, profiled.frame.to_theta(held.u[0]))
    found = statistics(profiled, "q_0", LEAST, [asimov.data], held.u)
    profiled.need_all(Fits(found.held.u, found.value), "Asimov data")
    return float(np.sqrt(found.value[0])), asimov.notes
