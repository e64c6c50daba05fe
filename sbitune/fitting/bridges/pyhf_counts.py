"""Counted terms as a workspace of pyhf: channels of samples with their modifiers, and what is known of parameters.

Everything that pyhf would otherwise suppose is stated: starts, ranges and auxiliary measurements of every parameter.
What pyhf cannot say is refused: terms that are not counted, and constraints that are not those of the modifiers.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.files import write_text
from sbitune.data.text.names import nearest
from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.modifiers import (
    VECTORS,
    HistoSys,
    Lumi,
    Modifier,
    NormSys,
    ShapeSys,
    StatError,
)
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint, GaussianConstraints, PoissonConstraints
from sbitune.fitting.likelihood.terms.counts import CountedBins

#: what pyhf is told of factors of bins that stay 1
_STILL = {"inits": 1.0, "bounds": [1e-10, 10.0], "auxdata": 1.0, "sigmas": 1.0, "factors": 1.0}


def make_counts_workspace(problem: Product, interest: str, measurement: str = "measurement") -> dict[str, Any]:
    """The counted terms of a product, their constraints and the data it has as a workspace.

    Args:
        problem: its terms are `CountedBins` of `Channel`s, and constraints.
        interest: the parameter of interest.
        measurement: what the measurement is called.

    Raises:
        InputError: for terms that no workspace can hold.
    """
    channels = _channels(problem)
    names = [p.name for p in problem.parameters]
    if interest not in names:
        raise InputError(f"{interest} is no parameter of the fit{nearest(interest, names)}", code="workspace-interest")
    data = dict(zip((t.name for t in problem.terms), problem.data, strict=True))
    measured, modifiers = _measured(problem), _modifiers(channels)
    if free := set(measured) - {name for _, members in modifiers.values() for name in members}:
        raise InputError(
            f"constraint of {min(free)}: no bin depends on it, and a workspace cannot hold it; leave it out",
            code="workspace-term",
        )
    config = [_parameter(problem, measured, m, members) for m, members in modifiers.values()]
    return {
        "channels": [{"name": c.name, "samples": [_sample(s) for s in c.samples]} for c in channels],
        "observations": [{"name": c.name, "data": np.asarray(data[c.name]).tolist()} for c in channels],
        "measurements": [{"name": measurement, "config": {"poi": interest, "parameters": config}}],
        "version": "1.0.0",
    }


def write_counts_workspace(path: str | Path, problem: Product, interest: str, measurement: str = "measurement") -> None:
    """Write `make_counts_workspace` as JSON, whole or not at all."""
    content = make_counts_workspace(problem, interest, measurement)
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


class _Measurement(NamedTuple):
    value: float
    error: float  #: or the count that is expected at 1
    is_count: bool


def _channels(problem: Product) -> list[Channel]:
    """The channels of the counted terms. Raises `InputError` for other terms."""
    found = []
    for term in problem.terms:
        channel = getattr(getattr(term, "expected", None), "__self__", None)
        if isinstance(term, CountedBins) and isinstance(channel, Channel):
            if (channel.normsys, channel.histosys) != ("code4", "code4p"):
                raise InputError(
                    f"{term.name}: a workspace does not say how to interpolate, and pyhf takes code4 and code4p, not "
                    f"{channel.normsys} and {channel.histosys}; make the channel with these",
                    code="workspace-term",
                )
            found.append(channel)
        elif not isinstance(term, Constraint | GaussianConstraints | PoissonConstraints):
            raise InputError(
                f"{term.name}: a workspace holds counts of a `Channel` and constraints; bin its events, or leave them "
                "out",
                code="workspace-term",
            )
    return found


def _measured(problem: Product) -> dict[str, _Measurement]:
    """Parameter -> its auxiliary measurement."""
    found: dict[str, _Measurement] = {}
    for term, data in zip(problem.terms, problem.data, strict=True):
        if not isinstance(term, Constraint | GaussianConstraints | PoissonConstraints):
            continue
        is_count = isinstance(term, PoissonConstraints)
        errors = term.scales if is_count else term.error if isinstance(term, Constraint) else term.errors
        for name, value, error in zip(term.constrained, np.ravel(data), np.ravel(errors), strict=True):
            if name in found:
                raise InputError(
                    f"{term.name}: {name} has two measurements, a workspace one; combine them", code="workspace-term"
                )
            found[name] = _Measurement(float(value), float(error), is_count)
    return found


def _modifiers(channels: list[Channel]) -> dict[str, tuple[Modifier, list[str]]]:
    """Name of a modifier -> one that has it, and its parameters in the order of pyhf, empty for those that stay 1."""
    found: dict[str, tuple[Modifier, list[str]]] = {}
    for channel in sorted(channels, key=lambda channel: channel.name):
        for m in (m for sample in channel.samples for m in sample.modifiers):
            members = list(channel.vector_names(m)) if isinstance(m, VECTORS) else [m.name]
            before = found.get(m.name, (m, []))[1]
            first = channel.first_bin.get(m.name, 0) if isinstance(m, VECTORS) else 0
            found[m.name] = (m, [*before[:first], *members, *before[first + len(members) :]])
    return found


def _parameter(problem: Product, measured: dict[str, _Measurement], m: Modifier, members: list[str]) -> dict[str, Any]:
    known = {p.name: p for p in problem.parameters}
    rows: list[dict[str, Any]] = []
    for name in members:
        if not name:
            rows.append(_STILL)
            continue
        p = known[name]
        low, high = problem.limits.get(name, (p.low, p.high))
        start = problem.fixed.get(name, (low + high) / 2 if p.default is None else p.default)
        row = {"inits": float(start), "bounds": [float(low), float(high)]}
        rows.append(row | _auxiliary(m, name, measured.get(name)))
    found: dict[str, Any] = {"name": m.name}
    for key in ("inits", "bounds", "auxdata", "sigmas", "factors"):
        if all(key in row for row in rows):
            found[key] = [row[key] for row in rows]
    held = {name in problem.fixed for name in members if name}
    if len(held) > 1:
        raise InputError(f"{m.name}: a workspace holds all bins of a modifier or none; fix all", code="workspace-term")
    return found | ({"fixed": True} if held == {True} else {})


def _auxiliary(m: Modifier, name: str, measurement: _Measurement | None) -> dict[str, float]:
    """What is said of the auxiliary measurement of a parameter. Raises `InputError` if pyhf has another one."""
    kind = type(m).__name__.lower()
    needs_one = isinstance(m, NormSys | HistoSys | Lumi | ShapeSys | StatError)
    if measurement is None or not needs_one:
        if needs_one or measurement is not None:
            there = "no constraint" if measurement is None else "a constraint"
            raise InputError(
                f"{name}: there is {there}, and a {kind} has {'one' if needs_one else 'none'} in a workspace",
                code="workspace-term",
            )
        return {}
    if measurement.is_count != isinstance(m, ShapeSys):
        raise InputError(
            f"{name}: what measures a {kind} is {'a count' if isinstance(m, ShapeSys) else 'Gaussian'} in a workspace",
            code="workspace-term",
        )
    if isinstance(m, NormSys | HistoSys) and measurement.error != 1:
        raise InputError(
            f"{name}: its measurement has the error {measurement.error:g}, and that of a {kind} 1 in a workspace; "
            "scale the parameter",
            code="workspace-term",
        )
    if measurement.is_count:
        return {"auxdata": measurement.value, "factors": measurement.error}
    sigmas = {} if isinstance(m, NormSys | HistoSys) else {"sigmas": measurement.error}
    return {"auxdata": measurement.value, **sigmas}


def _sample(sample: Sample) -> dict[str, Any]:
    rows = [{"name": m.name, "type": type(m).__name__.lower(), "data": _data(m)} for m in sample.modifiers]
    return {"name": sample.name, "data": sample.bins.tolist(), "modifiers": rows}


def _data(m: Modifier) -> Any:
    if isinstance(m, NormSys):
        return {"hi": float(m.up), "lo": float(m.down)}
    if isinstance(m, HistoSys):
        return {"hi_data": np.asarray(m.up, float).tolist(), "lo_data": np.asarray(m.down, float).tolist()}
    return np.asarray(m.errors, float).tolist() if isinstance(m, ShapeSys | StatError) else None
