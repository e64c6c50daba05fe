"""How networks are trained."""

from typing import Any

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.heldout.inflation import find_inflation
from sbitune.tuning.surrogates.heldout.trials import said_by_groups
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.network.fit import fit_network
from sbitune.tuning.surrogates.network.surrogate import NeuralSurrogate
from sbitune.tuning.surrogates.protocols import Candidate, Turn


class NetworkKind:
    """An ensemble of networks, whose groups tell of the runs that they held out."""

    config = NetworkConfig
    surrogate = NeuralSurrogate

    def train(self, key: Any, scan: Scan, config: NetworkConfig, progress: Any = None) -> NeuralSurrogate:
        """See `protocols.Kind`."""
        surrogate, groups = fit_network(key, scan, config, progress)
        factor = find_inflation(said_by_groups(groups, scan, surrogate))
        return surrogate if factor == 1 else surrogate.wider(factor)

    def candidate(self, config: NetworkConfig, turn: Turn, scale: Scale) -> Candidate | None:
        """Where nothing else is good enough: it takes longest."""
        return Candidate("network", config, 50) if turn == "last" else None


KIND = NetworkKind()
