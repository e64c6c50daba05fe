"""A workspace of pyhf as a likelihood of ours: what it says of channels, samples and modifiers, without pyhf.

L. Heinrich et al., J. Open Source Softw. 6 (2021) 2823. Values of the likelihood are those of pyhf up to a constant.
Ranges that a workspace does not state are not pyhf's everywhere: a factor of a bin is looked for within eight of its
errors, where pyhf ends at 10 whatever they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.errors import InputError, naming, naming_file
from sbitune.data.storage.files import read_json
from sbitune.data.text.names import nearest, repeated
from sbitune.fitting.bridges.pyhf_schema import (
    HistoSysSpec,
    LumiSpec,
    MeasurementSpec,
    ModifierSpec,
    NormFactorSpec,
    NormSysSpec,
    ParameterSpec,
    SampleSpec,
    ShapeFactorSpec,
    ShapeSysSpec,
    StatErrorSpec,
    WorkspaceSpec,
    convert,
)
from sbitune.fitting.likelihood.histfactory.channel import Channel, HistoCode, NormCode, Sample
from sbitune.fitting.likelihood.histfactory.model import HistFactory, Setting
from sbitune.fitting.likelihood.histfactory.modifiers import (
    HistoSys,
    Lumi,
    Modifier,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)
from sbitune.fitting.likelihood.product import Product


@dataclass(frozen=True, eq=False)
class Workspace:
    """A workspace that was read."""

    model: HistFactory
    counts: dict[str, np.ndarray]  #: channel -> (n_bins,) observed
    interest: str | None  #: the parameter of interest
    measurement: str  #: which was taken
    notes: tuple[str, ...]  #: what was left out, and why

    @cached_property
    def problem(self) -> Product:
        """The fit of the observed counts. More terms go in by `model.product(counts, terms, parameters)`."""
        return self.model.product(self.counts)


def read_workspace(
    path: str | Path, measurement: str | None = None, normsys: NormCode = "code4", histosys: HistoCode = "code4p"
) -> Workspace:
    """Read a workspace from a file, see `open_workspace`."""
    with naming_file(path):
        return open_workspace(read_json(path, "workspace"), measurement, normsys, histosys)


def open_workspace(
    content: Mapping[str, Any],
    measurement: str | None = None,
    normsys: NormCode = "code4",
    histosys: HistoCode = "code4p",
) -> Workspace:
    """A likelihood from what stands in a workspace.

    Args:
        content: the workspace, as JSON is read.
        measurement: which of its measurements; by default the first.
        normsys: interpolation of factors; a workspace does not say, and pyhf's default is this.
        histosys: interpolation of bins.

    Raises:
        InputError: for what is no workspace, with the place and what to do.
    """
    spec = convert(content)
    chosen, notes = _measurement(spec, measurement), list[str]()
    with naming("channels"):
        _need_distinct([channel.name for channel in spec.channels], "channel")
    first = _first_bins(spec)
    channels = []
    for channel in spec.channels:
        with naming(f"channel {channel.name}"):
            samples = [_sample(sample, notes, channel.name) for sample in channel.samples]
            channels.append(Channel(channel.name, samples, first.get(channel.name, {}), normsys, histosys))
    counts = _counts(spec, notes)
    model = HistFactory(channels, _settings(channels, chosen, notes))
    poi = chosen.config.poi or None
    if poi is not None and poi not in {p.name for p in model.parameters}:
        known = nearest(poi, [p.name for p in model.parameters])
        raise InputError(
            f"measurement {chosen.name}: the parameter of interest {poi} is none of the model{known}",
            code="workspace-interest",
        )
    model.counted(counts)
    return Workspace(model, counts, poi, chosen.name, tuple(notes))


def _measurement(spec: WorkspaceSpec, name: str | None) -> MeasurementSpec:
    names = [m.name for m in spec.measurements]
    if not names or (name is not None and name not in names):
        raise InputError(
            f"measurements: there is no {name or 'measurement'}{nearest(name or '', names)}",
            code="workspace-measurement",
        )
    return spec.measurements[0 if name is None else names.index(name)]


def _need_distinct(names: list[str], what: str) -> None:
    if twice := repeated(names):
        raise InputError(f"the {what} {twice[0]} is there twice; rename one", code="workspace-twice")


def _first_bins(spec: WorkspaceSpec) -> dict[str, dict[str, int]]:
    """Channel -> name of a staterror -> its first parameter: that of several channels counts on, by their names."""
    places: dict[str, dict[str, int]] = {}
    ends: dict[str, int] = {}
    for channel in sorted(spec.channels, key=lambda channel: channel.name):
        names = {m.name for sample in channel.samples for m in sample.modifiers if isinstance(m, StatErrorSpec)}
        for name in names:
            places.setdefault(channel.name, {})[name] = ends.get(name, 0)
            ends[name] = ends.get(name, 0) + len(channel.samples[0].data)
    return places


def _sample(spec: SampleSpec, notes: list[str], channel: str) -> Sample:
    with naming(f"sample {spec.name}"):
        _need_distinct([f"{m.__struct_config__.tag} {m.name}" for m in spec.modifiers], "modifier")
        modifiers = []
        for m in spec.modifiers:
            if _does_nothing(m, spec):
                notes.append(f"channel {channel}, sample {spec.name}: {m.name} changes nothing and is left out")
            else:
                modifiers.append(_modifier(m))
        return Sample(spec.name, np.asarray(spec.data, float), modifiers)


def _does_nothing(m: ModifierSpec, sample: SampleSpec) -> bool:
    """Whether up, down and nominal are the same."""
    if isinstance(m, NormSysSpec):
        return m.data.hi == m.data.lo == 1
    return isinstance(m, HistoSysSpec) and m.data.hi_data == m.data.lo_data == sample.data


def _modifier(m: ModifierSpec) -> Modifier:
    match m:
        case HistoSysSpec():
            return HistoSys(m.name, np.asarray(m.data.hi_data, float), np.asarray(m.data.lo_data, float))
        case NormSysSpec():
            return NormSys(m.name, m.data.hi, m.data.lo)
        case LumiSpec():
            return Lumi()
        case NormFactorSpec():
            return NormFactor(m.name)
        case ShapeFactorSpec():
            return ShapeFactor(m.name)
        case ShapeSysSpec():
            return ShapeSys(m.name, np.asarray(m.data, float))
        case StatErrorSpec():
            return StatError(m.name, np.asarray(m.data, float))


def _counts(spec: WorkspaceSpec, notes: list[str]) -> dict[str, np.ndarray]:
    names = [o.name for o in spec.observations]
    with naming("observations"):
        _need_distinct(names, "channel")
    channels = [channel.name for channel in spec.channels]
    notes += [
        f"observations: there is no channel {name}; its counts are left out" for name in names if name not in channels
    ]
    return {o.name: np.asarray(o.data, float) for o in spec.observations if o.name in channels}


def _settings(channels: list[Channel], measurement: MeasurementSpec, notes: list[str]) -> dict[str, Setting]:
    modifiers = {m.name: m for channel in channels for sample in channel.samples for m in sample.modifiers}
    with naming(f"measurement {measurement.name}"):
        _need_distinct([p.name for p in measurement.config.parameters], "parameter")
        found = {}
        for p in measurement.config.parameters:
            if p.name in modifiers:
                found[p.name] = _setting(p, modifiers[p.name])
            else:
                notes.append(f"measurement {measurement.name}: there is no {p.name}; what it says of that is left out")
        return found


def _setting(p: ParameterSpec, modifier: Modifier) -> Setting:
    for what, given, kinds in (("sigmas", p.sigmas, (Lumi, StatError)), ("factors", p.factors, (ShapeSys,))):
        if given is not None and not isinstance(modifier, kinds):
            raise InputError(
                f"{p.name}: {what} are for {' and '.join(k.__name__.lower() for k in kinds)}, not for a "
                f"{type(modifier).__name__.lower()}; remove them",
                code="setting-name",
            )
    bounds = None if p.bounds is None else tuple(p.bounds)
    start, *rest = (None if x is None else tuple(x) for x in (p.inits, p.auxdata, p.sigmas, p.factors))
    return Setting(start, bounds, *rest, fixed=p.fixed)
