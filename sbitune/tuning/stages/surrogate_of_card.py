"""The surrogate of a card that names one which is there, in place of a scan from which it is learnt."""

import numpy as np

from sbitune.data.errors import naming
from sbitune.data.scan import Scan
from sbitune.generators.designs import run_names, unit_points
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.stages.surrogatefile import read_surrogate
from sbitune.tuning.surrogates.protocols import Surrogate, TrainedSurrogate, WithoutDefaults
from sbitune.workflow.runs.checking import with_defaults

#: points at which a model without a scan tells which of its bins are never filled
_POINTS = 32


def surrogate_of(loaded: LoadedCard) -> TrainedSurrogate:
    """Read the surrogate that a card names as `surrogate.path`. An `ipol.dat` knows no values before tuning: they are
    filled in where Pythia does.

    Raises:
        InputError: with the place in the card, for a file that cannot be read.
    """
    assert loaded.stored is not None
    with naming(loaded.place("surrogate", "path")):
        model = read_surrogate(loaded.stored).model
    if not isinstance(model, WithoutDefaults):
        return model
    return model.with_parameters(with_defaults(loaded, model.parameters))


def as_scan(model: Surrogate) -> Scan:
    """A model at points spread over its box, for what asks for a scan: the measured side of a fit without runs."""
    low, high = np.array([(p.low, p.high) for p in model.parameters]).T
    theta = low + (high - low) * unit_points("sobol", _POINTS, len(low), 1)
    mean, error = (np.asarray(part) for part in model.predict_many(theta))
    return Scan(model.parameters, theta, mean, error, model.bins, tuple(run_names(_POINTS)))
