"""What the single steps work on: a surrogate from any of its files, a point in its parameters, the data it is for."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError, naming
from sbitune.data.formats.parameters import read_values
from sbitune.data.formats.professor import runs_in
from sbitune.data.formats.recognition import layout_of
from sbitune.data.formats.selection import Rule, read_weights, wanted_by
from sbitune.data.parameter import Parameter
from sbitune.data.reference import Reference, read_reference
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import finite
from sbitune.data.text.paths import reference_key
from sbitune.tuning.card import LoadedCard, load_card
from sbitune.tuning.record.result import read_record
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.stages.matching import Excluded, Matched, match
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.stages.surrogate_of_card import as_scan as as_scan  # for those who open models
from sbitune.tuning.stages.surrogate_of_card import surrogate_of
from sbitune.tuning.stages.surrogatefile import read_surrogate
from sbitune.tuning.stages.training import train_stage
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.workflow.opening import is_card, open_scan_card
from sbitune.workflow.runs.checking import reference_of
from sbitune.workflow.runs.scanning import load_scan
from sbitune.workflow.runs.scanning import stored_scan as stored_runs


class Opened(NamedTuple):
    """A surrogate and where it comes from."""

    model: TrainedSurrogate
    card: LoadedCard | None  #: whose surrogate it is, if it was opened by a card
    runs: tuple[str, ...]  #: names of the runs that it learnt from, where the file tells


def open_model(place: str | Path, reporter: Reporter = QUIET) -> Opened:
    """Read a surrogate.npz, a Professor `ipol.dat`, or the surrogate of a card (trained, if it is not there yet).

    Raises:
        InputError: if the place holds none of these, or the card has no scan yet.
    """
    loaded = card_at(place)
    if loaded is None:
        model, runs = read_surrogate(place)
        return Opened(model, None, runs)
    if loaded.stored is not None:
        return Opened(surrogate_of(loaded), loaded, read_surrogate(loaded.stored).runs)
    scan = stored_scan(loaded, reporter)
    return Opened(train_stage(loaded, scan, reporter), loaded, scan.runs)


def card_at(place: str | Path) -> LoadedCard | None:
    """The card of a tune, if the place is a card. Raises `InputError` for one of another family, too."""
    return load_card(place) if is_card(place) else None


def run_names_at(place: str | Path) -> tuple[str, ...]:
    """Names of the runs of a scan; those of run directories without reading histograms."""
    if is_card(place):
        loaded = open_scan_card(place)
        loaded.need_scan()
        return stored_runs(loaded).runs
    if Path(place).is_dir() and layout_of(place) == "runs":
        return tuple(run.name for run in runs_in(place))
    return load_scan(place).runs


def point_of(parameters: Sequence[Parameter], given: Mapping[str, float], extrapolate: bool = False) -> np.ndarray:
    """(n_parameters,) from values by name; names beyond those of the parameters are passed over.

    Raises:
        InputError: for a parameter without a value, or (unless `extrapolate`) outside its box.
    """
    missing = [p.name for p in parameters if p.name not in given]
    if missing:
        raise InputError(
            f"no value is given for {', '.join(missing)}; write NAME=VALUE for each, or name a file of them"
        )
    theta = np.array([given[p.name] for p in parameters], float)
    for p, value in zip(parameters, theta, strict=True):
        if not np.isfinite(value):
            raise InputError(f"{p.name} = {value} is not a finite number")
        if not extrapolate and not p.low <= value <= p.high:
            raise InputError(
                f"{p.name} = {value:g} is outside the range [{p.low:g}, {p.high:g}] that the surrogate learnt; "
                "take a value inside, or --extrapolate"
            )
    return theta


def values_of_words(words: Sequence[str], parameters: Sequence[Parameter], reporter: Reporter = QUIET) -> dict:
    """Parameter values from `NAME=VALUE` and files (params.dat, results.txt, result.yaml); later ones win.

    Raises:
        InputError: for a word that is neither, a name that is no parameter, or a value that is no number.
    """
    known = [p.name for p in parameters]
    values: dict[str, float] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if equals and not Path(word).is_file():
            values[_known(name, known)] = _number(word, text)
            continue
        found = _values_in(word)
        others = [name for name in found if name not in known]
        if others:
            reporter.say(f"{word}: {', '.join(others)}: not a parameter of the surrogate, passed over")
        values |= {name: value for name, value in found.items() if name in known}
    return values


def _values_in(path: str) -> dict[str, float]:
    if not Path(path).is_file():
        raise InputError(f"{path}: neither NAME=VALUE nor a file of parameters")
    if Path(path).suffix in (".yaml", ".yml"):
        return values_of_record(read_record(Path(path)))
    return read_values(path)


def values_of_record(record: ResultRecord) -> dict[str, float]:
    """The tuned values by name."""
    return {name: p.value for name, p in record.parameters.items()}


def _known(name: str, known: Sequence[str]) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? There" if near else "there"
    raise InputError(f"{name}: no such parameter; {hint} are {', '.join(known)}")


def _number(word: str, text: str) -> float:
    try:
        return finite(text)
    except ValueError as error:
        raise InputError(f"{shorten(word)}: {error}") from None


def record_of(loaded: LoadedCard | None) -> ResultRecord | None:
    """The tune of a card, if it was fitted."""
    if loaded is None or not loaded.output("result.yaml").is_file():
        return None
    return read_record(loaded.output("result.yaml"))


def matched_with(
    scan: Scan, loaded: LoadedCard | None, sources: Sequence[str] = (), weights: str | None = None
) -> Matched | None:
    """The measured bins of a scan: of the files and weights that are given, else of its card; None without either.

    Without weights every observable that is measured counts; bins of the others are excluded with that reason.

    Raises:
        InputError: for weights without data, selected bins that are not measured, or other binnings.
    """
    if not sources and (loaded is None or not loaded.card.reference):
        if weights is not None:
            raise InputError("--weights: say what was measured, too: --reference FILE or the name of a measurement")
        return None
    chosen = None
    if weights is not None:
        with naming("--weights"):
            chosen = read_weights(weights)
    if sources:
        paths = {reference_key(path) for path in scan.bins.paths()}
        reference = read_reference(sources, wants=paths.__contains__ if chosen is None else wanted_by(chosen))
    else:
        assert loaded is not None
        reference = reference_of(loaded)
    if chosen is not None:
        return match(scan, reference, chosen)
    if loaded is not None:
        return match(scan, reference, loaded.rules(), loaded.card.fit.correlations, strict=False)
    rules, missing = _all_measured(scan.bins, reference)
    matched = match(scan, reference, rules)
    reason = "the reference has no such observable"
    more = [Excluded(label, reason) for path in missing for label in scan.bins.take(scan.bins.of(path)).labels()]
    return matched._replace(excluded=(*matched.excluded, *more))


def _all_measured(bins: Bins, reference: Reference) -> tuple[list[Rule], list[str]]:
    known = set(reference.bins.paths())
    found = [path for path in bins.paths() if reference_key(path) in known]
    if not found:
        raise InputError(f"the reference has none of the observables, which begin with {', '.join(bins.paths()[:3])}")
    missing = [path for path in bins.paths() if path not in found]
    return [Rule(path, 1.0, "reference", exact=True) for path in found], missing
