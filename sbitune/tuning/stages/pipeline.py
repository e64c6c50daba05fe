"""The pipeline, from a card to a tune: each stage is a function, each leaves a file, each resumes."""

from sbitune.data.reporting import QUIET, Reporter
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.stages.comparison import validate_stage
from sbitune.tuning.stages.fitstage import fit_stage
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.stages.training import surrogate_stage
from sbitune.workflow.runs.checking import check, need_reference
from sbitune.workflow.runs.scanning import make_scan


def tune(loaded: LoadedCard, reporter: Reporter = QUIET) -> Fitted:
    """Run the whole pipeline; stages that are done are not repeated."""
    need_reference(loaded)
    if loaded.stored is not None:
        check(loaded)
    scan = make_scan(loaded, reporter) if loaded.stored is None else stored_scan(loaded)
    surrogate = surrogate_stage(loaded, scan, reporter)
    fitted = fit_stage(loaded, scan, surrogate, reporter)
    return fitted if loaded.card.generator is None else validate_stage(fitted, reporter)
