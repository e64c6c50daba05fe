"""The run card: everything that determines a tune, in one file."""

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError, naming_file
from sbitune.data.scan import Parameter
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.frame import ROUNDED
from sbitune.generators.config import EventCount
from sbitune.tuning.checks.run_requirements import check_run_requirements
from sbitune.tuning.surrogates.config import AutoConfig, SurrogateConfig
from sbitune.workflow.cards.cardfile import read_card_file
from sbitune.workflow.cards.scancard import ScanCard, ScanCardFile, check_scan_card
from sbitune.workflow.cards.yamlfile import Parsed


class ValidationConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Runs of the generator at the tune and, for comparison, at the values before it."""

    events: Annotated[EventCount, msgspec.Meta(description="Events at each of the two points.")] = 50_000
    split: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=1000,
            description="Number of runs with different seeds that share the events of a point and are merged.",
        ),
    ] = 2


class FileConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="file"):
    """A surrogate that is there already; nothing is run or trained, and `scan` and `parameters` are left out."""

    path: Annotated[
        str,
        msgspec.Meta(
            description="surrogate.npz of `sbitune train`, or an `ipol.dat` of Professor, relative to the card."
        ),
    ]

    @property
    def kind(self) -> str:
        """The method's name in a card."""
        return "file"


class Card(ScanCard, forbid_unknown_fields=True, frozen=True):
    """A tuning card."""

    surrogate: Annotated[
        SurrogateConfig | FileConfig,
        msgspec.Meta(description="How every bin's response is learnt, or a surrogate that exists."),
    ] = AutoConfig()
    fit: Annotated[BinnedFitConfig, msgspec.Meta(description="How the parameters are fitted.")] = BinnedFitConfig()
    validation: Annotated[ValidationConfig, msgspec.Meta(description="Runs at the answer.")] = ValidationConfig()


class LoadedCard(ScanCardFile[Card], frozen=True):
    """A tuning card, and the file that it stands in."""

    @property
    def stored(self) -> Path | None:
        """The file of the surrogate, if the card names one in place of a scan."""
        surrogate = self.card.surrogate
        return self.directory / surrogate.path if isinstance(surrogate, FileConfig) else None

    @property
    def has_scan(self) -> bool:
        """Whether there is a scan: not where the surrogate is that of a file."""
        return self.stored is None

    @property
    def training_config(self) -> SurrogateConfig:
        """What is to be trained. Raises `InputError` if the card names a surrogate's file: it has no runs then."""
        surrogate = self.card.surrogate
        if isinstance(surrogate, FileConfig):
            raise InputError(
                f"{self.place('surrogate', 'path')}: this needs the runs of a scan, of which a surrogate that is read "
                "from a file knows nothing; name the scan and the kind of surrogate instead",
                code="card-without-scan",
            )
        return surrogate

    def place(self, *steps: str | int) -> str:
        """Where a key stands, for messages; parameters of a surrogate's file are in that."""
        if self.stored is not None and steps[:1] == ("parameters",) and len(steps) > 1:
            return f"{self.place('surrogate', 'path')}: its parameter {' '.join(map(str, steps[1:]))}"
        return super().place(*steps)

    def need_scan(self) -> None:
        """Raise `InputError` if the card has no scan, as its surrogate is that of a file."""
        if self.stored is not None:
            raise InputError(
                f"{self.place('surrogate', 'path')}: the surrogate is that of a file; this card has no scan, which is "
                "needed here: name it, and a kind of surrogate to be trained",
                code="card-without-scan",
            )

    def check_runs(self, runs: int, dimensions: int, where: str, more: str = "raise scan.runs") -> None:
        """Raise `InputError` if the surrogate cannot be learnt from so many runs."""
        check_run_requirements(self.training_config, runs, dimensions, where, more)

    def check_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Compare the limits and fixed values of the fit with the ranges (low, high) of the parameters, before anything
        is run or learnt: with those of the card or, as soon as they are known, of a scan that exists. Without ranges
        only what needs none is checked.

        Raises:
            InputError: with the place in the card, for a name that is no parameter, an interval that is empty or not
                inside the range, or if all parameters are fixed.
        """
        fit = self.card.fit
        for name, ends in fit.limits.items():
            where = self.place("fit", "limits", name)
            _check_inside(where, name, ends, ranges)
            if not ends[0] < ends[1]:
                raise InputError(f"{where}: {ends[0]:g} is not below {ends[1]:g}", code="card-empty-range")
        for name, value in fit.fixed.items():
            _check_inside(self.place("fit", "fixed", name), name, (value,), ranges)
        if ranges and set(ranges) <= set(fit.fixed):
            raise InputError(
                f"{self.place('fit', 'fixed')}: every parameter is fixed; nothing is left to fit", code="card-all-fixed"
            )

    def check_measured(self, selected: Bins) -> None:
        """Refuse theory errors that cannot be fitted. What depends on analyses' options, which measurements have not,
        is left to the fit.
        """
        asked = self.card.fit.theory_error
        if asked and not any(":" in key for key in asked):
            from sbitune.fitting.binned.theory import wanted_errors  # brings JAX, without which a scan starts faster

            wanted_errors(asked, selected, self.place("fit", "theory_error"))

    def known_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are known before a scan is read: of the card, or of the surrogate's file."""
        if self.stored is None:
            return super().known_parameters()
        from sbitune.tuning.stages.surrogatefile import read_surrogate  # brings JAX, without which a scan starts faster

        with naming_file(self.place("surrogate", "path")):
            found = read_surrogate(self.stored).model.parameters
        self.check_ranges({p.name: (p.low, p.high) for p in found})
        return found


def load_card(place: str | Path | Parsed) -> LoadedCard:
    """Read a card, given as a file or as the directory that holds `card.yaml`, or as what was parsed of it.

    Raises:
        InputError: naming file, line and key of whatever is wrong with it.
    """
    loaded = read_card_file(place, Card, LoadedCard)
    if loaded.stored is not None:
        _check_stored(loaded)
    check_scan_card(loaded)
    # a scan that exists may have more parameters than the card names
    ranges = {name: (p.low, p.high) for name, p in loaded.card.parameters.items()} if loaded.card.scan.runs else {}
    loaded.check_ranges(ranges)
    return loaded


def _check_inside(where: str, name: str, values: tuple[float, ...], ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse an unknown name, and values that are not inside the range of the parameter."""
    if ranges and name not in ranges:
        near = difflib.get_close_matches(name, ranges, n=1)
        hint = f"did you mean {near[0]}? There" if near else "there"
        raise InputError(f"{where}: no such parameter; {hint} are {', '.join(ranges)}", code="card-parameter-unknown")
    words = ", ".join(f"{value:g}" for value in values)
    words = f"[{words}]" if len(values) > 1 else words
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"{where}: {words} is not finite", code="card-not-finite")
    low, high = ranges.get(name, (-math.inf, math.inf))
    slack = ROUNDED * (high - low)  # ends are printed with six digits
    if not low - slack <= min(values) <= max(values) <= high + slack:
        raise InputError(
            f"{where}: {words} is not inside the parameter's range [{low:g}, {high:g}]", code="card-outside-range"
        )


def _check_stored(loaded: LoadedCard) -> None:
    """Refuse what a surrogate's file decides."""
    card, place = loaded.card, loaded.place
    for key in ("runs", "events", "directory", "extra"):
        if getattr(card.scan, key):
            raise InputError(
                f"{place('scan', key)}: nothing is run or read where the surrogate is that of a file; take scan.{key} "
                "away, or name another kind of surrogate",
                code="card-surrogate-stored",
            )
    if card.parameters:
        raise InputError(
            f"{place('parameters')}: a surrogate's file has its parameters and ranges; take them away, and narrow the "
            "ranges with fit.limits",
            code="card-surrogate-stored",
        )
