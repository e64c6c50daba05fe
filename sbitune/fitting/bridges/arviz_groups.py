"""A posterior in the layout of arviz, whose two generations read it alike.

arviz 0.x gives an `InferenceData`: `arviz.from_dict(**arviz_groups(...))`, `arviz.from_json(path)`. arviz 1.x gives a
`DataTree`, and takes the groups as one dictionary beside coordinates and dimensions; it reads no JSON. `to_arviz` and
`read_arviz` do what the installed one needs.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.files import read_text, write_text
from sbitune.data.text.names import shorten
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.sampling.chains import Posterior
from sbitune.fitting.sampling.predictive import Predictive

#: what the contents of the measured bins, and their axis, are called
CONTENTS, BIN = "contents", "bin"


def arviz_groups(
    posterior: Posterior, drawn: Predictive | None = None, measured: Measured | None = None
) -> dict[str, dict[str, Any]]:
    """Groups of arrays (chains, draws) of the free parameters and, with predictions, (chains, draws, n_bins).

    `lp` is counted from an unknown constant, as arviz does. `log_likelihood` is that of each bin given all others, see
    `sbitune.fitting.sampling.predictive`, so that `arviz.loo` is right for bins that are correlated; it needs
    predictions of every draw.

    Args:
        posterior: samples.
        drawn: predictions from them.
        measured: what they predict.
    """
    groups: dict[str, dict[str, Any]] = {
        "posterior": {name: posterior.samples[:, :, posterior.names.index(name)] for name in posterior.free},
        "sample_stats": {
            "lp": -0.5 * posterior.minus_two_log,
            "diverging": posterior.diverging,
            "acceptance_rate": posterior.acceptance,
            "n_steps": posterior.steps,
        },
    }
    if drawn is None or measured is None:
        return groups
    groups["posterior_predictive"] = {CONTENTS: drawn.repeated}
    if drawn.values.shape[:2] == posterior.samples.shape[:2]:
        groups["log_likelihood"] = {CONTENTS: drawn.log_likelihood}
    groups["observed_data"] = {CONTENTS: measured.values}
    groups["constant_data"] = {"error": measured.total_errors}
    groups["coords"] = {BIN: measured.bins.labels()}
    groups["dims"] = {CONTENTS: [BIN], "error": [BIN]}
    return groups


def to_arviz(groups: dict[str, dict[str, Any]]) -> Any:
    """What `arviz_groups` gives as the installed arviz has it: `InferenceData` (0.x) or `DataTree` (1.x).

    Raises `InputError` if arviz is not installed.
    """
    arviz = _arviz()
    if hasattr(arviz, "from_json"):
        return arviz.from_dict(**groups)
    apart = {name: groups[name] for name in ("coords", "dims") if name in groups}
    return arviz.from_dict({name: members for name, members in groups.items() if name not in apart}, **apart)


def read_arviz(path: str | Path) -> Any:
    """A file of `write_arviz` as the installed arviz has it, see `to_arviz`. Raises `InputError` for what is none."""
    try:
        groups = json.loads(read_text(path, "posterior"))
        if not isinstance(groups, dict) or not isinstance(groups.get("posterior"), dict):
            raise ValueError("no group `posterior`")
        arrays = {
            group: members if group in ("coords", "dims") else {name: np.asarray(x) for name, x in members.items()}
            for group, members in groups.items()
        }
        return to_arviz(arrays)
    # xarray raises these of arrays, coordinates and dimensions that do not belong together
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError) as error:
        said = shorten(str(error), 200)
        raise InputError(f"{path}: not a posterior that was written for arviz ({said})") from error


def _arviz() -> Any:
    try:
        return importlib.import_module("arviz")
    except ImportError as error:
        raise InputError("the package `arviz` is not installed: pip install arviz") from error


def write_arviz(path: str | Path, groups: dict[str, dict[str, Any]]) -> None:
    """Write what `arviz_groups` gives as `.json`, for `read_arviz` and `arviz.from_json` (0.x), whole or not at all."""
    if Path(path).suffix != ".json":
        raise InputError(f"{path}: what arviz reads is written as .json")
    lists = {group: {name: np.asarray(x).tolist() for name, x in members.items()} for group, members in groups.items()}
    write_text(path, json.dumps(lists, allow_nan=False) + "\n")
