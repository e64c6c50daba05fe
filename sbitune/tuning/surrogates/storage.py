"""Surrogates on disk: an .npz file of arrays with a JSON header. A surrogate read back predicts the same bits."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np

from sbitune.data.arrays import reading_stored
from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.layout import ArraySpec, check_arrays, check_correlation
from sbitune.data.names import repeated
from sbitune.data.numbers import quoted
from sbitune.data.scan import Parameter, read_parameters, read_words
from sbitune.data.store import read_stored, write_stored
from sbitune.tuning.surrogates.components.components import Components
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate, Member
from sbitune.tuning.surrogates.config import NetworkConfig
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate, Posterior
from sbitune.tuning.surrogates.layouts import MEMBER, POLYNOMIAL, RATIONAL, layout_of, sizes_of, whole
from sbitune.tuning.surrogates.network.calibration import Calibration
from sbitune.tuning.surrogates.network.surrogate import NeuralSurrogate, Scaling, build_networks, count_networks
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate
from sbitune.tuning.surrogates.training import Trained

FORMAT = "sbitune surrogate"
FORMAT_VERSION = 5

Stored = tuple[dict[str, Any], dict[str, np.ndarray]]


def save_surrogate(path: str | Path, surrogate: Trained, runs: Sequence[str] = ()) -> None:
    """Write a surrogate, whole or not at all, with the names of the runs that it learnt from."""
    meta, arrays = _pack(surrogate, str(path))
    write_stored(path, FORMAT, FORMAT_VERSION, meta | {"runs": list(runs)}, arrays)


def load_surrogate(path: str | Path) -> Trained:
    """Read what `save_surrogate` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    return load_with_runs(path)[0]


def load_with_runs(path: str | Path) -> tuple[Trained, tuple[str, ...]]:
    """Read a surrogate and the names of its runs, none where the file does not tell. Raises as `load_surrogate`."""
    meta, arrays = read_stored(path, FORMAT, FORMAT_VERSION)
    with reading_stored(path, FORMAT):
        runs = read_words("runs", meta.get("runs", []))
        if "" in runs:
            raise InputError(f"runs[{runs.index('')}] is '', expected the name of a run")
        if twice := repeated(runs):
            raise InputError(f"runs: {quoted(twice[0])} is there {runs.count(twice[0])} times, expected every run once")
        return _unpack(meta, arrays, str(path)), runs


def _pack(surrogate: Trained, path: str) -> Stored:
    """The surrogate as JSON-like meta and arrays; parts of a compound carry their name before a slash."""
    meta: dict[str, Any]
    if isinstance(surrogate, JoinedSurrogate):
        meta, arrays = _pack_joined(surrogate, path)
    elif isinstance(surrogate, ComponentSurrogate):
        meta, arrays = _pack_components(surrogate, path)
    elif isinstance(surrogate, PolynomialSurrogate):
        meta = {"kind": "polynomial", "order": surrogate.order, "ndf": surrogate.ndf}
        arrays = {name: getattr(surrogate, name) for name in POLYNOMIAL}
    elif isinstance(surrogate, RationalSurrogate):
        meta = {"kind": "rational", "order": list(surrogate.order)}
        arrays = {name: getattr(surrogate, name) for name in RATIONAL}
    elif isinstance(surrogate, GaussianSurrogate):
        meta, arrays = {"kind": "gaussian"}, surrogate.posterior._asdict()
        arrays |= {"inputs": surrogate.inputs, "log_inputs": surrogate.log_inputs}
    else:
        meta = {"kind": "network", "config": msgspec.to_builtins(surrogate.config)}
        weights = jax.tree.leaves(surrogate.networks)
        arrays = {f"weights_{i}": np.asarray(array) for i, array in enumerate(weights)}
        arrays |= surrogate.scaling._asdict() | surrogate.calibration._asdict()
    if surrogate.correlation is not None and not isinstance(surrogate, JoinedSurrogate):
        arrays["correlation"] = surrogate.correlation
    meta["parameters"] = [astuple(parameter) for parameter in surrogate.parameters]
    arrays |= surrogate.bins.to_arrays()
    check_arrays(f"{path}: not written", arrays, layout_of(meta), sizes_of(meta, arrays), ComputationError)
    return meta, arrays


def _pack_joined(surrogate: JoinedSurrogate, path: str) -> Stored:
    meta: dict[str, Any] = {"kind": "joined", "members": len(surrogate.members)}
    arrays: dict[str, np.ndarray] = {}
    for number, member in enumerate(surrogate.members):
        meta[f"member{number}"], packed = _pack(member.surrogate, path)
        meta[f"member{number}"]["measurements"] = member.measurements
        packed |= {"of_bins": member.bins, "of_parameters": member.columns}
        arrays |= {f"member{number}/{key}": array for key, array in packed.items()}
    return meta, arrays


def _part(name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a part, which carry its name before a slash."""
    return {key.removeprefix(f"{name}/"): a for key, a in arrays.items() if key.startswith(f"{name}/")}


def _pack_components(surrogate: ComponentSurrogate, path: str) -> Stored:
    meta: dict[str, Any] = {"kind": "components"}
    arrays: dict[str, np.ndarray] = surrogate.components._asdict() | {"left_bins": surrogate.left_bins}
    for name, part in (("inner", surrogate.inner), ("left", surrogate.left)):
        if part is not None:
            meta[name], packed = _pack(part, path)
            arrays |= {f"{name}/{key}": array for key, array in packed.items()}
    return meta, arrays


def _unpack(meta: dict[str, Any], stored: dict[str, np.ndarray], path: str) -> Any:
    builders = {
        "polynomial": _load_polynomial,
        "gaussian": _load_gaussian,
        "rational": _load_rational,
        "network": _load_network,
        "components": _load_components,
        "joined": _load_joined,
    }
    arrays = check_arrays(path, stored, layout_of(meta), sizes_of(meta, stored))
    check_correlation(path, arrays.get("correlation"))
    parts = {name: array for name, array in stored.items() if name not in arrays}
    parameters, bins = read_parameters(meta["parameters"]), Bins.from_arrays(arrays)
    for parameter, log in zip(parameters, arrays.get("log_inputs", ()), strict=False):
        if log and parameter.low < 0:
            raise InputError(f"log_inputs: {parameter.name} has no logarithm at {parameter.low:g}")
    surrogate = builders[meta["kind"]](parameters, bins, meta, arrays | parts, path)
    if isinstance(surrogate, JoinedSurrogate):
        return surrogate
    return replace(surrogate, correlation=arrays.get("correlation"))


def _load_joined(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray], path: str
) -> JoinedSurrogate:
    members, found = [], []
    for number in range(whole("members", meta["members"])):
        about, mine = meta[f"member{number}"], _part(f"member{number}", arrays)
        part = _unpack(about, mine, path)
        of = check_arrays(path, mine, MEMBER, {"n_bins": len(part.bins), "n_columns": len(part.parameters)})
        measurements = whole("measurements", about["measurements"])
        members.append(Member(of["of_bins"], of["of_parameters"], part, measurements))
        found.append(members[-1].bins)
        columns = members[-1].columns
        if columns.max(initial=-1) >= len(parameters) or part.parameters != tuple(parameters[i] for i in columns):
            raise InputError(f"{path}: the parameters of part {number} are not those that it names")
    if not np.array_equal(np.sort(np.concatenate([[], *found])), np.arange(len(bins))):
        raise InputError(f"{path}: its parts are not of {len(bins)} bins, each once")
    return JoinedSurrogate(parameters, bins, tuple(members))


def _load_components(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray], path: str
) -> ComponentSurrogate:
    components = Components(*(arrays[name] for name in Components._fields))
    left_bins = arrays["left_bins"]
    if len(np.unique(left_bins)) < len(left_bins) or left_bins.max(initial=-1) >= len(bins):
        raise InputError(f"{path}: 'left_bins' are not places of {len(bins)} bins, each once")
    parts = {}
    for name, n_bins in (("inner", len(components.loadings)), ("left", len(left_bins))):
        parts[name] = part = _unpack(meta[name], _part(name, arrays), path) if name in meta else None
        if len(part.bins if part is not None else ()) != n_bins or (part and part.parameters != parameters):
            raise InputError(f"{path}: the part {quoted(name)} is not that of {n_bins} bins and of these parameters")
    return ComponentSurrogate(bins, components, parts["inner"], parts["left"], left_bins)


def _load_gaussian(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray], path: str
) -> GaussianSurrogate:
    if arrays["group"].max(initial=-1) >= len(arrays["metric"]):
        raise InputError(f"{path}: 'group' is {arrays['group'].max()}, there are {len(arrays['metric'])} kernels")
    posterior = Posterior(*(arrays[name] for name in Posterior._fields))
    return GaussianSurrogate(parameters, bins, arrays["log_inputs"], arrays["inputs"], posterior)


def _load_polynomial(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray], path: str
) -> PolynomialSurrogate:
    chosen = {name: arrays[name] for name in POLYNOMIAL}
    return PolynomialSurrogate(parameters, bins, order=meta["order"], ndf=whole("ndf", meta["ndf"]), **chosen)


def _load_rational(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray], path: str
) -> RationalSurrogate:
    above, below = meta["order"]
    return RationalSurrogate(parameters, bins, order=(above, below), **{name: arrays[name] for name in RATIONAL})


def _load_network(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray], path: str
) -> NeuralSurrogate:
    config = msgspec.convert(meta["config"], NetworkConfig)
    scaling = Scaling(*(arrays[name] for name in Scaling._fields))
    keys = jax.random.split(jax.random.key(0), count_networks(config, len(bins)))  # for shapes; no number is drawn
    template = jax.eval_shape(lambda: build_networks(keys, config, len(scaling.input_shift), len(bins)))
    return NeuralSurrogate(
        parameters=parameters,
        bins=bins,
        config=config,
        networks=load_weights(path, template, arrays),
        scaling=scaling,
        calibration=Calibration(*(arrays[name] for name in Calibration._fields)),
    )


def load_weights(path: str, template: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Put the stored weights `weights_0` and so on into the graph of their shapes that a config describes.

    Raises `InputError` if they do not fit.
    """
    shapes, structure = jax.tree.flatten(template)
    layout = {f"weights_{i}": ArraySpec(shape.shape, shape.dtype) for i, shape in enumerate(shapes)}
    return jax.tree.unflatten(structure, list(check_arrays(path, arrays, layout).values()))
