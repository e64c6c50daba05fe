"""Models on disk: an .npz file of arrays with a JSON header. A model read back gives the same bits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.files import hash_bytes
from sbitune.data.storage.layout import ArraySpec, check_arrays, whole_number
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.data.text.names import shorten
from sbitune.learning.keys import Keys
from sbitune.learning.weights import pack_weights, unpack_weights
from sbitune.ratios.posteriors.methods.registry import find_kind
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.prior import Shape, make_prior
from sbitune.ratios.posteriors.simulations import Scaling

FORMAT = "sbitune posterior model"
FORMAT_VERSION = 2
LAYOUT = {
    "centre": ArraySpec(("n_columns",)),
    "scale": ArraySpec(("n_columns",), low=0),
    "low": ArraySpec(("n_columns",)),
    "high": ArraySpec(("n_columns",)),
    "losses": ArraySpec((2, "n_epochs", "n_members"), np.float32),
    "best_epochs": ArraySpec(("n_members",), np.int32, low=-1),
    "preference": ArraySpec((2,), low=0, high=1),
    "mean": ArraySpec((2,)),
    "observation": ArraySpec(("n_columns",), needed=False),
}
_OF_MODEL = ("losses", "best_epochs", "preference", "mean")


def save_model(path: str | Path, model: Model) -> None:
    """Write a model, whole or not at all."""
    arrays = pack_weights(model.networks)
    arrays |= {name: np.asarray(array) for name, array in model.scaling._asdict().items()}
    arrays |= {name: np.asarray(getattr(model, name)) for name in _OF_MODEL}
    if model.observation is not None:
        arrays["observation"] = model.observation
    shapes = zip(model.prior.names, model.prior.shapes, strict=True)
    meta = {
        "kind": model.kind,
        "prior": [(name, msgspec.to_builtins(shape)) for name, shape in shapes],
        "columns": list(model.columns),
        "config": msgspec.to_builtins(model.config),
        "rounds": model.rounds,
        "simulations": model.simulations,
        "simulations_hash": model.simulations_hash,
        "notes": model.notes,
        "arrays_hash": _hash(arrays),
    }
    check_arrays(f"{path}: not written", arrays, LAYOUT, {"n_columns": len(model.columns)}, ComputationError)
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays)


def load_model(path: str | Path, columns: Sequence[str] | None = None) -> Model:
    """Read what `save_model` wrote.

    Args:
        path: of the file.
        columns: those of the observations that it will be shown, in their order; None: not compared.

    Raises:
        InputError: the file is absent, damaged or something else; its columns are others, or in another order.
    """
    meta, stored = read_stored(path, FORMAT, FORMAT_VERSION)
    with reading_stored(path, FORMAT):
        if meta["arrays_hash"] != _hash(stored):
            raise InputError("its arrays are not those that were written; copy the file again")
        kind = find_kind(meta["kind"])
        config = msgspec.convert(meta["config"], kind.config)
        prior = make_prior({name: msgspec.convert(shape, Shape) for name, shape in meta["prior"]})
        names = read_words("columns", meta["columns"])
        arrays = check_arrays(str(path), stored, LAYOUT, {"n_columns": len(names), "n_members": config.members})
        template = kind.method.build(Keys.for_shapes(config.members), config, prior, len(names), None)
        model = Model(
            kind=meta["kind"],
            prior=prior,
            columns=names,
            scaling=Scaling(*(arrays[name] for name in Scaling._fields)),
            config=config,
            networks=unpack_weights(str(path), template, stored),
            **{name: arrays[name] for name in _OF_MODEL},
            rounds=whole_number("rounds", meta["rounds"]),
            simulations=whole_number("simulations", meta["simulations"]),
            simulations_hash=str(meta["simulations_hash"]),
            notes=read_words("notes", meta["notes"]),
            observation=arrays.get("observation"),
        )
    _compare(path, names, columns)
    return model


def _compare(path: str | Path, names: tuple[str, ...], columns: Sequence[str] | None) -> None:
    if columns is None or tuple(columns) == names:
        return
    what = "in another order" if sorted(columns) == sorted(names) else "others"
    raise InputError(
        f"{path}: the model reads the columns {shorten(', '.join(names))}; these are {what}: "
        f"{shorten(', '.join(columns))}; give those of the model, in its order",
        code="posterior-columns",
    )


def _hash(arrays: dict[str, Any]) -> str:
    return hash_bytes(*(name.encode() + np.ascontiguousarray(arrays[name]).tobytes() for name in sorted(arrays)))
