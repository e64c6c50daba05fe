"""A surrogate that is there: surrogate.npz or Professor's `ipol.dat`, in place of one that is learnt from a scan."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError, naming, naming_file
from sbitune.data.formats import recognise
from sbitune.data.ipol_reader import read_ipol
from sbitune.data.scan import Scan
from sbitune.generators.designs import run_names, unit_points
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.surrogates.ipol.surrogate import IpolSurrogate
from sbitune.tuning.surrogates.protocols import Surrogate, TrainedSurrogate, WithoutDefaults
from sbitune.tuning.surrogates.storage import load_with_runs
from sbitune.workflow.runs.checking import with_defaults

#: points at which a model without a scan tells which of its bins are never filled
_POINTS = 32


class Stored(NamedTuple):
    """What a surrogate's file holds."""

    model: TrainedSurrogate
    runs: tuple[str, ...]  #: names of the runs that it learnt from, where the file tells


def read_surrogate(place: str | Path) -> Stored:
    """Read a surrogate.npz or an `ipol.dat`. Raises `InputError` if the file is neither, or cannot be read."""
    kind = recognise(place)
    with naming_file(place):
        if kind == "surrogate":
            return Stored(*load_with_runs(place))
        if kind == "ipol":
            interpolation = read_ipol(place)
            return Stored(IpolSurrogate(interpolation), interpolation.runs)
    raise InputError(f"{place}: expected a surrogate.npz, an ipol.dat or a card; this is of the kind `{kind}`")


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
