"""What each column brings: errors expected without it, and of it alone, by small networks trained anew for each.

Of all columns the same small network is taken, so that what differs is the columns. It is the expected error of a
likelihood made from the ratios that were learned, so it is no smaller than what the columns allow, as far as the ratios
are calibrated.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.reporting import QUIET, Reporter
from sbitune.ratios.card import EVENTS, RatiosCardFile
from sbitune.ratios.checks.records import TrainingRecord
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.mixture.training import train_mixture
from sbitune.ratios.planning.expected import asimov_problem, expected_at
from sbitune.ratios.samples import Samples, Simulated, read_samples
from sbitune.ratios.stages.training import TrainedRatios

#: the networks: as large as few columns need
_HIDDEN, _MEMBERS = (32,), 1
#: nothing is noted of their trainings
_UNNOTED = TrainingRecord([], [], [], [], [], 0.0)


class ColumnWorth(NamedTuple):
    """One column."""

    column: str
    without: dict[str, float] | None  #: parameter -> expected error without it; None if there is no other
    alone: dict[str, float]  #: the same of it alone; regions that do not see it are as they are


class _Learning:
    """Mixtures of subsets of columns, each learned once."""

    def __init__(self, loaded: RatiosCardFile, reporter: Reporter) -> None:
        self.regions, self._reporter = loaded.event_regions, reporter
        self._samples = {name: read_samples(region) for name, region in self.regions.items()}
        self._known: dict[tuple[str, tuple[str, ...]], Mixture] = {}

    def mixture(self, name: str, columns: tuple[str, ...]) -> Mixture:
        """Of a region with some of its columns."""
        if (name, columns) not in self._known:
            region = self.regions[name]
            network = msgspec.structs.replace(region.card.network, hidden=_HIDDEN, members=_MEMBERS)
            card = msgspec.structs.replace(region.card, columns=columns, network=network, calibration="none")
            samples = _with_columns(self._samples[name], [region.card.columns.index(c) for c in columns])
            self._reporter.say(f"learning from {', '.join(columns)}" + ("" if name == EVENTS else f" in {name}"))
            key, file = jax.random.key(card.seed), RatiosCardFile(card, region.path, region.lines, name)
            self._known[name, columns] = train_mixture(key, file, samples, self._reporter)[0]
        return self._known[name, columns]


def column_worths(
    loaded: RatiosCardFile, theta: dict[str, float], reporter: Reporter = QUIET
) -> tuple[dict[str, float], list[ColumnWorth]]:
    """Expected errors of all columns at parameters, and without each and of each alone.

    Raises as `train_mixture` and `expected_at`.
    """
    learning = _Learning(loaded, reporter)
    names = dict.fromkeys(c for region in loaded.event_regions.values() for c in region.card.columns)

    def errors(without: str | None, alone: str | None) -> dict[str, float] | None:
        chosen: dict[str, tuple[str, ...]] = {}
        for name, region in loaded.event_regions.items():
            own = region.card.columns
            kept = tuple(c for c in own if c != without and (alone is None or c == alone or alone not in own))
            if not kept:
                return None
            chosen[name] = kept
        return _errors(loaded, learning, chosen, theta)

    everything, found = errors(None, None), []
    assert everything is not None
    for column in names:
        of_it = errors(None, column)
        assert of_it is not None
        found.append(ColumnWorth(column, errors(column, None), of_it))
    return everything, found


def _errors(
    loaded: RatiosCardFile, learning: _Learning, chosen: dict[str, tuple[str, ...]], theta: dict[str, float]
) -> dict[str, float]:
    regions = {name: TrainedRatios(learning.mixture(name, columns), _UNNOTED) for name, columns in chosen.items()}
    own = regions.pop(EVENTS)
    plain = RatiosCardFile(
        msgspec.structs.replace(loaded.card, ratio_error="propagated"), loaded.path, loaded.lines, loaded.region
    )
    trained = own._replace(further=regions)
    return expected_at(plain, trained, asimov_problem(plain, trained), theta, ratios=False).errors


def _with_columns(samples: Samples, places: Sequence[int]) -> Samples:
    def cut(sample: Simulated) -> Simulated:
        return sample._replace(x=np.ascontiguousarray(sample.x[:, places]))

    nominal = {name: cut(sample) for name, sample in samples.nominal.items()}
    return Samples(nominal, {key: tuple(map(cut, varied)) for key, varied in samples.varied.items()})
