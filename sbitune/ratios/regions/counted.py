"""Counted regions of a card as channels of a HistFactory model, whose parameters are those of the card where the names
are the same.

A nuisance parameter that the card measures is measured once: what a workspace says of it must agree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from sbitune.data.errors import InputError, naming
from sbitune.data.parameter import Parameter
from sbitune.data.text.names import nearest
from sbitune.fitting.bridges.pyhf_import import read_workspace
from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.model import GAUSSIAN, POISSON, HistFactory, Setting
from sbitune.fitting.likelihood.histfactory.modifiers import (
    HistoSys,
    Modifier,
    NormFactor,
    NormSys,
    ShapeSys,
    StatError,
)
from sbitune.fitting.likelihood.terms.term import Term
from sbitune.ratios.parameters import ParameterConfig
from sbitune.ratios.regions.config import BinsSampleConfig, CountsRegionConfig, RegionConfig, WorkspaceRegionConfig

#: from steps to a key to the place of it in the card
Place = Callable[..., str]


@dataclass(frozen=True)
class Counted:
    """The counted regions of a card."""

    channels: tuple[Channel, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)  #: of parameters that workspaces describe
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)  #: channel -> (n_bins,) observed
    sources: Mapping[str, str] = field(default_factory=dict)  #: channel -> the workspace that it is of, or empty
    own: frozenset[str] = frozenset()  #: parameters that the card has
    measured_by_card: tuple[str, ...] = ()  #: those of them that it has measurements of
    notes: tuple[str, ...] = ()  #: what was left out of workspaces, and why

    @cached_property
    def model(self) -> HistFactory | None:
        """All channels together; None if there are none. Raises `InputError` as `HistFactory`."""
        return HistFactory(self.channels, self.settings) if self.channels else None

    @property
    def names(self) -> tuple[str, ...]:
        """All parameters."""
        return () if self.model is None else tuple(p.name for p in self.model.parameters)

    @property
    def scales(self) -> set[str]:
        """Parameters that multiply samples."""
        modifiers = {} if self.model is None else self.model.modifiers
        return {name for name, modifier in modifiers.items() if isinstance(modifier, NormFactor)}

    @property
    def fixed(self) -> dict[str, float]:
        """Parameters that workspaces hold, unless the card has them: with their values."""
        return {} if self.model is None else {n: v for n, v in self.model.fixed.items() if n not in self.own}

    @property
    def further(self) -> tuple[Parameter, ...]:
        """Parameters beside those of the card."""
        return () if self.model is None else tuple(p for p in self.model.parameters if p.name not in self.own)

    @property
    def measured(self) -> dict[str, tuple[float, float]]:
        """Value and error of the auxiliary measurements of parameters that the card does not measure."""
        found = {}
        for row in () if self.model is None else self.model.described:
            if row.kind == GAUSSIAN:
                found[row.parameter.name] = (float(row.measured), float(row.error))
            elif row.kind == POISSON:  # a count of `error` is expected at 1
                found[row.parameter.name] = (float(row.measured / row.error), float(np.sqrt(row.measured) / row.error))
        return {name: pair for name, pair in found.items() if name not in self.measured_by_card}

    def terms(self, counts: Mapping[str, np.ndarray] | None = None) -> list[Term]:
        """Of counts and of what constrains their parameters; without counts those of an Asimov data set stand by."""
        model = self.model
        if model is None:
            return []
        zeros = {channel.name: np.zeros(channel.n_bins) for channel in self.channels}
        return [*model.counted(zeros if counts is None else counts), *model.constraints(self.measured_by_card)]


def read_counted(
    regions: Mapping[str, RegionConfig],
    file: Callable[[str], Path],
    place: Place,
    parameters: Mapping[str, ParameterConfig],
    needs_counts: bool,
) -> Counted:
    """The counted regions of a card.

    Args:
        regions: of the card; those of events are left out.
        file: where a file lies that the card names.
        place: says where a key stands in the card.
        parameters: of the card.
        needs_counts: whether there must be observed counts.

    Raises:
        InputError: for workspaces that cannot be read, channels of one name, bins that do not fit together, unknown
            parameters, and measurements that differ.
    """
    channels: list[Channel] = []
    settings: dict[str, Setting] = {}
    counts: dict[str, np.ndarray] = {}
    sources: dict[str, str] = {}
    notes: list[str] = []
    for name, region in regions.items():
        where = place("regions", name)
        if isinstance(region, WorkspaceRegionConfig):
            with naming(place("regions", name, "file")):
                found = read_workspace(file(region.file), region.measurement)
            _check_measurements(place, name, found.model, parameters)
            new, observed = list(found.model.channels), found.counts
            settings |= _joined(where, settings, found.model.settings)
            notes += [f"{region.file}: {note}" for note in found.notes]
        elif isinstance(region, CountsRegionConfig):
            new = [_channel(name, region, place, parameters)]
            observed = _observed(name, region, new[0].n_bins, place, needs_counts)
        else:
            continue
        for channel in new:
            if channel.name in (*sources, *(other for other in regions if other != name)):
                raise InputError(
                    f"{where}: the channel {channel.name} has the name of another region; rename one",
                    code="ratios-region-name",
                )
            sources[channel.name] = region.file if isinstance(region, WorkspaceRegionConfig) else ""
        channels += new
        counts |= observed
    by_card = tuple(name for name, p in parameters.items() if p.measured is not None)
    with naming(place("regions")):
        counted = Counted(tuple(channels), settings, counts, sources, frozenset(parameters), by_card, tuple(notes))
        _check_scales(counted, parameters)
    return counted


def _joined(where: str, known: Mapping[str, Setting], new: Mapping[str, Setting]) -> Mapping[str, Setting]:
    for name in set(known) & set(new):
        if known[name] != new[name]:
            raise InputError(
                f"{where}: its measurement describes {name} in another way than that of a workspace before; make both "
                "alike, or rename one",
                code="ratios-region-measured",
            )
    return new


def _check_measurements(place: Place, name: str, model: HistFactory, parameters: Mapping[str, ParameterConfig]) -> None:
    """Refuse a parameter that card and workspace measure in different ways."""
    for row in model.described:
        known = parameters.get(row.parameter.name)
        if known is None or known.measured is None:
            continue
        ours = (known.measured.value, known.measured.error)
        if row.kind != GAUSSIAN or not np.allclose(ours, (row.measured, row.error), rtol=1e-6, atol=1e-12):
            theirs = f"{row.measured:g} +- {row.error:g}" if row.kind == GAUSSIAN else "no Gaussian measurement"
            raise InputError(
                f"{place('parameters', row.parameter.name, 'measured')}: the card has {ours[0]:g} +- {ours[1]:g} and "
                f"the workspace of region {name} {theirs}; a parameter that both have is measured once: say the same, "
                "or rename one",
                code="ratios-region-measured",
            )


def _check_scales(counted: Counted, parameters: Mapping[str, ParameterConfig]) -> None:
    for name in counted.scales:
        if name in parameters and parameters[name].low < 0:
            raise InputError(
                f"{name} multiplies bins and may be {parameters[name].low:g}; a negative number of events has no "
                "likelihood: begin its range at 0",
                code="ratios-scale-negative",
            )


def _observed(name: str, region: CountsRegionConfig, n_bins: int, place: Place, needed: bool) -> dict[str, np.ndarray]:
    if region.observed is None:
        if needed:
            raise InputError(
                f"{place('regions', name)}: there are no observed counts, and the card names data; give `observed`, or "
                "take `data` away for the errors that are expected before there are data",
                code="ratios-region-data",
            )
        return {}
    if len(region.observed) != n_bins:
        raise InputError(
            f"{place('regions', name, 'observed')}: {len(region.observed)} counts for {n_bins} bins",
            code="channel-counts",
        )
    return {name: np.asarray(region.observed, float)}


def _channel(name: str, region: CountsRegionConfig, place: Place, parameters: Mapping[str, ParameterConfig]) -> Channel:
    samples = []
    for sample, config in region.samples.items():
        with naming(place("regions", name, "samples", sample)):
            modifiers = _modifiers(name, sample, config, parameters)
            samples.append(Sample(sample, np.asarray(config.expected, float), modifiers))
    with naming(place("regions", name)):
        return Channel(name, samples)


def _modifiers(
    region: str, sample: str, config: BinsSampleConfig, parameters: Mapping[str, ParameterConfig]
) -> list[Modifier]:
    found: list[Modifier] = []
    if config.scale is not None:
        _need_known(config.scale, parameters)
        found.append(NormFactor(config.scale))
    for nuisance, response in config.responses.items():
        _need_known(nuisance, parameters)
        if parameters[nuisance].measured is None:
            raise InputError(
                f"{nuisance} moves these bins; say what others have measured of it: `measured: {{value: 0, error: 1}}` "
                "of the parameter",
                code="ratios-unmeasured",
            )
        down, up = response.rate
        if (response.down is None) != (response.up is None) or (response.down is None and (down, up) == (1.0, 1.0)):
            raise InputError(
                f"responses.{nuisance}: give `rate`, or `down` and `up` both", code="ratios-response-alike"
            )
        if response.down is not None and response.up is not None:
            found.append(HistoSys(nuisance, up=np.asarray(response.up), down=np.asarray(response.down)))
        if (down, up) != (1.0, 1.0):
            found.append(NormSys(nuisance, up=up, down=down))
    if config.errors is not None:
        found.append(StatError(f"{region}_simulated", np.asarray(config.errors, float)))
    if config.uncorrelated is not None:
        found.append(ShapeSys(f"{region}_{sample}", np.asarray(config.uncorrelated, float)))
    return found


def _need_known(name: str, parameters: Mapping[str, ParameterConfig]) -> None:
    if name not in parameters:
        raise InputError(f"{name}: no such parameter{nearest(name, parameters)}", code="card-parameter-unknown")
