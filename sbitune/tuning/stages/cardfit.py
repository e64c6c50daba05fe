"""What the commands that every family has ask of a tune: fit, profile, posterior, coverage, export."""

from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError
from sbitune.data.reporting import Reporter
from sbitune.fitting.bridges.pyhf_export import write_workspace
from sbitune.fitting.checks.coverage import Coverage
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.record.figures import of_fit
from sbitune.tuning.record.result import made_of, tune_of
from sbitune.tuning.stages.findings import scan_findings
from sbitune.tuning.stages.fitstage import fit_stage
from sbitune.tuning.stages.fitted import keep_coverage, read_fitted
from sbitune.tuning.stages.scans import scan_at_hand
from sbitune.tuning.stages.training import surrogate_stage
from sbitune.workflow.cardfit import CardFit, ExportOptions

#: eigenvectors of correlations in a workspace, if their number is not said
_COMPONENTS = 10


def fit_card(loaded: LoadedCard, reporter: Reporter) -> dict[str, Any]:
    """Fit on the scan that is there, with the surrogate that is there or is trained. Raises as `fit_stage` does."""
    scan = scan_at_hand(loaded, reporter)
    for finding in scan_findings(loaded, scan):
        reporter.say(str(finding))
    return of_fit(fit_stage(loaded, scan, surrogate_stage(loaded, scan, reporter), reporter).record)


def card_fit(loaded: LoadedCard, reporter: Reporter) -> CardFit:
    """The fit as it was made, and what was found. Raises as `read_fitted` does."""
    fitted = read_fitted(loaded, reporter)
    problem = fitted.problem
    return CardFit(
        problem, tune_of(fitted.record, problem.parameters), made_of(fitted.record), fitted.record.title, fitted
    )


def keep(found: CardFit, coverage: Coverage) -> None:
    """Put coverage by toys at the tune into `result.yaml`."""
    keep_coverage(found.details, coverage)


def export_fit(found: CardFit, to: str, output: Path, options: ExportOptions) -> dict[str, Any]:
    """Write a workspace of pyhf. Raises `InputError` as `write_workspace` does."""
    problem: Any = found.problem
    if options.bins is not None or options.observable is not None:
        raise InputError("--bins and --observable say how events are binned; those of a tune are")
    components = _COMPONENTS if options.components is None else options.components
    write_workspace(output, problem, found.fit, components)  # pyright: ignore[reportArgumentType]
    bins = problem.measured.bins
    return {"channels": len(bins.paths()), "bins": len(bins)}
