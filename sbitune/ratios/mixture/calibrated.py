r"""Ratios of samples calibrated on events that nothing else has used.

The log odds of a sample j and the rest of the reference, densities of both normalised,

    s_j = log r_j - log[(1 - c_j r_j) / (1 - c_j)],

are mended by a function of one number, isotonic or by a histogram (`learning.calibration`), and ratios follow from
them: of two samples both from one function, of more each from its own, divided by what sum_j c_j r_j is then (B.
Zadrozny, C. Elkan, KDD 2002). Mean ratios over the events that calibrate are made 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from sbitune.data.errors import naming
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.learning.calibration.kinds import Calibration, calibrate, stored_calibration
from sbitune.learning.calibration.labelled import effective

#: effective events in a bin of a histogram, of either class, where there are enough; bins at least and at most
_IN_BIN, _FEWEST, _MOST = 25.0, 4, 30


@dataclass(frozen=True, eq=False)
class CalibratedClasses:
    """Functions of log odds, and what makes mean ratios 1."""

    kind: str
    functions: tuple[Calibration | None, ...]  #: (n_samples,) None where ratios follow from those of the others
    log_means: np.ndarray  #: (n_samples,) taken off log ratios

    def __call__(self, log_ratios: Any, fractions: Any) -> Any:
        """(n_events, n_samples) calibrated, of log ratios likewise and parts of the reference (n_samples,). Can be
        traced by JAX.
        """
        return _mended(self.functions, log_ratios, fractions) - self.log_means

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold, beside the kind."""
        found = {"log_means": self.log_means}
        for j, function in enumerate(self.functions):
            if function is not None:
                found |= {f"{j}/{name}": array for name, array in function.arrays().items()}
        return found

    @classmethod
    def of_arrays(cls, where: str, kind: str, n: int, arrays: Mapping[str, np.ndarray]) -> "CalibratedClasses":
        """Undo `arrays` for n samples. Raises `InputError` for arrays that are none of these."""
        functions: list[Calibration | None] = []
        for j in range(n):
            own = {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{j}/")}
            functions.append(stored_calibration(kind, where, own) if own else None)
        return cls(kind, tuple(functions), np.asarray(arrays["log_means"], float))


def calibrate_classes(
    kind: str,
    names: Sequence[str],
    fractions: np.ndarray,
    log_ratios: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
) -> CalibratedClasses:
    """Find the functions.

    Args:
        kind: `isotonic` or `histogram`.
        names: (n_samples,) in messages.
        fractions: (n_samples,) parts of the reference.
        log_ratios: of events of every sample (n_events, n_samples), as they were learned.
        weights: (n_events,) of the events of every sample.

    Raises `InputError` for too few events, or ratios that do not tell samples apart.
    """
    logs = np.concatenate(log_ratios).astype(float)
    sample = np.concatenate([np.full(len(w), j) for j, w in enumerate(weights)])
    w = np.concatenate([part / part.sum() for part in weights])
    functions: list[Calibration | None] = [None] * len(names)
    with double_precision():
        for j in [int(np.argmin(fractions))] if len(names) == 2 else np.flatnonzero(fractions < 1).tolist():
            odds, own = np.asarray(_log_odds(logs, fractions, j)), sample == j
            rest = np.where(own, 0.0, fractions[sample])
            each = [effective(np.where(one, w * part, 0.0)) for one, part in ((own, 1.0), (~own, rest))]
            bins = {"n_bins": int(np.clip(min(each) / _IN_BIN, _FEWEST, _MOST))} if kind == "histogram" else {}
            with naming(f"calibration of the ratio of {names[j]}"):
                functions[j] = calibrate(kind, odds, own.astype(int), w * np.where(own, 1.0, rest), **bins)
        mended = np.asarray(_mended(functions, jnp.asarray(logs), fractions))
    reference = w * fractions[sample]
    return CalibratedClasses(kind, tuple(functions), np.log(reference @ np.exp(mended) / reference.sum()))


def _log_odds(log_ratios: Any, fractions: Any, j: int) -> Any:
    """(n_events,) of sample j and the rest."""
    others = np.array([k for k in range(len(fractions)) if k != j and fractions[k] > 0])
    rest = logsumexp(log_ratios[:, others] + np.log(fractions[others]), axis=1) - np.log(1 - fractions[j])
    return log_ratios[:, j] - rest


def _mended(functions: Sequence[Calibration | None], log_ratios: Any, fractions: Any) -> Any:
    columns, known = [], [j for j, function in enumerate(functions) if function is not None]
    for j in known:
        function = functions[j]
        assert function is not None
        odds, c = function(_log_odds(log_ratios, fractions, j)), fractions[j]
        columns.append(odds - jnp.logaddexp(odds + np.log(max(c, 1e-300)), np.log(1 - c)))
        if len(functions) == 2:  # the rest is the other sample
            columns.insert(1 - j, columns[0] - odds)
    if len(functions) == 2:
        return jnp.stack(columns, axis=1)
    logs = jnp.stack(
        [columns[known.index(j)] if j in known else log_ratios[:, j] for j in range(len(functions))], axis=1
    )
    return logs - jnp.log(jnp.exp(logs) @ fractions)[:, None]
