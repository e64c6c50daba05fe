"""The inverse model: the posterior of the parameters given the bins, learnt from simulated measurements.

MCNNTunes (S. Lazzarin, S. Alioli, S. Carrazza, arXiv:2010.02213) trains a network from bins to parameters on the runs
of a scan with their bins moved by the measured errors, and takes the scatter of its answers for the error. Here the
network is a density. For pairs (theta, x), theta uniform in the box and x ~ p(x | theta) with all noise of the data,
the density that minimises E[-log q(theta | x)] is p(theta | x) itself, the posterior for a uniform prior in the box
(G. Papamakarios, I. Murray, arXiv:1605.06376). So no error has to be assigned afterwards, and several solutions, bent
ones and parameters that the data do not constrain are described as what they are.

Pairs are what limits it. A few hundred runs do not fill a box of many dimensions; so theta is drawn afresh, a surrogate
says what the bins are there, and its own error moves them. Only without a surrogate do the runs themselves serve.

A flow answers any question, also for data that no setting of the generator could give. `Inside` says whether these
are such data, and its note stands first.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter, parameter_box
from sbitune.fitting.checks.calibration import Calibration
from sbitune.learning.density.mixture import Mixture
from sbitune.learning.keys import check_key
from sbitune.tuning.inverse.compression import Compression
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.inside import Cloud, Inside, look_inside
from sbitune.tuning.inverse.summary import InverseSummary, summarise


@dataclass(frozen=True, eq=False)
class InverseModel:
    """A trained ensemble. The posterior is the equal mixture of its members; the prior is uniform in the box."""

    parameters: tuple[Parameter, ...]  #: with the box
    bins: Bins  #: (n_bins,) the measured bins, in the order in which `values` are given
    values: np.ndarray  #: (n_bins,) the measured values it was made for
    errors: np.ndarray  #: (n_bins,) their total errors
    reached: np.ndarray  #: (2, n_bins) smallest and largest content in all runs of the scan
    config: InverseConfig
    compression: Compression
    mixture: Mixture
    cloud: Cloud  #: simulated measurements that were not used in training
    calibration: Calibration  #: on such
    inside: Inside  #: whether the measured values are like them
    notes: tuple[str, ...] = ()  #: what a reader must know, the worst first

    def posterior(self, key: jax.Array, values: Any, n: int) -> np.ndarray:
        """Draw theta (n, n_parameters), in the generator's units, given the contents (n_bins,).

        Every member makes the same number of draws, to one; their order is random.
        """
        centre, half = parameter_box(self.parameters)
        return centre + half * self.mixture.sample(key, self.compression.apply(self._check(values)), n)

    def log_prob(self, theta: Any, values: Any) -> np.ndarray:
        """Return the log density (...,) of theta (..., n_parameters), in the generator's units, given the contents.

        `values` is (n_bins,) or (..., n_bins). Minus infinity outside the box.
        """
        centre, half = parameter_box(self.parameters)
        unit = (np.asarray(theta, np.float64) - centre) / half
        c = self.compression.apply(self._check(values))
        return self.mixture.log_prob(unit, c) - np.log(half).sum()

    def summary(self, key: jax.Array, values: Any = None, n: int = 10_000) -> InverseSummary:
        """Describe the posterior with n draws, given the measured values or others (n_bins,)."""
        inside, notes = self.inside, self.notes
        if values is not None:
            values = self._check(values)
            inside = look_inside(self.cloud, self.compression, values, self.reached, self.errors, self.bins)
            notes = (*inside.notes(), *(note for note in notes if note not in self.inside.notes()))
        draws = self._draw(check_key(key), self.values if values is None else values, n)
        return summarise(self.parameters, draws, notes)

    def _draw(self, key: jax.Array, values: np.ndarray, n: int) -> np.ndarray:
        """Draw theta (n_members, at least n / n_members, n_parameters)."""
        each = -(-n // self.mixture.n_members)
        centre, half = parameter_box(self.parameters)
        return centre + half * self.mixture.draw(key, self.compression.apply(values)[None], each)[0]

    def _check(self, values: Any) -> np.ndarray:
        values = np.asarray(values, np.float64)
        if values.shape[-1:] != (len(self.bins),):
            raise InputError(f"the inverse model reads {len(self.bins)} bins, got values of shape {values.shape}")
        if not np.isfinite(values).all():
            label = self.bins.labels()[int(np.argwhere(~np.isfinite(values))[0][-1])]
            raise InputError(f"bin {label}: its value is not finite")
        return values
