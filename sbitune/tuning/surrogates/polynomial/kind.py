"""How polynomials are trained."""

from typing import Any

import msgspec

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.training import RegressionKind
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.polynomial.orders import choose_order
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate
from sbitune.tuning.surrogates.protocols import LEARNT, Candidate, Turn


class PolynomialKind(RegressionKind):
    """Polynomials of one order for all bins. What they say of the scales tells which other kinds are tried on."""

    config = PolynomialConfig
    surrogate = PolynomialSurrogate

    def learn(
        self, scan: Scan, config: PolynomialConfig, seed: int, scale: Scale, like: Any = None
    ) -> PolynomialSurrogate:
        """Polynomials of the order that is given or, with `auto`, found."""
        order = config.order
        if order == "auto":
            order = choose_order(scan, config.max_order, seed, config.folds, scale, config.shrinkage).order
        return fit_polynomial(scan, order, scale, config.shrinkage)

    def settled(self, config: PolynomialConfig, surrogate: PolynomialSurrogate) -> PolynomialConfig:
        """With the order that was found."""
        return msgspec.structs.replace(config, order=surrogate.order)

    def known_errors(self, config: PolynomialConfig) -> bool:
        """Those of a given order are known for what they are, and for taking no time, as Professor's."""
        return config.order != "auto"

    def candidate(self, config: PolynomialConfig, turn: Turn, scale: Scale) -> Candidate | None:
        """Both scales, first of all."""
        if turn != "first":
            return None
        return Candidate(f"polynomials of {LEARNT[scale]}", msgspec.structs.replace(config, scale=scale), 10, scale)


KIND = PolynomialKind()
