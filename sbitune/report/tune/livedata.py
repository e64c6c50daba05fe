"""Numbers that the live view of a tune computes with: the surrogate, the data with their covariance, the tune."""

from dataclasses import asdict
from typing import Any

import numpy as np

from sbitune.fitting.likelihood.problem import total_covariance
from sbitune.plots.frames import Frame
from sbitune.plots.observables import Panel
from sbitune.report.pieces.live import digits, encode
from sbitune.report.pieces.observables import bins_of
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.surrogates.forms.compact import Compact
from sbitune.tuning.surrogates.forms.kernelform import KernelForm
from sbitune.tuning.surrogates.regression.inputs import LOG_OFFSET


def numbers(fitted: Fitted, model: Compact, exact: KernelForm | None) -> dict[str, Any]:
    """What the scripts compute with."""
    measured = fitted.measured
    v = total_covariance(fitted.problem, fitted.theta)
    scale = np.sqrt(np.diag(v))
    correlation = (v / np.outer(scale, scale))[np.tril_indices(len(v))]
    default = fitted.default
    errors = np.array([p.error for p in fitted.record.parameters.values()])
    along = np.array(fitted.record.covariance) / np.where(errors > 0, errors, 1.0)[:, None]
    return {
        "model": {
            "low": [p.low for p in model.parameters],
            "high": [p.high for p in model.parameters],
            "bins": len(measured.bins),
            "degree": int(model.exponents.max()),
            "exponents": encode(model.exponents, "u1"),
            "coefficients": encode(model.coefficients, "<f4"),
            "error_coefficients": encode(model.error_coefficients, "<f4"),
            "log": encode(model.log, "u1"),
            "exact": None if exact is None else _exact(exact),
        },
        "measured": {
            "values": encode(measured.values),
            "scale": encode(scale),
            "correlation": encode(correlation, "<f4"),
            "weights": encode(measured.weights),
        },
        "best": fitted.theta.tolist(),
        "default": None if default is None else default.tolist(),
        "along": along.tolist(),
        "digits": [digits(p.high - p.low) for p in model.parameters],
    }


def drawn(
    fitted: Fitted, shown: list[tuple[str, Panel]], frames: list[Frame | None], single: list[int], rows: Frame | None
) -> dict[str, Any]:
    """Where things are drawn."""
    observables = []
    for (path, panel), frame in zip(shown, frames, strict=True):
        one: dict[str, Any] = {"bins": bins_of(fitted.measured.bins, path).tolist()}
        if frame is not None:
            one |= {"low": panel.low.tolist(), "high": panel.high.tolist(), "data_errors": panel.data.errors.tolist()}
            one["boxes"] = [asdict(box) for box in frame.boxes]
        observables.append(one)
    inside = [observables[i]["bins"][0] for i in single]
    return {
        "observables": observables,
        "rows": None if rows is None else {"bins": inside, "box": asdict(rows.boxes[0])},
    }


def _exact(form: KernelForm) -> dict[str, Any]:
    """Gaussian processes as `live_model.js` evaluates them."""
    return {
        "centre": encode(form.centre),
        "log": encode(form.log, "u1"),
        "offset": LOG_OFFSET,
        "parts": [
            {
                "logs": np.flatnonzero(part.log_inputs).tolist(),
                "runs": len(part.inputs),
                "groups": len(part.metric),
                "inputs": encode(part.inputs),
                "metric": encode(part.metric),
                "line": part.line.tolist(),
                "group": part.group.tolist(),
                "alpha": encode(part.alpha),
                "shift": part.shift.tolist(),
                "loadings": None if part.loadings is None else encode(part.loadings),
                "places": part.places.tolist(),
            }
            for part in form.parts
        ],
    }
