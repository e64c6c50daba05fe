"""Measured data: histograms with the split of their errors and the citation of the measurement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data import measured, yoda
from sbitune.data.bins import Bins
from sbitune.data.checks.variances import negative_variances
from sbitune.data.error_sources import NO_OPINION, Decision, Opinion, check_opinion, decide
from sbitune.data.errors import InputError
from sbitune.data.formats import apprentice
from sbitune.data.formats.recognition import is_data
from sbitune.data.histograms import Histograms, flatten
from sbitune.data.text.names import nearest, shorten
from sbitune.data.text.paths import reference_key


class Source(NamedTuple):
    """Where measured data are, with what is known of their error sources beyond the labels."""

    place: str | Path  #: a YODA file, a directory of them, Apprentice's data JSON, or the name of a measurement
    opinion: Opinion = NO_OPINION


@dataclass(frozen=True, eq=False)
class Reference:
    """Measured histograms, with paths as the generator's objects have them (no `/REF`)."""

    histograms: Histograms
    sources: dict[str, np.ndarray] = field(default_factory=dict)
    #: source name -> (n_bins,) signed shift of every bin, mean of up and minus down; 0 where a bin has no such source
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    #: path -> {"Title", "XLabel", "YLabel", "Citation"} as far as the file gives them
    negative: np.ndarray | None = None  #: (n_bins,) True where the file has a negative error; its magnitude is taken
    #: path -> label of a source -> whether it is independent from bin to bin; sources that are missing here are judged
    #: by their label alone
    decided: dict[str, dict[str, Decision]] = field(default_factory=dict)
    left: tuple[str, ...] = ()  #: what is told of faulty objects that nobody wants, a message for each

    @property
    def bins(self) -> Bins:
        """The measured bins."""
        return self.histograms.bins

    @property
    def values(self) -> np.ndarray:
        """(n_bins,) measured values."""
        return self.histograms.values

    @property
    def errors(self) -> np.ndarray:
        """(n_bins,) total error of every bin, the mean of up and down."""
        return self.histograms.errors

    def correlated(self) -> dict[str, np.ndarray]:
        """The sources that move bins together: `path: source` -> (n_bins,) shifts. One entry per object and source.

        Objects whose sources add up to more than the total error (some published tables do) have none: `inconsistent`
        names them.
        """
        shifts = {}
        excluded = self.inconsistent()
        for name, column in self._moving().items():
            for path in self.bins.paths():
                mine = np.where(self.bins.path == path, column, 0.0)
                if np.any(mine) and path not in excluded:
                    shifts[f"{path}: {name}"] = mine
        return shifts

    def inconsistent(self) -> list[str]:
        """Paths of objects whose correlated sources exceed the total error of a bin by more than 5 %."""
        squares = sum((column**2 for column in self._moving().values()), np.zeros(len(self.values)))
        return self.bins.take(np.flatnonzero(np.sqrt(squares) > 1.05 * self.errors)).paths()

    def decisions(self) -> dict[str, dict[str, Decision]]:
        """Path -> label -> what the source is taken for, of all sources that move a bin of the path."""
        found: dict[str, dict[str, Decision]] = {}
        for path in self.bins.paths():
            where = self.bins.of(path)
            labels = [name for name, column in self.sources.items() if name and np.any(column[where])]
            given = self.decided.get(path, {})
            found[path] = decide(labels) | {label: given[label] for label in labels if label in given}
        return found

    def _moving(self) -> dict[str, np.ndarray]:
        """The shifts of sources where these are shared by the bins of their object."""
        shared: dict[str, np.ndarray] = {}
        for path, labels in self.decisions().items():
            where = self.bins.of(path)
            for label in (label for label, decision in labels.items() if not decision.independent):
                shared.setdefault(label, np.zeros(len(self.values)))[where] = self.sources[label][where]
        return {label: shared[label] for label in self.sources if label in shared}

    def take(self, indices: np.ndarray) -> "Reference":
        """Return the reference of the chosen bins, in their order."""
        return Reference(
            self.histograms.take(indices),
            {name: s[indices] for name, s in self.sources.items()},
            self.labels,
            None if self.negative is None else self.negative[indices],
            self.decided,
            self.left,
        )


_LABELS = ("Title", "XLabel", "YLabel", "Citation", "InspireID")


def read_reference(
    sources: Sequence[str | Path | Source],
    base: str | Path = ".",
    wants: Callable[[str], bool] = lambda path: True,
) -> Reference:
    """Read measured data: YODA files, directories of them, Apprentice's data JSON, names of embedded measurements.
    Which of their error sources are shared by bins is told by labels (`error_sources.decide`), or by a `Source`.

    What several sources hold is taken from the first. The JSON has no edges of bins: they reach from -inf to inf, and
    are found by their numbers (`Bins.locate`).

    Args:
        sources: files, directories and names.
        base: where paths begin.
        wants: called with paths without `/REF`: the objects that must be sound. Of others that are not, `left` tells.

    Raises:
        InputError: for what is neither a file, a directory nor an embedded name, faulty files and objects, and an
            opinion on a label that no source has.
    """
    parts: list[Reference] = []
    for source in sources:
        part = _read(source if isinstance(source, Source) else Source(source), Path(base), wants)
        before = {path for other in parts for path in other.bins.paths()}
        parts.append(part.take(np.flatnonzero([path not in before for path in part.bins.path])))
    if not any(len(part.values) for part in parts):
        raise InputError(
            "no reference data given: list YODA files, Apprentice's data JSON or the names of embedded measurements "
            f"({', '.join(measured.names())})"
        )
    return _join(parts)


def _read(source: Source, base: Path, wants: Callable[[str], bool]) -> Reference:
    path = base / source.place
    if path.is_file() and is_data(path):
        part = _from_json(path)
    else:
        objects: dict[str, yoda.Object] = {}
        left: list[str] = []
        for name, item in _objects(source.place, base, wants, left).items():
            objects.setdefault(reference_key(name), item)
        part = replace(from_objects(objects.values(), source.opinion), left=tuple(left))
    check_opinion(source.opinion, (label for label in part.sources if label), f"reference {source.place}")
    return part


def _from_json(path: Path) -> Reference:
    labels, values, errors = apprentice.read_data(path)
    names, numbers = apprentice.split_labels(f"data file {path}: bin", labels)
    keys = [reference_key(name) for name in names]
    if len(set(zip(keys, numbers, strict=True))) < len(keys):
        raise InputError(f"data file {path}: a bin is given twice, with and without /REF; take one of them out")
    everywhere = np.full(len(keys), np.inf)
    bins = Bins(np.array(keys, dtype=np.str_), np.array(numbers), -everywhere, everywhere)
    return Reference(Histograms(bins, values, errors, errors), {}, {}, np.zeros(len(keys), bool))


def _join(parts: Sequence[Reference]) -> Reference:
    """Put references side by side, in order; a bin has no shift of a source that its own reference does not know."""
    joined = [
        np.concatenate([getattr(part.histograms, name) for part in parts]) for name in ("values", "minus", "plus")
    ]
    sources = {
        name: np.concatenate([part.sources.get(name, np.zeros(len(part.values))) for part in parts])
        for name in dict.fromkeys(name for part in parts for name in part.sources)
    }
    labels: dict[str, dict[str, str]] = {}
    decided: dict[str, dict[str, Decision]] = {}
    for part in parts:
        labels = part.labels | labels
        decided = part.decided | decided
    negative = [part.negative if part.negative is not None else np.zeros(len(part.values), bool) for part in parts]
    bins = Bins.concatenate(part.bins for part in parts)
    left = tuple(message for part in parts for message in part.left)
    return Reference(Histograms(bins, *joined), sources, labels, np.concatenate(negative), decided, left)


def _objects(
    source: str | Path, base: Path, wants: Callable[[str], bool], left: list[str]
) -> Mapping[str, yoda.Object]:
    path = base / source

    def read(file: Path) -> dict[str, yoda.Object]:
        return yoda.read(file, wants=lambda name: wants(reference_key(name)), tell=left.append)

    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.name.endswith((".yoda", ".yoda.gz")))
        if not files:
            raise InputError(f"reference {path}: no .yoda or .yoda.gz file in this directory")
        objects: dict[str, yoda.Object] = {}
        for file in files:
            for key, item in read(file).items():
                if key in objects:
                    raise InputError(f"reference {file}: {key} is in another file of this directory, too; keep one")
                objects[key] = item
        return objects
    if path.is_file():
        return read(path)
    if str(source) in measured.names():
        return measured.load(str(source))
    raise InputError(
        f"reference {source}: {path} is neither a file nor a directory, and there is no embedded measurement of this "
        f"name{nearest(str(source), measured.names())}",
        code="reference-absent",
    )


def as_measured(bins: Bins) -> Bins:
    """The bins of a generator with the paths that a reference has for them."""
    return Bins(np.array([reference_key(path) for path in bins.path]), bins.index, bins.low, bins.high, bins.name)


def from_objects(objects: Iterable[yoda.Object], opinion: Opinion = NO_OPINION) -> Reference:
    """Make a reference of YODA objects; counters and objects of more than one dimension are passed over."""
    items = list(objects)
    histograms = flatten(items, reference_key)
    by_path = {reference_key(item.path): item for item in items}
    sources: dict[str, np.ndarray] = {}
    labels, decided = {}, {}
    for path in histograms.bins.paths():
        where = histograms.bins.of(path)
        item = by_path[path]
        labels[path] = {key: str(item.annotations[key]) for key in _LABELS if item.annotations.get(key)}
        points = yoda.points(item)
        decided[path] = decide([name for name in points.sources if name], opinion)
        down = 1.0 if isinstance(item, yoda.Scatter) and _unsigned(points.sources) else -1.0
        for name, shifts in points.sources.items():
            column = sources.setdefault(name, np.zeros(len(histograms.bins)))
            if np.isinf(shifts).any():
                raise InputError(f"{path}: the error source {shorten(name) or 'without a name'} has an infinite error")
            # a side that is not given is none, as in the total error
            low, high = np.nan_to_num(shifts).T
            column[where] = 0.5 * (high + down * low)
    return Reference(histograms, sources, labels, negative_variances(items), decided)


def _unsigned(sources: Mapping[str, np.ndarray]) -> bool:
    """Whether downward shifts are given as magnitudes, as YODA 1 writes what its own interface was given."""
    return not any(np.any(shifts < 0) for shifts in sources.values())
