r"""p-values for many events (G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727).

With s = mu / sigma the root of q of Asimov data without signal, z = sqrt(q) - s, or (q~ - s^2) / (2 s) where q~ > s^2:

    p_sb = Phi(-z - s),   p_b = Phi(-z),   CLs = p_sb / p_b.

Without signal z is standard normal: where the background fluctuates up by N standard errors CLs = Phi(N - s) / Phi(N).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import log_ndtr, ndtri, ndtri_exp

from sbitune.fitting.hypotheses.statistics import Upper

#: fluctuations of the background of which expectations are quoted
BANDS = (-2, -1, 0, 1, 2)


def _log_cls(z: float, s: float) -> float:
    return float(log_ndtr(-z - s) - log_ndtr(-z))


def deviate(kind: Upper, q: float, s: float) -> float:
    """z, from the statistic of the data and the root of that of Asimov data."""
    if kind == "q_tilde" and q > s**2 > 0:
        return float((q - s**2) / (2 * s))
    return float(np.sqrt(q) - s)


def p_values(z: float, s: float) -> tuple[float, float, float]:
    """p_sb, p_b and CLs."""
    return float(np.exp(log_ndtr(-z - s))), float(np.exp(log_ndtr(-z))), float(np.exp(_log_cls(z, s)))


def expected_cls(s: float, bands: Sequence[int] = BANDS) -> tuple[float, ...]:
    """CLs where the background fluctuates by -2 .. 2 standard errors, upwards fluctuations looking like signal."""
    return tuple(float(np.exp(_log_cls(-n, s))) for n in bands)


def root_at(level: float, band: int, use_cls: bool) -> float:
    """The s at which a fluctuation by `band` standard errors just excludes with the confidence `level`."""
    alpha = 1 - level
    log_p = np.log(alpha) + (log_ndtr(float(band)) if use_cls else 0.0)
    return float(-ndtri_exp(log_p) + band)


def significance(p: float) -> float:
    """Standard deviations of a Gaussian whose upper tail is p."""
    return float(-ndtri(p))
