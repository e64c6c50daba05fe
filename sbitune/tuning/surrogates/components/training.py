"""Training of kinds that learn components, or every bin alone: errors are widened until runs held out agree with them.

A kind says how it learns the bins of a scan, whatever they stand for; here it is given components, or the bins, and
the runs that are held out in turn.
"""

from dataclasses import replace
from typing import Any, ClassVar

import jax
import numpy as np
from threadpoolctl import threadpool_limits

from sbitune.data.correlation import MOST_BINS as MOST_CORRELATED
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.components import make_components
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.heldout.inflation import MOST_BINS, find_inflation, inflate, missing
from sbitune.tuning.surrogates.heldout.trials import make_trials, predict_in_turn, said_by_trials
from sbitune.tuning.surrogates.kindconfig import KindConfig, Scale
from sbitune.tuning.surrogates.protocols import Candidate, TrainedSurrogate, Turn
from sbitune.tuning.surrogates.regression.basis import spread_evenly
from sbitune.tuning.surrogates.regression.covariance import residual_correlation

#: with fewer runs none can be spared
_FEWEST_RUNS = 24
#: runs whose predictions' covariances are averaged
_FOR_CORRELATIONS = 40
#: of finding how wide errors must be
_TURNS = 2


class RegressionKind:
    """A kind that learns functions of the parameters for bins, or for components in their place.

    Its config has `components` and `scale`.
    """

    config: type[KindConfig]
    surrogate: type[TrainedSurrogate]
    #: whether bins that are learnt alone are first taken apart into combinations whose noise is independent
    whitens: ClassVar[bool] = False
    #: whether what it chooses takes most of its time, so that a first turn chooses for the second
    chooses_once: ClassVar[bool] = False

    def learn(self, scan: Scan, config: Any, seed: int, scale: Scale, like: Any = None) -> Any:
        """Learn every bin of a scan alone.

        Args:
            scan: the runs.
            config: of the type `config`.
            seed: of what is drawn.
            scale: of the bins: components are always linear.
            like: what was learnt from nearly the same scan, to begin with where that saves time.
        """
        raise NotImplementedError

    def settled(self, config: Any, surrogate: Any) -> Any:
        """The config with what was chosen for a surrogate; itself where nothing is chosen."""
        return config

    def known_errors(self, config: Any) -> bool:
        """Whether errors of bins that are learnt alone are left as they are."""
        return False

    def candidate(self, config: Any, turn: Turn, scale: Scale) -> Candidate | None:
        """See `protocols.Kind`."""
        return None

    def train(self, key: Any, scan: Scan, config: Any, progress: Any = None) -> TrainedSurrogate:
        """See `protocols.Kind`; what is given to a seed is all that is drawn."""
        seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
        with threadpool_limits(1):  # the matrices are small: threads that wait for each other cost more than they bring
            if config.components or (self.whitens and len(scan.bins) <= MOST_CORRELATED):
                return self._by_components(scan, config, seed)
            return self._bin_by_bin(scan, config, seed)

    def _bin_by_bin(self, scan: Scan, config: Any, seed: int) -> TrainedSurrogate:
        surrogate = _with_correlation(scan, self.learn(scan, config, seed, config.scale))
        if len(scan.runs) < _FEWEST_RUNS or self.known_errors(config):
            return surrogate
        config = self.settled(config, surrogate)
        some = spread_evenly(len(scan.bins), MOST_BINS)  # of many bins a part says enough
        few = scan.take_bins(some)
        trials = make_trials(
            few, seed, lambda part: _with_correlation(part, self.learn(part, config, seed, config.scale, surrogate))
        )
        known = None if surrogate.correlation is None else surrogate.correlation[np.ix_(some, some)]
        return inflate(surrogate, find_inflation(said_by_trials(few, trials, known, 0.0)))

    def _by_components(self, scan: Scan, config: Any, seed: int) -> TrainedSurrogate:
        """Learn the components, or as many combinations as there are bins, whose noise is independent: then errors of
        bins have the correlation of the noise. Where the scan does not know that, a first turn that takes them to be
        independent tells from its residuals.
        """
        correlation = scan.correlation
        if correlation is None and len(scan.bins) <= MOST_CORRELATED:
            first = self._learn_components(scan, config, seed, None)[0]
            if self.chooses_once:
                config = self.settled(config, first.inner)
            some = spread_evenly(len(scan.runs), _FOR_CORRELATIONS)
            learnt = first.learnt_covariances(scan.theta[some], np.arange(len(scan.bins)))
            taken = ((int(run), covariance) for run, (covariance, _) in zip(some, learnt, strict=True))
            correlation = residual_correlation(scan, first.predict_many(scan.theta), taken)
        surrogate, sigma = self._learn_components(scan, config, seed, correlation)
        if len(scan.runs) < _FEWEST_RUNS:
            return surrogate
        config = self.settled(config, surrogate.inner)
        trials = make_trials(
            scan, seed, lambda part: self._learn_components(part, config, seed, correlation, surrogate)[0]
        )
        factor, ratio = 1.0, 0.0
        for _ in range(_TURNS):  # what is learnt explains a part of what bins miss, once its errors are wide enough
            ratio = missing(scan, predict_in_turn(scan, trials, factor), config.kind)
            factor = find_inflation(said_by_trials(scan, trials, correlation, ratio))
        parts = surrogate.components._replace(common=np.sqrt(ratio) * sigma)
        return inflate(replace(surrogate, components=parts), factor)

    def _learn_components(
        self,
        scan: Scan,
        config: Any,
        seed: int,
        correlation: np.ndarray | None,
        like: ComponentSurrogate | None = None,
    ) -> tuple[ComponentSurrogate, np.ndarray]:
        reduced = make_components(scan, config.scale, correlation, every=not config.components)
        left = None if reduced.left is None else self.learn(reduced.left, config, seed, "linear", like and like.left)
        inner = self.learn(reduced.scan, config, seed, "linear", like and like.inner)
        parts = (scan.bins, reduced.components, inner, left, reduced.left_bins, correlation)
        return ComponentSurrogate(*parts), reduced.sigma


def _with_correlation(scan: Scan, surrogate: Any) -> Any:
    return replace(surrogate, correlation=residual_correlation(scan, surrogate.predict_many(scan.theta)))
