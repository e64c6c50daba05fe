"""How Gaussian processes are trained."""

import msgspec

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.training import RegressionKind
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.gaussian.fit import fit_gaussian
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.protocols import LEARNT, Candidate, Turn


class GaussianKind(RegressionKind):
    """Gaussian processes; bins that are learnt alone are whitened first."""

    config = GaussianConfig
    surrogate = GaussianSurrogate
    whitens = True

    def learn(
        self, scan: Scan, config: GaussianConfig, seed: int, scale: Scale, like: GaussianSurrogate | None = None
    ) -> GaussianSurrogate:
        """Kernels begin with those of what is `like` it."""
        return fit_gaussian(scan, config, seed, scale, like)

    def candidate(self, config: GaussianConfig, turn: Turn, scale: Scale) -> Candidate | None:
        """The better scale; where nothing is good enough the others, and every bin alone."""
        if turn == "first":
            return None
        name, config = f"Gaussian processes of {LEARNT[scale]}", msgspec.structs.replace(config, scale=scale)
        if turn == "last":
            return Candidate(f"{name}, bin by bin", msgspec.structs.replace(config, components=False), 40, scale)
        return Candidate(name, config, 20, scale)


KIND = GaussianKind()
