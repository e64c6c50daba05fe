"""Files of surrogates: surrogate.npz, or Professor's `ipol.dat`."""

from pathlib import Path
from typing import NamedTuple

from sbitune.data.errors import InputError, naming_file
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.formats.recognition import recognise
from sbitune.tuning.surrogates.ipol.surrogate import IpolSurrogate
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.storage import load_with_runs


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
    raise InputError(
        f"{place}: expected a surrogate.npz, an ipol.dat or a card; this is of the kind `{kind}`", code="surrogate-file"
    )
