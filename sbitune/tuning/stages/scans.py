"""The scan of a tuning card: its runs, or what a surrogate's file says at some points."""

from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.tuning.card import LoadedCard
from sbitune.workflow.runs import scanning


def stored_scan(loaded: LoadedCard, reporter: Reporter = QUIET) -> Scan:
    """Read the scan that `make_scan` left; of a card whose surrogate is that of a file, this at some points.

    Raises `StaleError` and `InputError` as that of `workflow.runs.scanning` does.
    """
    if loaded.stored is None:
        return scanning.stored_scan(loaded, reporter)
    from sbitune.tuning.stages.surrogate_of_card import (  # brings JAX, without which a scan starts faster
        as_scan,
        surrogate_of,
    )

    scan = as_scan(surrogate_of(loaded))
    loaded.check_ranges({p.name: (p.low, p.high) for p in scan.parameters})
    return scan


def scan_at_hand(loaded: LoadedCard, reporter: Reporter = QUIET) -> Scan:
    """The scan of `stored_scan`; one that the card names is read first if it was not yet, as
    `workflow.runs.scanning.scan_at_hand` does, and raises as that.
    """
    return stored_scan(loaded) if loaded.stored is not None else scanning.scan_at_hand(loaded, reporter)
