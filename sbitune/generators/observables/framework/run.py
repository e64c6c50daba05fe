"""One run of the generator through several analyses, and the merging of such runs."""

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sbitune.data.errors import InputError, SbituneError
from sbitune.data.yoda import Counter, Scatter
from sbitune.generators.batch import EventBatch
from sbitune.generators.observables.framework import registry
from sbitune.generators.observables.framework.accumulators import Tally
from sbitune.generators.observables.framework.addition import add_raw
from sbitune.generators.observables.framework.analysis import Analysis, Booking
from sbitune.generators.observables.framework.finalise import (
    CROSS_SECTION,
    EVENT_COUNT,
    INTERNAL,
    RAW,
    RawResults,
    YodaObject,
    cross_section_of,
)
from sbitune.generators.observables.framework.projections import Projections

#: largest relative difference between the energies of two events of one run
_SAME_ENERGY = 1e-4


class AnalysisRun:
    """Analyses of one set of events with equal beams. Fill it batch by batch, then `finalize`.

    `names` are names of analyses or `Analysis` objects. The energy (GeV) and the beams (PDG codes) are those of the
    first event unless given.
    """

    def __init__(
        self,
        names: Sequence[str | Analysis],
        energy: float | None = None,
        beams: tuple[int, int] | None = None,
    ):
        if not names:
            raise InputError(f"no analysis was asked for. Available: {', '.join(registry.available())}")
        loaded = [registry.load(name) if isinstance(name, str) else name for name in names]
        self.analyses = list({analysis.name: analysis for analysis in loaded}.values())
        self.beams, self.energy = beams, energy
        self._count = Tally(EVENT_COUNT)
        self._booked: list[tuple[Analysis, Booking]] = []
        if beams is not None and energy is not None:
            self._book(beams, energy)

    def fill(self, batch: EventBatch) -> None:
        """Add the events of a batch."""
        if len(batch) == 0:
            return
        events = Projections(batch)
        self._check_beams(events)
        self._count.fill(events.weight)
        for analysis, booking in self._booked:
            with _naming(analysis):
                analysis.fill(events, booking)

    def restart(self) -> None:
        """Forget all fills; what is booked stays."""
        for accumulator in (self._count, *(a for _, booking in self._booked for a in booking.values())):
            accumulator.clear()

    def raw(self, cross_section: tuple[float, float] = (0.0, 0.0)) -> dict[str, YodaObject]:
        """Return the sums of fills by path, "/RAW/..."; they can be stored, and merged with `merge_runs`."""
        booked = [accumulator for _, booking in self._booked for accumulator in booking.values()]
        results = [accumulator.result() for accumulator in booked]
        results += [self._count.result(), _cross_section(cross_section)]
        return {f"{RAW}{result.path}": _at(f"{RAW}{result.path}", result) for result in results}

    def finalize(self, cross_section: tuple[float, float] = (0.0, 0.0)) -> list[YodaObject]:
        """Return the finished objects and then the raw ones, as Rivet writes them; cross-section and error in pb."""
        return finalize_raw(self.raw(cross_section), self.analyses)

    def _book(self, beams: tuple[int, int], energy: float) -> None:
        for analysis in self.analyses:
            booking = Booking(analysis.name, analysis.window(beams, energy))
            with _naming(analysis):
                analysis.book(booking)
            self._booked.append((analysis, booking))

    def _check_beams(self, events: Projections) -> None:
        codes, energy = events.beam_codes, events.energy
        if (codes[:, 0] == 0).any():
            raise InputError(f"event {np.argmax(codes[:, 0] == 0)} of a batch has not two beam particles (status 4)")
        if not self._booked:
            first, second = (int(code) for code in codes[0])
            self.beams, self.energy = self.beams or (first, second), self.energy or float(energy[0])
            self._book(self.beams, self.energy)
        assert self.beams is not None
        assert self.energy is not None
        different = np.sort(codes, axis=1) != np.sort(self.beams)
        if different.any():
            other = codes[different.any(axis=1)][0]
            raise InputError(f"events with beams {tuple(other.tolist())} in a run with beams {self.beams}")
        if (np.abs(energy - self.energy) > _SAME_ENERGY * self.energy).any():
            raise InputError(
                f"events of {energy.min():.6g} to {energy.max():.6g} GeV in a run at {self.energy:.6g} GeV:"
                " analyse different energies in different runs"
            )


@contextmanager
def _naming(analysis: Analysis) -> Iterator[None]:
    """Turn a fault inside an analysis into one message with its place."""
    try:
        yield
    except SbituneError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == analysis.fill.__code__.co_filename:
                place = frame  # the last line of the analysis' own file
        where = f"{place.filename}:{place.lineno}"
        raise InputError(f"analysis {analysis.name}: {where}: {type(error).__name__}: {error}") from error


def finalize_raw(raw: Mapping[str, Any], analyses: Iterable[Analysis] | None = None) -> list[YodaObject]:
    """Return the finished objects made from raw ones, followed by the raw ones.

    Analyses are recognised by the paths; those given explicitly need not be known by name.
    """
    given = {analysis.name: analysis for analysis in analyses or ()}
    count, xsec = raw[f"{RAW}{EVENT_COUNT}"], raw[f"{RAW}{CROSS_SECTION}"]
    finished: list[YodaObject] = []
    for prefix, objects in _by_analysis(raw).items():
        name = prefix.split(":")[0]
        analysis = given.get(name) or registry.load(name)
        results = RawResults(objects, count.sumw, cross_section_of(xsec)[0])
        with _naming(analysis):
            done = analysis.finalize(results)
        for key, obj in objects.items():
            if not key.lstrip("/").startswith(INTERNAL):
                finished.append(_at(f"/{prefix}/{key}", done.get(key, _unscaled(obj))))
    finished += [_at(EVENT_COUNT, _unscaled(count)), _at(CROSS_SECTION, xsec)]
    return finished + list(raw.values())


def merge_runs(runs: Sequence[Mapping[str, Any]]) -> list[YodaObject]:
    """Return finished and raw objects of several runs of the same process, from their objects by path.

    Raw sums are added and finished again; the cross-section is the mean of the runs' weighted by their numbers of
    events. Objects outside of /RAW are ignored.
    """
    if not runs:
        raise InputError("there are no runs to merge")
    return finalize_raw(add_raw(runs))


def _by_analysis(raw: Mapping[str, YodaObject]) -> dict[str, dict[str, YodaObject]]:
    groups: dict[str, dict[str, YodaObject]] = {}
    for path, obj in raw.items():
        prefix, _, key = path.removeprefix(f"{RAW}/").partition("/")
        if key:
            groups.setdefault(prefix, {})[key] = obj
    return groups


def _unscaled(obj: YodaObject) -> YodaObject:
    # Rivet's counters all pass through a scaling by one
    return obj.scaled(1.0) if isinstance(obj, Counter) else obj


def _at(path: str, obj):
    return obj.__class__(**{**vars(obj), "path": path})


def _cross_section(value_and_error: tuple[float, float]) -> Scatter:
    value, error = value_and_error
    return Scatter(
        path=CROSS_SECTION,
        values=np.array([[value]], float),
        minus=np.array([[error]], float),
        plus=np.array([[error]], float),
    )
