"""Parameters without an effect: whether the events of Pythia change with a parameter at all, found before a scan.

Events of one seed are made with every parameter in the middle of its range, and with one of them at an end. As long as
nothing that Pythia decides depends on the parameter, both runs draw the same random numbers and make the same events,
to the last bit; a single difference shows that the parameter acts.

Most parameters show themselves in the first events, so a few are made first. Where these are equal, 500 are made at
both ends. With hadron beams the initialisation of multiparton interactions takes seconds; the few first events share
that of the middle, read from a file. A parameter that changes these events at unchanged tables acts; one that changes
the tables only is found by the 500 events, whose tables are their own.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from sbitune.generators.campaigns.pool import Failure, Worker
from sbitune.generators.campaigns.runs import DIGEST, Task
from sbitune.generators.config import PythiaConfig

#: events that are made first, and those that must be equal at both ends: with fewer a parameter of B hadrons, which are
#: in a fifth of the events at the Z, or of rare baryons may be missed; 500 at the Z cost less than to start Pythia
FIRST, ALL = 40, 500
#: seconds after which the first events are given up; what comes next has the time of a run
FIRST_LIMIT = 120.0
_SEED = 1

#: receives how many parameters are done with and how many there are
Progress = Callable[[int, int], None]


class Effects(NamedTuple):
    """What was found about the effects of parameters."""

    without: tuple[str, ...]  #: parameters that change no event
    unknown: dict[str, str]  #: parameters that could not be tried -> why


def find_effects(
    generator: PythiaConfig,
    ranges: Mapping[str, tuple[float, float]],
    tried: Sequence[str],
    time_limit: float,
    progress: Progress = lambda done, total: None,
) -> Effects:
    """Try whether events change with the parameters `tried`, all of which stand in `ranges` (low, high).

    Everything is done in one process that can be killed, after `time_limit` seconds for 500 events.
    """
    with tempfile.TemporaryDirectory(prefix="sbitune-effects-") as scratch:
        maker = _Maker(generator, ranges, Path(scratch), time_limit)
        try:
            return _find(maker, tried, progress)
        finally:
            maker.close()


def _find(maker: "_Maker", tried: Sequence[str], progress: Progress) -> Effects:
    without, unknown = [], {}
    progress(0, len(tried))
    if (reason := maker.prepare()) is not None:
        return Effects((), dict.fromkeys(tried, reason))
    for done, name in enumerate(tried, start=1):
        if not maker.acts_at_once(name):
            verdict = maker.acts(name)
            if isinstance(verdict, str):
                unknown[name] = verdict
            elif not verdict:
                without.append(name)
        progress(done, len(tried))
    return Effects(tuple(without), unknown)


class _Maker:
    """Makes events of one seed at the middle and at the ends of the ranges."""

    def __init__(
        self, generator: PythiaConfig, ranges: Mapping[str, tuple[float, float]], scratch: Path, time_limit: float
    ) -> None:
        self._generator, self._ranges, self._scratch, self._limit = generator, ranges, scratch, time_limit
        self._middle = {name: 0.5 * (low + high) for name, (low, high) in ranges.items()}
        self._worker = Worker()
        self._tables = scratch / "tables.mpi"
        self._first: str | None = None
        self._all: str | Failure | None = None

    def prepare(self) -> str | None:
        """Make the first events in the middle; gives the reason if Pythia cannot."""
        made = self._digest({}, FIRST, shared=True)
        if isinstance(made, Failure):
            return f"in the middle of all ranges: {made.reason.strip()}"
        if self._tables.is_file():  # it was written by the first one, which drew random numbers to do so
            made = self._digest({}, FIRST, shared=True)
        self._first = None if isinstance(made, Failure) else made
        return None

    def acts_at_once(self, name: str) -> bool:
        """Whether the first events at the low end are seen to differ."""
        made = self._digest({name: self._ranges[name][0]}, FIRST, shared=True)
        return self._first is not None and isinstance(made, str) and made != self._first

    def acts(self, name: str) -> bool | str:
        """Whether one of 500 events at either end differs from the middle; the reason where that cannot be told."""
        if self._all is None:
            self._all = self._digest({}, ALL)
        if isinstance(self._all, Failure):
            return f"in the middle of all ranges: {self._all.reason.strip()}"
        reason = ""
        for value in self._ranges[name]:
            made = self._digest({name: value}, ALL)
            if isinstance(made, Failure):
                reason = f"at {name} = {value:g}: {made.reason.strip()}"
            elif made != self._all:
                return True
        return reason or False

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _digest(self, moved: Mapping[str, float], events: int, shared: bool = False) -> str | Failure:
        """Hash of the events with some parameters moved from the middle; `shared`: with the tables of the first."""
        generator = self._generator
        if shared:
            tables = ("MultipartonInteractions:reuseInit = 3", f"MultipartonInteractions:initFile = {self._tables}")
            generator = msgspec.structs.replace(generator, settings=(*generator.settings, *tables))
        task = Task("effects", generator, self._middle | dict(moved), events, _SEED, ".")
        limit = min(self._limit, FIRST_LIMIT) if shared else self._limit
        failure = self._worker.run(task, self._scratch, limit, "probe")
        return failure or (self._scratch / DIGEST).read_text()
