"""How sure a tune is: what the toys say, and what disagrees with what."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbitune.report.pieces.coverage import coverage_in_words, coverage_table, goodness_in_words
from sbitune.report.pieces.numbers import decimal, with_error
from sbitune.report.pieces.parts import Paragraph, Section, table
from sbitune.report.pieces.templates import Part
from sbitune.tuning.inverse.stage import CalibrationRecord, InverseRecord
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.verdict import TELLING


def reliability_section(
    record: ResultRecord, inverse: InverseRecord | None = None, others: Sequence[Part] = ()
) -> Section:
    """The section on toys, what `others` say (the posterior), the inverse model if there is one, tension, added errors
    and weights.
    """
    answer = record.answer
    parts = [
        *_toys(answer),
        *_closure(record.closure),
        *others,
        *_inverse(inverse),
        *_choice(record),
        *_theory(answer),
        *_weights(record),
        *_tension(answer),
    ]
    return Section("sure", "How sure this is", parts)


def _toys(answer: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    if "goodness" in answer:
        where = "thrown from the surrogate at the tune, with the errors of data and surrogate, "
        parts.append(Paragraph(goodness_in_words(answer["goodness"], where)))
    if "coverage" in answer:
        c = answer["coverage"]
        parts += [Paragraph(f"In {c['fits']} such toys {coverage_in_words(c)}"), coverage_table(c)]
    return parts


def _closure(c: Mapping[str, Any]) -> list[Part]:
    """Runs that were held out, fitted as data."""
    if not c:
        return []
    words = (
        f"{c['fits']} runs of the scan were held out and fitted as if they were data, with the surrogate trained "
        f"without them: {coverage_in_words(c)} A run has fewer events than the data: what is tested here is the "
        "surrogate."
    )
    return [Paragraph(words), coverage_table(c)]


def _inverse(inverse: InverseRecord | None) -> list[Part]:
    """The posterior of the inverse model beside the direct fit; its notes stand first."""
    if inverse is None:
        return []
    rows = [
        (name, with_error(row.fit, row.fit_error),
         f"{row.mean:.5g} ± {row.sd:.2g}", f"{row.low68:.5g} to {row.high68:.5g}",
         "" if row.difference is None else f"{row.difference:+.2f}", "" if row.width is None else f"{row.width:.2f}")
        for name, row in inverse.parameters.items()
    ]  # fmt: skip
    words = (
        "The same data asked of the inverse model, a density of the parameters given the bins that was learnt from the "
        "surrogate. Where both are right they agree; they part at limits, with weights, and for data out of reach. "
        f"P of the data among those that the scan produces: {inverse.inside['p_value']:.2g}. "
        + _calibrated(inverse.calibration, "simulated measurements")
        + (_calibrated(inverse.calibration_on_runs, "runs held out") if inverse.calibration_on_runs else "")
    )
    head = ["parameter", "direct fit", "inverse posterior", "68 % interval", "difference in errors", "width / error"]
    notes = [Paragraph(f"Inverse model: {note}.", "warning") for note in inverse.notes]
    return [*notes, Paragraph(words), table(head, rows, range(1, 6))]


def _calibrated(c: CalibrationRecord, what: str) -> str:
    """How often the posteriors of cases with known parameters hold these."""
    each = np.mean(list(c.coverage.values()), axis=0)
    return (
        f"For {c.cases} {what}, posteriors of single parameters hold the truth at 68 % in {100 * each[0]:.0f} %, at "
        f"95 % in {100 * each[1]:.0f} % of cases, regions of all together in {100 * c.joint_coverage[0]:.0f} and "
        f"{100 * c.joint_coverage[1]:.0f} % (each +- {100 * c.coverage_error[0]:.1f} and "
        f"{100 * c.coverage_error[1]:.1f}). "
    )


def _choice(record: ResultRecord) -> list[Part]:
    if not record.choice:
        return []
    rows = [
        (row["name"], f"{row['log_density']:.3f}", f"{row['behind']:.3f} ± {row['behind_error']:.3f}",
         f"{row['rms_pull']:.2f}", f"{row['pull_width']:.2f}")
        for row in record.choice
    ]  # fmt: skip
    words = (
        ("The surrogate was chosen among these by" if len(record.choice) > 1 else "The surrogate was judged by")
        + f" the log probability given to {record.surrogate.get('held_out_runs')} runs held out (per run and bin; "
        "higher is better). A perfect surrogate has an rms pull of 1, one with true errors a pull width of 1."
    )
    head = ["surrogate", "log probability", "behind the best", "rms pull", "pull width"]
    return [Paragraph(words), table(head, rows, range(1, 5)), *_worst_observables(record)]


def _worst_observables(record: ResultRecord) -> list[Part]:
    if not record.worst_observables:
        return []
    rows = [
        ((row["path"], "path"), str(row["bins"]), f"{row['rms_pull']:.2f} ± {row['error']:.2f}",
         f"{row['pull_width']:.2f}")
        for row in record.worst_observables
    ]  # fmt: skip
    head = ["described worst", "bins", "rms pull", "pull width"]
    return [table(head, rows, range(1, 4))]


def _theory(answer: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    if "theory_errors" in answer:
        rows = [
            ((row["path"], "path"), f"{100 * row['relative']:.2f} %",
             f"{100 * row['low']:.2f} to {100 * row['high']:.2f} %" if row["fitted"] else "as given")
            for row in answer["theory_errors"]
        ]  # fmt: skip
        words = "Errors of the prediction itself, added in quadrature, independent from bin to bin."
        parts += [Paragraph(words), table(["observable", "theory error", "68 % interval"], rows, range(1, 3))]
    if "downweighted" in answer:
        rows = [((r["label"], "path"), f"{r['weight']:.2f}", f"{r['pull']:+.1f}") for r in answer["downweighted"][:40]]
        words = "Bins far from the fit, which the robust loss weighs less."
        parts += [Paragraph(words), table(["bin", "weight", "pull"], rows, range(1, 3))]
    return parts


def _weights(record: ResultRecord) -> list[Part]:
    if "automatic_weights" not in record.answer:
        return []
    found = record.answer["automatic_weights"]
    rows = [((path, "path"), f"{weight:.3f}") for path, weight in found["weights"].items()]
    metrics = found["metrics"]
    compared = [
        (key.replace("_", " "), *(f"{metrics[which][key]:.4g}" for which in ("automatic", "as given")))
        for key in ("outer", "weighted_chi2", "chi2", "a_optimality", "d_optimality")
    ]
    return [
        Paragraph("Weights chosen automatically (arXiv:2103.05751); they multiply residuals."),
        table(["observable", "weight"], rows, range(1, 2)),
        table(["metric, lower is better", "automatic", "weights as given"], compared, range(1, 3)),
        table(["parameter", "automatic", "weights as given"], _both_tunes(record, found["as_given"]), range(1, 3)),
    ]


def _both_tunes(record: ResultRecord, given: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    def others(name: str) -> str:
        return with_error(given[name]["value"], given[name]["error"])

    return [(name, with_error(p.value, p.error), others(name)) for name, p in record.parameters.items()]


def _of_the_others(p: float | None) -> tuple[str, str]:
    """None: there are no others."""
    return ("", "") if p is None else (f"{p:.2g}", "bad" if p < TELLING else "")


def _tension(answer: Mapping[str, Any]) -> list[Part]:
    if "tension" not in answer:
        return []
    rows = [
        (
            (row["path"], "path"), row["bins"], decimal(row["chi2"]),
            (f"{row['p']:.2g}", "bad" if row["p"] < TELLING else ""),
            _of_the_others(row["p_given_rest"]),
            f"{row['moves_by']:+.1f} ({row['moves']})" if "moves" in row else "",
        )
        for row in answer["tension"]["observables"]
    ]  # fmt: skip
    words = (
        "chi2 is that of the observable's own bins with their covariance, not its share of the fit's as in the table "
        "below. P: how often it is higher by chance, as part of this fit, and against what a fit to all "
        "others predicts for it."
    )
    if any("moves" in row for row in answer["tension"]["observables"]):
        words += " Last column: the parameter that moves most when the observable is left out, in errors."
    head = ["observable", "bins", "chi2", "P", "P given the others", "moves"]
    parts = [Paragraph(words), table(head, rows, range(1, 6))]
    bins = answer["tension"]["bins"]
    if bins:
        named = ", ".join(f"{row['bin']} ({row['pull']:+.1f})" for row in bins)
        parts.append(Paragraph(f"Bins furthest from what all others predict, in errors: {named}."))
    return parts
