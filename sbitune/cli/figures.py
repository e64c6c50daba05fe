"""The figures of a tune, as commands print them."""

from typing import Any

from sbitune.tuning.record import ResultRecord


def of_fit(record: ResultRecord) -> dict[str, Any]:
    """Parameters, chi2 and validation of a result."""
    figures: dict[str, Any] = {
        "status": record.status,
        "chi2": record.chi2,
        "ndf": record.ndf,
        "chi2_unit": record.chi2_unit,
        "parameters": {
            name: {"value": p.value, "error": p.error, "scaled_error": p.scaled_error, "status": p.status}
            for name, p in record.parameters.items()
        },
        "excluded": len(record.excluded),
        "notes": record.notes,
    }
    if record.findings:
        figures["findings"] = {row.kind: ", ".join(row.where) for row in record.findings}
    if record.validation is not None:
        v = record.validation
        figures |= {
            "validation_bins": v.bins,
            "validation_chi2_tuned": v.chi2_tuned,
            "validation_chi2_default": v.chi2_default,
            "surrogate_pull": v.surrogate_pull,
        }
    return figures
