"""Posteriors on disk: an .npz file of arrays with a JSON header. One read back draws the same bits."""

from dataclasses import astuple
from pathlib import Path

import msgspec
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import read_parameters, read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.learning.density.config import FlowConfig
from sbitune.learning.density.members import member_shapes
from sbitune.learning.density.mixture import Mixture
from sbitune.learning.density.posterior import BoxPosterior
from sbitune.learning.scaling import Scaling
from sbitune.learning.weights import pack_weights, unpack_weights

FORMAT = "sbitune posterior"
FORMAT_VERSION = 1
LAYOUT = {
    "mean": ArraySpec(("n_columns",)),
    "width": ArraySpec(("n_columns",), low=np.finfo(float).tiny),
    "products": ArraySpec((2, "n_products"), np.int32, low=0),
}


def save_posterior(path: str | Path, model: BoxPosterior) -> None:
    """Write a posterior, whole or not at all."""
    meta = {
        "config": msgspec.to_builtins(model.config),
        "parameters": [astuple(parameter) for parameter in model.parameters],
        "columns": model.columns,
    }
    arrays = pack_weights(model.mixture.members) | model.scaling._asdict()
    arrays["products"] = np.asarray(model.mixture.members.reading.value.products[0])
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays)


def load_posterior(path: str | Path) -> BoxPosterior:
    """Read what `save_posterior` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    meta, stored = read_stored(path, FORMAT, FORMAT_VERSION)
    with reading_stored(path, FORMAT):
        parameters, columns = read_parameters(meta["parameters"]), read_words("columns", meta["columns"])
        config = msgspec.convert(meta["config"], FlowConfig)
        arrays = check_arrays(str(path), stored, LAYOUT, {"n_columns": len(columns)})
        if arrays["products"].max(initial=-1) >= len(columns):
            raise InputError("'products' are not pairs of the columns")
        template = member_shapes(config, len(parameters), len(columns), arrays["products"].shape[1])
        mixture = Mixture(unpack_weights(str(path), template, stored), config.members)
        return BoxPosterior(parameters, columns, config, Scaling(arrays["mean"], arrays["width"]), mixture)
