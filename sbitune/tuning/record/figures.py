"""The figures of a tune, as commands print them."""

from collections.abc import Mapping
from typing import Any

from sbitune.tuning.record.types import ResultRecord

_COVERAGE = ("fits", "coverage68", "coverage68_error", "coverage95", "coverage95_error", "pull_width", "failed")


def of_fit(record: ResultRecord) -> dict[str, Any]:
    """Parameters, chi2 and validation of a result.

    `minos` is the lower (negative) and the upper error, None where there is none (a fixed parameter, `minos: false`);
    `closure` is that of held-out runs and `toys` that of toys at the tune, `goodness` how often such toys are described
    no better than the data are; `excluded` holds every selected bin that is not in the fit, and why.
    """
    figures: dict[str, Any] = {
        "status": record.status,
        "verdict": record.verdict,
        "warnings": record.warnings,
        "chi2": record.chi2,
        "ndf": record.ndf,
        "chi2_unit": record.chi2_unit,
        "parameters": {
            name: {
                "value": p.value,
                "error": p.error,
                "scaled_error": p.scaled_error,
                "minos": p.minos,
                "status": p.status,
            }
            for name, p in record.parameters.items()
        },
        "excluded": record.excluded,
        "notes": record.notes,
    }
    if record.closure:
        figures["closure"] = _coverage(record.closure)
    if "goodness" in record.answer:
        figures["goodness"] = {key: record.answer["goodness"][key] for key in ("p_value", "p_error", "toys")}
    if "coverage" in record.answer:
        figures["toys"] = _coverage(record.answer["coverage"])
    if record.findings:
        figures["findings"] = {row.kind: ", ".join(row.where) for row in record.findings}
    if record.validation is not None:
        v = record.validation
        figures |= {
            "validation_bins": v.bins,
            "validation_chi2_tuned": v.chi2_tuned,
            "validation_chi2_tuned_error": v.chi2_tuned_error,
            "validation_chi2_default": v.chi2_default,
            "validation_chi2_default_error": v.chi2_default_error,
            "surrogate_pull": v.surrogate_pull,
            "surrogate_p": v.surrogate_p,
        }
    return figures


def _coverage(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: figures[key] for key in _COVERAGE}
