"""A mixture on disk: an .npz file of arrays with a JSON header; no pickles. What is read back gives the same bits."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import read_parameters, read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.learning.classifiers.combination import Combined, plain_mean
from sbitune.learning.classifiers.networks import build_classifier
from sbitune.learning.keys import Keys
from sbitune.ratios.mixture.calibrated import CalibratedClasses
from sbitune.ratios.mixture.classes import ClassRatios
from sbitune.ratios.mixture.model import Held, Mixture, Process
from sbitune.ratios.mixture.responses import Response

FORMAT, VERSION = "sbitune mixture of events", 2
_LAYOUT = {
    "fractions": ArraySpec(("n_samples",), low=0),
    "held_x": ArraySpec(("n_events", "n_columns"), np.float32),
    "held_weights": ArraySpec(("n_events",)),
    "held_sample": ArraySpec(("n_events",), np.int32, low=0),
}


def save_mixture(path: str | Path, mixture: Mixture) -> None:
    """Write a model, whole or not at all."""
    ratios, held = mixture.ratios, mixture.held
    networks: dict[str, Combined] = {} if ratios.combined is None else {"ratios": ratios.combined}
    networks |= {f"response{i}": response.combined for i, response in enumerate(mixture.responses)}
    meta = {
        "columns": list(mixture.columns),
        "parameters": [astuple(parameter) for parameter in mixture.parameters],
        "processes": [list(process) for process in mixture.processes],
        "responses": [[r.sample, r.nuisance, r.form, r.order, *r.rate, *r.ends] for r in mixture.responses],
        "networks": {name: _shape(combined) for name, combined in networks.items()},
        "calibration": None if ratios.calibrated is None else ratios.calibrated.kind,
    }
    arrays = {
        "fractions": ratios.fractions,
        "held_x": held.x,
        "held_weights": held.weights,
        "held_sample": held.sample,
    }
    if ratios.calibrated is not None:
        arrays |= {f"calibration/{name}": array for name, array in ratios.calibrated.arrays().items()}
    for name, combined in networks.items():
        arrays |= {f"{name}/{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(combined.members))}
        arrays |= {f"{name}/phi": combined.phi, f"{name}/covariance": combined.covariance}
    write_stored(path, FORMAT, VERSION, meta, arrays)


def load_mixture(path: str | Path) -> Mixture:
    """Read what `save_mixture` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    meta, stored = read_stored(path, FORMAT, VERSION)
    with reading_stored(path, FORMAT):
        columns = read_words("columns", meta["columns"])
        processes = tuple(Process(str(name), float(n), scale) for name, n, scale in meta["processes"])
        sizes = {"n_samples": len(processes), "n_columns": len(columns)}
        arrays = check_arrays(str(path), stored, _LAYOUT, sizes)
        if len(arrays["held_sample"]) and arrays["held_sample"].max() >= len(processes):
            raise InputError("held_sample names a sample that there is not")
        networks = {name: _network(name, shape, stored) for name, shape in meta["networks"].items()}
        responses = tuple(
            Response(sample, nuisance, form, int(order), networks[f"response{i}"], (down, up), (low, high))
            for i, (sample, nuisance, form, order, down, up, low, high) in enumerate(meta["responses"])
        )
        names, calibrated = tuple(process.name for process in processes), _calibrated(path, meta, stored)
        return Mixture(
            columns,
            processes,
            ClassRatios(names, arrays["fractions"], networks.get("ratios"), calibrated),
            responses,
            read_parameters(meta["parameters"]),
            Held(arrays["held_x"], arrays["held_weights"], arrays["held_sample"]),
        )


def _calibrated(path: str | Path, meta: dict[str, Any], stored: dict[str, np.ndarray]) -> CalibratedClasses | None:
    if meta["calibration"] is None:
        return None
    n = len(meta["processes"])
    own = {name.partition("/")[2]: array for name, array in stored.items() if name.startswith("calibration/")}
    check_arrays(str(path), own, {"log_means": ArraySpec((n,))})
    return CalibratedClasses.of_arrays(str(path), str(meta["calibration"]), n, own)


def _shape(combined: Combined) -> dict[str, Any]:
    """Whatever the networks can be built again from."""
    members = combined.members
    widths = [layer["kernel"].shape[-1] for _, layer in sorted(members.network.weights["hidden"]["layers"].items())]
    n_members, _, n_in = members.scaling.value.shape
    sizes = {"members": n_members, "n_in": n_in, "n_out": combined.n_out, "hidden": widths}
    return sizes | {"first_is_base": combined.first_is_base}


def _network(name: str, shape: dict[str, Any], stored: dict[str, np.ndarray]) -> Combined:
    """A stack of classifiers with the stored arrays in place of its own."""
    members, n_in = int(shape["members"]), int(shape["n_in"])
    empty = build_classifier(Keys.for_shapes(members), np.ones((2, n_in)), int(shape["n_out"]), shape["hidden"])
    leaves, structure = jax.tree.flatten(empty)
    layout = {f"{name}/{i}": ArraySpec(leaf.shape, np.float32) for i, leaf in enumerate(leaves)}
    sizes = {f"{name}/phi": ArraySpec(("n_phi",)), f"{name}/covariance": ArraySpec(("n_phi", "n_phi"))}
    begun = plain_mean(empty, n_in, bool(shape["first_is_base"]))
    arrays = check_arrays(name, stored, layout | sizes, {"n_phi": len(begun.phi)})
    filled = jax.tree.unflatten(structure, [jax.device_put(arrays[key]) for key in layout])
    return Combined(filled, arrays[f"{name}/phi"], arrays[f"{name}/covariance"], begun.first_is_base)
