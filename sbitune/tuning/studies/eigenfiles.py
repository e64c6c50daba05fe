"""Eigentunes as files: settings for Pythia, what the surrogate predicts, and all numbers in `eigentunes.yaml`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sbitune.data import yoda
from sbitune.data.storage.files import write_text
from sbitune.fitting.binned.eigentunes import EigenTunes
from sbitune.tuning.output.predicting import as_scatters, predict_histograms
from sbitune.tuning.output.settings import settings_file
from sbitune.tuning.stages.fitted import Fitted
from sbitune.workflow.runs.tasks import version_of_runs

SUMMARY = "eigentunes.yaml"
_HEAD = """# Written by sbitune. delta: rise of the objective that holds the truth with this coverage, by toys;
# conventional_delta: the quantile of chi2 for as many degrees of freedom as there are free parameters.
"""


def write_eigentunes(directory: str | Path, fitted: Fitted, found: Sequence[EigenTunes]) -> list[Path]:
    """Write `eigentune-1+.cmnd` and `eigentune-1+.yoda` for every eigentune, `eigentune-0.95-1+...` if there are
    several coverages, and last `eigentunes.yaml`: where it is, the others are whole. Files of eigentunes before are
    taken away first.
    """
    directory = Path(directory)
    texts: dict[str, str] = {}
    summary = []
    for one in found:
        rows = {}
        for i, label in enumerate(one.labels):
            stem = f"eigentune-{label}" if len(found) == 1 else f"eigentune-{one.coverage:g}-{label}"
            texts[f"{stem}.cmnd"] = _settings(fitted, one, i)
            texts[f"{stem}.yoda"] = _prediction(fitted, one.theta[i])
            rows[label] = {
                "file": f"{stem}.cmnd",
                "values": _named(one.names, one.theta[i]),
                "rise": float(one.rises[i]),
                "clipped": bool(one.clipped[i]),
            }
        summary.append(describe(one) | {"eigentunes": rows})
    if directory.is_dir():
        for old in (directory / SUMMARY, *directory.glob("eigentune-*.cmnd"), *directory.glob("eigentune-*.yoda")):
            old.unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(directory / name, text)
    content = {"title": fitted.record.title, "tune": _named(tuple(fitted.record.parameters), fitted.theta)}
    lines = yaml.safe_dump(content | {"coverages": summary}, sort_keys=False, width=110, allow_unicode=True)
    write_text(directory / SUMMARY, _HEAD + lines)
    return [directory / name for name in (*texts, SUMMARY)]


def describe(one: EigenTunes) -> dict[str, Any]:
    """The numbers of one coverage as plain ones."""
    return {
        "coverage": one.coverage,
        "delta": one.delta,
        "delta_error": one.delta_error,
        "conventional_delta": one.conventional,
        "toys": one.toys,
        "failed_toys": len(one.failed),
        "notes": list(one.notes),
    }


def _named(names: Sequence[str], theta: np.ndarray) -> dict[str, float]:
    return {name: float(x) for name, x in zip(names, theta, strict=True)}


def _settings(fitted: Fitted, one: EigenTunes, i: int) -> str:
    head = [
        f"! {' '.join(fitted.loaded.card.title.split())}",
        f"! eigentune {one.labels[i]} by sbitune, for a coverage of {100 * one.coverage:g} %: the objective is higher "
        f"by {one.rises[i]:.3g} than at the tune" + (", where the range ends" if one.clipped[i] else ""),
    ]
    values = {
        name: (float(x), f"{x - at:+.3g}" if x != at else "as in the tune")
        for name, x, at in zip(one.names, one.theta[i], fitted.theta, strict=True)
    }
    return settings_file(fitted.loaded.card, head, values, version_of_runs(fitted.loaded))


def _prediction(fitted: Fitted, theta: np.ndarray) -> str:
    found = predict_histograms(fitted.surrogate, theta)
    return yoda.dumps(as_scatters(found, fitted.surrogate.parameters, theta))
