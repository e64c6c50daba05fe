"""Analysing events that are on disk."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.generators.eventfiles import EventFile
from sbitune.generators.observables.framework.analysis import Analysis
from sbitune.generators.observables.framework.finalise import YodaObject
from sbitune.generators.observables.framework.run import AnalysisRun


def analyse(
    events_paths: str | Path | Iterable[str | Path],
    names: Sequence[str | Analysis],
    *,
    cross_section: tuple[float, float] | None = None,
    max_events: int | None = None,
) -> list[YodaObject]:
    """Return finished and raw objects of the analyses `names` of all events in one or several files.

    Args:
        events_paths: Files of events (.npz, or .hepmc and .hepmc.gz with the extra `hepmc`) of one run.
        names: Names of analyses, see `available()`.
        cross_section: Value and error in pb; without it that of the last file that has one, or 0.
        max_events: Stop after so many events in all.

    Raises:
        InputError: A file is not what it should be, an analysis does not exist or does not apply to the events.
    """
    paths = [events_paths] if isinstance(events_paths, str | Path) else list(events_paths)
    run, seen, found = AnalysisRun(names), 0, None
    for path in paths:
        events = EventFile(path)
        left = None if max_events is None else max_events - seen
        for batch in events.batches(max_events=left):
            run.fill(batch)
            seen += len(batch)
        found = events.cross_section or found
    if seen == 0:
        raise InputError(f"no events in {', '.join(str(path) for path in paths) or 'an empty list of files'}")
    return run.finalize(cross_section or found or (0.0, 0.0))
