r"""How the log weight of an event depends on a parameter: log w(theta) = sum_k T_k [h_k(theta) - h_k(base)].

The h_k are known functions, T_k numbers of the event.

- `StringFlav:probStoUD`, rho: with xi = probQQtoQ, x = probSQtoQQ, y = probQQ1toQQ0 held and q = x rho it is
  h = (log rho, log(2 + rho), log(1 + 2 q + 11 y + 6 q y + 4 y q^2)), exact for `StringFlav:popcornRate = 0`
  (flavours of a break, C. Bierlich et al., arXiv:2505.00142).
- `StringZ:aLund`: no finite form is known; powers of a - base, as many as variations, describe it nearly.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

#: values of Pythia 8.317 of what the forms need beside their parameter
DEFAULTS = {
    "StringFlav:probSQtoQQ": 0.915,
    "StringFlav:probQQ1toQQ0": 0.0275,
}


class Form(NamedTuple):
    """The form of one parameter."""

    keyword: str  #: of `VariationFrag:List`
    least: int  #: variations from which it can be recovered
    exact: bool  #: whether it holds for every event
    #: (h (..., n_functions), their derivatives) at values (...,) of the parameter, for so many functions
    functions: Callable[[np.ndarray, Mapping[str, float], int], tuple[np.ndarray, np.ndarray]]


def _powers(value: np.ndarray, settings: Mapping[str, float], n: int) -> tuple[np.ndarray, np.ndarray]:
    away = (np.asarray(value, float) - settings["StringZ:aLund"])[..., None]
    k = np.arange(1, n + 1)
    return away**k, k * away ** (k - 1)


def _strangeness(value: np.ndarray, settings: Mapping[str, float], n: int) -> tuple[np.ndarray, np.ndarray]:
    rho = np.asarray(value, float)
    x, y = (settings.get(name, DEFAULTS[name]) for name in DEFAULTS)
    q = x * rho
    norm = 1 + 2 * q + 11 * y + 6 * q * y + 4 * y * q**2
    slope = x * (2 + 6 * y + 8 * y * q) / norm
    h = np.stack([np.log(rho), np.log(2 + rho), np.log(norm)], axis=-1)
    return h, np.stack([1 / rho, 1 / (2 + rho), slope], axis=-1)


#: settings of Pythia -> how weights depend on them
FORMS: dict[str, Form] = {
    "StringZ:aLund": Form("aLund", 2, False, _powers),
    "StringFlav:probStoUD": Form("rho", 3, True, _strangeness),
}
