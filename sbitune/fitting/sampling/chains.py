"""Samples of the parameters from their posterior, and whether the chains that drew them can be believed.

Convergence is judged as A. Vehtari et al. propose (Bayesian Analysis 16 (2021) 667, arXiv:1903.08008): R-hat and the
effective sample size (ESS) of rank-normalised, split chains, R-hat of the distances from the median, too, and the ESS
of the 5 % and 95 % quantiles.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter, read_parameters, read_words
from sbitune.data.storage.arrays import read_arrays, reading_stored, write_arrays
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.data.storage.store import MADE_BY, THIS
from sbitune.data.text.names import shorten

#: limits of Vehtari et al.: 4 chains of 100 effective draws each
MOST_R_HAT, LEAST_ESS = 1.01, 400.0
ONE_SIGMA = 0.6826894921370859
_FORMAT = 1
_STATISTICS = ("minus_two_log", "diverging", "acceptance", "steps")
LAYOUT = {
    "samples": ArraySpec(("n_chains", "n_draws", "n_parameters"), np.floating),
    "minus_two_log": ArraySpec(("n_chains", "n_draws"), np.floating),
    "diverging": ArraySpec(("n_chains", "n_draws"), np.bool_),
    "acceptance": ArraySpec(("n_chains", "n_draws"), np.floating, low=0, high=1),
    "steps": ArraySpec(("n_chains", "n_draws"), np.int64, low=0),
}


class Diagnosis(NamedTuple):
    """Convergence of one parameter."""

    r_hat: float  #: 1 if the chains agree
    ess: float  #: effective sample size in the bulk
    ess_tail: float  #: the smaller of those of the 5 % and 95 % quantiles
    ess_mean: float  #: of the mean, without ranks: its Monte Carlo error is the standard deviation / sqrt(ess_mean)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of the parameters from their posterior."""

    parameters: tuple[Parameter, ...]
    free: tuple[str, ...]
    samples: np.ndarray  #: (chains, draws, n_parameters) in the generator's units; fixed parameters never change
    minus_two_log: np.ndarray  #: (chains, draws) -2 log L, counted from log det V at the fit's minimum
    diverging: np.ndarray  #: (chains, draws) whether the trajectory lost its energy
    acceptance: np.ndarray  #: (chains, draws) mean probability of acceptance in the trajectory
    steps: np.ndarray  #: (chains, draws) gradients that the draw cost
    diagnoses: dict[str, Diagnosis]  #: of the free parameters
    notes: tuple[str, ...] = field(default=())  #: what is wrong; empty if nothing is
    made_of: Mapping[str, str] = field(default_factory=dict)  #: hashes of the card, the fit, ...; empty: not known

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names, in the order of the last axis of `samples`."""
        return tuple(p.name for p in self.parameters)

    @property
    def converged(self) -> bool:
        """Whether the samples can be used: R-hat <= 1.01, all ESS >= 400, no divergences."""
        return not self.notes

    @property
    def draws(self) -> np.ndarray:
        """(chains x draws, n_parameters) all samples."""
        return self.samples.reshape(-1, self.samples.shape[-1])

    @property
    def divergences(self) -> int:
        """How many trajectories diverged."""
        return int(self.diverging.sum())

    @property
    def mean(self) -> np.ndarray:
        """(n_parameters,)."""
        return self.draws.mean(axis=0)

    @property
    def covariance(self) -> np.ndarray:
        """(n_parameters, n_parameters); rows of fixed parameters are zero."""
        return np.cov(self.draws, rowvar=False).reshape((len(self.parameters),) * 2)

    @property
    def errors(self) -> np.ndarray:
        """(n_parameters,) standard deviations; 0 for fixed parameters."""
        return np.sqrt(np.diag(self.covariance))

    def intervals(self, level: float = ONE_SIGMA) -> np.ndarray:
        """(n_parameters, 2) central intervals that hold `level` of the posterior, between 0 and 1."""
        if not 0 < level < 1:
            raise InputError(f"the level of an interval is between 0 and 1, not {level:g}")
        return np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0).T

    def save(self, path: str | Path) -> None:
        """Write the samples, whole or not at all, as `.npz` for `load_posterior`. For arviz see `write_arviz`."""
        if Path(path).suffix != ".npz":
            raise InputError(f"{path}: a posterior is written as .npz")
        write_arrays(path, self._arrays())

    def _arrays(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name) for name in ("samples", *_STATISTICS)}
        about = [(p.name, p.low, p.high, p.default, p.unit) for p in self.parameters]
        diagnoses = {name: tuple(diagnosis) for name, diagnosis in self.diagnoses.items()}
        head = {"format": _FORMAT, "parameters": about, "free": self.free, "diagnoses": diagnoses, "notes": self.notes}
        head |= {MADE_BY: THIS, "made_of": dict(self.made_of)}
        return {"head": np.array(json.dumps(head))} | arrays

    def __str__(self) -> str:
        """Table of the parameters, as a terminal shows it."""
        width = max(len(name) for name in self.names)
        chains, draws = self.samples.shape[:2]
        lines = [f"{chains} chains of {draws} draws, {self.divergences} divergences"]
        for name, mean, error, (low, high) in zip(self.names, self.mean, self.errors, self.intervals(), strict=True):
            told = "(fixed)"
            if name in self.free:
                d = self.diagnoses[name]
                told = f"+- {error:.4g}  [{low:.5g}, {high:.5g}]  R-hat {d.r_hat:.3f}  ESS {d.ess:.0f}"
            lines.append(f"{name:<{width}}  {mean:>10.5g} {told}")
        return "\n".join([*lines, *self.notes])


def load_posterior(path: str | Path) -> Posterior:
    """Read what `Posterior.save` wrote as `.npz`. Raises `InputError` if it is no such file."""
    kind = "posterior that sbitune wrote"
    with reading_stored(path, kind):
        stored = read_arrays(path, kind)
        check_arrays(str(path), stored, {"head": ArraySpec((), np.str_)})
        head = json.loads(str(stored["head"]))
        if head["format"] != _FORMAT:
            found, maker = (shorten(str(part)) for part in (head["format"], head.get(MADE_BY, "an older sbitune")))
            raise InputError(
                f"{path}: posterior of format version {found}, made by {maker}, this sbitune reads {_FORMAT}; update "
                "sbitune or sample it again"
            )
        parameters = read_parameters(head["parameters"])
        arrays = check_arrays(str(path), stored, LAYOUT, {"n_parameters": len(parameters)})
        free, notes = (read_words(name, head[name]) for name in ("free", "notes"))
        diagnoses = {name: Diagnosis(*map(float, numbers)) for name, numbers in head["diagnoses"].items()}
        made_of = {str(name): str(value) for name, value in head.get("made_of", {}).items()}
        if set(diagnoses) != set(free) or not set(free) <= {parameter.name for parameter in parameters}:
            raise InputError("its diagnoses are not those of its free parameters")
    return Posterior(parameters, free, **arrays, diagnoses=diagnoses, notes=notes, made_of=made_of)


def diagnose(x: np.ndarray) -> Diagnosis:
    """Convergence of one parameter from its chains (chains, draws), at least 4 draws."""
    from numpyro.diagnostics import effective_sample_size

    if np.ptp(x) == 0:
        return Diagnosis(np.inf, 0.0, 0.0, 0.0)  # chains that do not move have found nothing
    halves = _split(x)
    low, high = np.quantile(x, [0.05, 0.95])
    tails = [float(effective_sample_size(_split(1.0 * part))) for part in (x <= low, x >= high)]
    return Diagnosis(
        r_hat=max(_r_hat(_normal_scores(part)) for part in (halves, _split(np.abs(x - np.median(x))))),
        ess=float(effective_sample_size(_normal_scores(halves))),
        ess_tail=min(tails),
        ess_mean=float(effective_sample_size(halves)),
    )


def convergence_notes(diagnoses: dict[str, Diagnosis], divergences: int) -> tuple[str, ...]:
    """What is wrong with the chains, and what to do; empty if nothing is."""
    notes = []
    for name, d in diagnoses.items():
        if not d.r_hat <= MOST_R_HAT:
            notes.append(
                f"{name}: the chains do not agree (R-hat {d.r_hat:.3f} > {MOST_R_HAT}): draw more, look for two minima"
            )
        least = min(d.ess, d.ess_tail)
        if not least >= LEAST_ESS:
            notes.append(f"{name}: effective sample size {least:.0f} < {LEAST_ESS:.0f}: draw more")
    if divergences:
        notes.append(f"{divergences} trajectories diverged: raise target_accept")
    return tuple(notes)


def _split(x: np.ndarray) -> np.ndarray:
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, x.shape[1] - half :]])


def _normal_scores(x: np.ndarray) -> np.ndarray:
    """Quantiles of the normal distribution at the ranks of x in all chains (Vehtari et al., eq. 14)."""
    ranks = stats.rankdata(x, method="average").reshape(x.shape)
    return stats.norm.ppf((ranks - 0.375) / (x.size + 0.25))


def _r_hat(x: np.ndarray) -> float:
    """Square root of pooled over mean variance within chains (chains, draws) (Vehtari et al., eqs. 1-4)."""
    n = x.shape[1]
    within = x.var(axis=1, ddof=1).mean()
    return float(np.sqrt((n - 1) / n + x.mean(axis=1).var(ddof=1) / within)) if within > 0 else np.inf
