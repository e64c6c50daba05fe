"""A posterior in the layout of arviz: `arviz.from_dict(**arviz_groups(...))`, or a file for `arviz.from_json`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.files import write_text
from sbitune.fitting.chains import Posterior
from sbitune.fitting.predictive import Predictive
from sbitune.fitting.problem import Measured

#: what the contents of the measured bins, and their axis, are called
CONTENTS, BIN = "contents", "bin"


def arviz_groups(
    posterior: Posterior, drawn: Predictive | None = None, measured: Measured | None = None
) -> dict[str, dict[str, Any]]:
    """Groups of arrays (chains, draws) of the free parameters and, with predictions, (chains, draws, n_bins).

    `lp` is counted from an unknown constant, as arviz does. `log_likelihood` is that of each bin given all others, see
    `sbitune.fitting.predictive`, so that `arviz.loo` is right for bins that are correlated; it needs predictions of
    every draw.

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


def write_arviz(path: str | Path, groups: dict[str, dict[str, Any]]) -> None:
    """Write what `arviz_groups` gives as `.json`, whole or not at all."""
    if Path(path).suffix != ".json":
        raise InputError(f"{path}: what arviz reads is written as .json")
    lists = {group: {name: np.asarray(x).tolist() for name, x in members.items()} for group, members in groups.items()}
    write_text(path, json.dumps(lists, allow_nan=False) + "\n")
