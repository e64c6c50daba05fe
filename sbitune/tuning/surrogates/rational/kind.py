"""How rational functions are trained."""

from typing import Any

import msgspec

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.training import RegressionKind
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.protocols import LEARNT, Candidate, Turn
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.rational.fit import fit_rational
from sbitune.tuning.surrogates.rational.orders import choose_orders
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate


class RationalKind(RegressionKind):
    """Ratios of polynomials of the same orders for all bins."""

    config = RationalConfig
    surrogate = RationalSurrogate
    chooses_once = True

    def learn(self, scan: Scan, config: RationalConfig, seed: int, scale: Scale, like: Any = None) -> RationalSurrogate:
        """Ratios of the orders that are given or, with `auto`, found."""
        above, below = config.numerator, config.denominator
        # powers of parameters are straight lines only if both are logarithms; `scale` says nothing of components
        logs = config.log_inputs and config.scale == "log"
        if above == "auto" or below == "auto":
            above, below, _ = choose_orders(scan, above, below, seed, config.folds, scale, logs)
        return fit_rational(scan, above, below, scale, logs)

    def settled(self, config: RationalConfig, surrogate: RationalSurrogate) -> RationalConfig:
        """With the orders that were found."""
        return msgspec.structs.replace(config, numerator=surrogate.order[0], denominator=surrogate.order[1])

    def candidate(self, config: RationalConfig, turn: Turn, scale: Scale) -> Candidate | None:
        """The better scale."""
        if turn != "better scale":
            return None
        name = f"rational functions of {LEARNT[scale]}"
        return Candidate(name, msgspec.structs.replace(config, scale=scale), 30, scale)


KIND = RationalKind()
