"""Damaged files of arrays: of other shapes, types and values, missing, twice, cut, every byte lost, doubled, another.

Each is refused with one message that begins with the file, or read as it stands there: written again it holds the
same numbers, of the same shapes.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats import apprentice
from sbitune.data.formats.professor import PARTS_LAYOUT, _read_parts
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.arrays import read_arrays, write_arrays
from sbitune.fitting.sampling.chains import Diagnosis, Posterior, load_posterior
from sbitune.generators.eventfiles import EventFile
from sbitune.tuning.surrogates.components.components import Components
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.gaussian.fit import fit_gaussian
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.rational.fit import fit_rational
from sbitune.tuning.surrogates.storage import load_with_runs, save_surrogate

N_RUNS, N_BINS = 12, 3
EXAMPLES = 20


class Kind(NamedTuple):
    """A kind of file: how it is written, and what its reader says that it holds."""

    write: Callable[[Path], Any]
    read: Callable[[Path], dict[str, np.ndarray]]  #: by the names in the file
    suffix: str = ".npz"


def toy_scan(n_bins: int = N_BINS) -> Scan:
    random = np.random.default_rng(5)
    parameters = (Parameter("a", 0.5, 2.0, 1.0, "GeV"), Parameter("b", -1.0, 1.0))
    theta = random.uniform([0.5, -1], [2, 1], (N_RUNS, 2))
    values = 5 + theta @ random.normal(size=(2, n_bins)) + 0.1 * random.normal(size=(N_RUNS, n_bins))
    bins = Bins([f"/A/d{i:02d}" for i in range(n_bins)], range(n_bins), np.arange(n_bins), np.arange(n_bins) + 1)
    runs = tuple(f"{i:04d}" for i in range(N_RUNS))
    correlation = 0.5 * np.eye(n_bins) + 0.5
    errors = np.full((N_RUNS, n_bins), 0.1)
    return Scan(parameters, theta, values, errors, bins, runs, correlation, np.ones(n_bins))


def again(write: Callable[[Path, Any], Any], read: Callable[[Path], Any]) -> Callable[[Path], dict[str, np.ndarray]]:
    """What a file holds by its reader: what it would write."""

    def found(path: Path) -> dict[str, np.ndarray]:
        other = path.with_name("again.npz")
        write(other, read(path))
        return read_arrays(other, "file")

    return found


def compound() -> ComponentSurrogate:
    scan, inner, left = toy_scan(), toy_scan(2), toy_scan(1)
    random = np.random.default_rng(7)
    flags = np.array([True, False, False])
    small = np.full(N_BINS, 0.1)
    loadings = random.normal(size=(2, N_BINS))
    parts = Components(
        scan.values[0], loadings, small, small, flags, small, np.array(0.2), np.array(0.1), np.ones(len(loadings))
    )
    return ComponentSurrogate(
        scan.bins, parts, fit_polynomial(inner, 1), fit_polynomial(left, 1), np.array([1]), scan.correlation
    )


def posterior() -> Posterior:
    random = np.random.default_rng(9)
    draws = random.normal(size=(2, 5, 2))
    flags, numbers = random.random((2, 5)) < 0.5, random.random((2, 5))
    return Posterior(
        toy_scan().parameters, ("a",), draws, numbers, flags, numbers, np.full((2, 5), 3), {"a": Diagnosis(1, 9, 9, 9)}
    )


def parts(path: Path) -> None:
    scan = toy_scan()
    values = np.float32(scan.values[:4])
    write_arrays(path, {"values": values, "events": np.full(4, 50), "path": scan.bins.path, "index": scan.bins.index})


def parts_of(path: Path) -> dict[str, np.ndarray]:
    found, bins = _read_parts(path, toy_scan().bins), toy_scan().bins
    assert found is not None
    return {"values": found.values, "events": found.events, "path": bins.path, "index": bins.index}


def events(path: Path) -> None:
    n = 6
    ids = np.tile(np.array([90, 11, -11, 211, -211, 22], np.int32), 2)
    arrays = {
        "id": ids,
        "sthep": np.tile(np.array([11, 4, 4, 1, 1, 1], np.int32), 2),
        **{name: np.zeros(2 * n, np.int32) for name in ("m1", "m2", "d1", "d2")},
        "p": np.arange(10.0 * n).reshape(2 * n, 5),
        "offsets": np.array([0, n, 2 * n]),
        "weights": np.array([1.0, 2.0]),
        "cross_section": np.array([40.0, 0.5]),
    }
    write_arrays(path, arrays)


def events_of(path: Path) -> dict[str, np.ndarray]:
    file = EventFile(path)
    (batch,) = list(file.batches())
    momenta = np.stack([batch.px, batch.py, batch.pz, batch.e, batch.m], axis=1)
    links = {"m1": batch.mother1, "m2": batch.mother2, "d1": batch.daughter1, "d2": batch.daughter2}
    # with equal weights and no cross-section as without these arrays
    return {
        "id": batch.id,
        "sthep": batch.status,
        "p": momenta,
        "offsets": batch.offsets,
        "weights": batch.weight,
        "cross_section": np.array(file.cross_section or ()),
    } | links


def hdf5(path: Path) -> None:
    apprentice.write_scan(path, toy_scan())


def hdf5_of(path: Path) -> dict[str, np.ndarray]:
    scan = apprentice.read_scan(path)
    return {
        "params": scan.theta,
        "values": scan.values.T,
        "errors": scan.errors.T,
        "index": np.array(scan.bins.labels()),
        "xmin": scan.bins.low,
        "xmax": scan.bins.high,
        "runs": np.array(scan.runs),
    }


def _resave(path: Path, found: Any) -> None:
    save_surrogate(path, *found)


SURROGATES = {
    "polynomial": lambda: fit_polynomial(toy_scan(), 2),
    "rational": lambda: fit_rational(toy_scan(), 1, 1),
    "gaussian": lambda: fit_gaussian(toy_scan(), GaussianConfig(groups=2), 1),
    "components": compound,
}
KINDS = {
    "scan": Kind(lambda path: toy_scan().save(path), again(lambda path, scan: scan.save(path), Scan.load)),
    "posterior": Kind(lambda path: posterior().save(path), again(lambda path, found: found.save(path), load_posterior)),
    "parts": Kind(parts, parts_of),
    "events": Kind(events, events_of),
} | {
    name: Kind(lambda path, make=make: save_surrogate(path, make(), toy_scan().runs), again(_resave, load_with_runs))
    for name, make in SURROGATES.items()
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """The content of a sound file of every kind."""
    made = {}
    for name, kind in KINDS.items():
        path = tmp_path_factory.mktemp("whole") / f"{name}{kind.suffix}"
        kind.write(path)
        made[name] = path.read_bytes()
    return made


def other_types(array: np.ndarray) -> list[np.ndarray]:
    """The same numbers in other types, and types that hold no such numbers."""
    kinds = ["f2", "f4", "f8", ">f8", "i1", "i4", "i8", "u8", "?", "c16", "U8", "S8", "M8[s]", "m8[s]", "f16"]
    found = []
    for kind in kinds:
        with np.errstate(all="ignore"):
            try:
                found.append(array.astype(kind))
            except (ValueError, TypeError, OverflowError):
                found.append(np.zeros(array.shape, kind))
    return found


def other_shapes(array: np.ndarray) -> list[np.ndarray]:
    one = array.ravel()[:1]
    array = np.atleast_1d(array)
    return [
        array.T, array.ravel(), array[None], array[..., None], array[:1], array[:0], array[1:], array[..., :1],
        array[..., :-1], np.concatenate([array, array]), array[::-1], array.ravel()[:0], one, one.reshape(()),
        one.reshape(1, 1),
    ]  # fmt: skip


def other_values(array: np.ndarray) -> list[np.ndarray]:
    if array.dtype.kind not in "fiu":
        words = ["", "a\nb", "\ud800", "x" * 300, "/A/d00"] if array.dtype.kind == "U" else []
        return [np.full(array.shape, word) for word in words]
    found = []
    for number in (np.nan, np.inf, -np.inf, -1, 0, 0.5, 1e300, -1e300, 1e-310, 2.0**40, 2.0**63, -(2.0**63), 7):
        for place in (0, -1):
            changed = array.astype("f8").ravel()
            changed[place] = number
            found.append(changed.reshape(array.shape))
    return found


def damaged_arrays(draw: Any, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file, one of them missing, another, or under another name."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    name = draw(st.sampled_from(sorted(set(arrays) - {"meta", "head"})))
    ways = [other_types, other_shapes, other_values]
    way = draw(st.sampled_from([*ways, None] if arrays[name].size else [other_types, None]))
    array = arrays.pop(name)
    if way is not None:
        changed = way(array)
        return arrays | {name: draw(st.sampled_from(changed))} if changed else arrays
    if draw(st.booleans()):
        return arrays | {draw(st.sampled_from([name.upper(), name + "s", name[:-1], "x"])): array}
    return arrays


def damaged_header(draw: Any, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file with a value of its header missing, twice or another."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    name = "meta" if "meta" in arrays else "head"
    header = json.loads(str(arrays[name]))
    key = draw(st.sampled_from(sorted(header)))
    others = [None, True, -1, 0, 1, 1.5, 2**70, float("nan"), "x", "", [], [[]], {}, [1], {"a": 1}, "\ud800", "a\nb"]
    if draw(st.booleans()):
        header[key] = draw(st.sampled_from(others))
    elif isinstance(header[key], list) and header[key]:
        mine = list(header[key])
        header[key] = draw(st.sampled_from([mine[1:], mine + mine[:1], mine[::-1], [*mine[1:], "other"], [mine]]))
    else:
        del header[key]
    return arrays | {name: np.array(json.dumps(header))}


def damaged_bytes(draw: Any, content: bytes) -> bytes:
    """A file with bytes lost, doubled, swapped, others, or cut."""
    at = draw(st.integers(0, len(content) - 1))
    size = draw(st.sampled_from([1, 1, 1, 2, 8, 100]))
    way = draw(st.sampled_from(["lost", "doubled", "swapped", "other", "cut", "more"]))
    mine = content[at : at + size]
    middle = {
        "lost": b"",
        "doubled": mine * 2,
        "swapped": mine[::-1],
        "other": bytes(byte ^ (1 << draw(st.integers(0, 7))) for byte in mine),
        "cut": b"",
        "more": bytes(draw(st.lists(st.integers(0, 255), max_size=8))) + mine,
    }[way]
    return content[:at] + middle + (b"" if way == "cut" else content[at + size :])


def check(kind: Kind, path: Path, held: dict[str, np.ndarray] | None) -> None:
    """Read a damaged file: it is refused with its name, or its numbers are those that it holds."""
    try:
        found = kind.read(path)
    except InputError as error:
        said = str(error)
    else:
        compare(found, held)
        return
    assert said.startswith((str(path), f"scan {path}", f"run {path.parent}: {path}")), said
    assert len(said) < 2 * len(str(path)) + 500


def compare(found: dict[str, np.ndarray], held: dict[str, np.ndarray] | None) -> None:
    for name, array in (held or {}).items():
        if name in found and name not in ("meta", "head"):
            assert found[name].shape == array.shape, name
            assert np.array_equal(found[name], array, equal_nan=array.dtype.kind == "f"), name
    for name in found:
        assert held is None or name in held or name in ("cross_section", "weights", "events"), f"{name} was made up"


@pytest.fixture(params=list(KINDS))
def kind(request) -> str:
    return request.param


def try_arrays(kind: str, whole: dict[str, bytes], place: Path, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attempt(data: Any) -> None:
        damage = data.draw(st.sampled_from([damaged_arrays, damaged_arrays, damaged_header]))
        path = place / f"{kind}.npz"
        if damage is damaged_header and kind in ("parts", "events"):
            damage = damaged_arrays
        arrays = damage(data.draw, whole[kind])
        write_arrays(path, arrays)
        check(KINDS[kind], path, arrays)

    attempt()


def try_bytes(kind: str, whole: dict[str, bytes], place: Path, examples: int) -> None:
    (place / f"{kind}.npz").write_bytes(whole[kind])
    sound = KINDS[kind].read(place / f"{kind}.npz")

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attempt(data: Any) -> None:
        path = place / f"{kind}.npz"
        path.write_bytes(damaged_bytes(data.draw, whole[kind]))
        check(KINDS[kind], path, sound)

    attempt()


def test_arrays_that_are_others(kind, whole, tmp_path):
    try_arrays(kind, whole, tmp_path, EXAMPLES)


def test_bytes_that_are_others(kind, whole, tmp_path):
    try_bytes(kind, whole, tmp_path, EXAMPLES)


@pytest.mark.slow
def test_many_arrays_that_are_others(kind, whole, tmp_path):
    try_arrays(kind, whole, tmp_path, 150)


@pytest.mark.slow
def test_many_bytes_that_are_others(kind, whole, tmp_path):
    try_bytes(kind, whole, tmp_path, 150)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice(kind, whole, tmp_path):
    path = tmp_path / f"{kind}.npz"
    path.write_bytes(whole[kind])
    with zipfile.ZipFile(path, "a") as archive:
        name = archive.namelist()[-1]
        archive.writestr(name, archive.read(name))
    with pytest.raises(InputError, match="is there twice"):
        KINDS[kind].read(path)


def test_the_layout_of_parts_is_complete(tmp_path):
    """What one kind leaves out is not found missing by what it holds: parts have no header."""
    parts(tmp_path / "parts.npz")
    assert set(read_arrays(tmp_path / "parts.npz", "file")) == set(PARTS_LAYOUT)


#: what may stand in place of an attribute of params
ATTRIBUTES = [None, 1.5, "x", np.zeros(3), np.zeros((2, 2)), np.array([b"a", b"b"]), np.array([b"a"]), np.nan]


def try_hdf5(place: Path, examples: int) -> None:
    h5py = pytest.importorskip("h5py")
    path = place / "scan.h5"

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attempt(data: Any) -> None:
        hdf5(path)
        with h5py.File(path, "a") as file:
            held = {name: _words(item[()]) for name, item in file.items()}
            name = data.draw(st.sampled_from(sorted(held)))
            attributes = dict(file[name].attrs)
            if name == "params" and data.draw(st.booleans()):
                which, value = data.draw(st.sampled_from(sorted(attributes))), data.draw(st.sampled_from(ATTRIBUTES))
                attributes = {k: v for k, v in (attributes | {which: value}).items() if v is not None}
            else:
                changed = data.draw(st.sampled_from([other_types, other_shapes, other_values]))(held[name])
                held[name] = data.draw(st.sampled_from([a for a in changed if a.dtype.kind not in "Mm"]))
            del file[name]
            text = held[name].dtype.kind == "U"
            file[name] = np.char.encode(held[name], "utf-8", "surrogatepass") if text else held[name]
            for key, value in attributes.items():
                file[name].attrs[key] = value
        held[name] = _words(held[name])
        check(Kind(hdf5, hdf5_of), path, held)

    attempt()


def _words(array: np.ndarray) -> np.ndarray:
    return array.astype(np.str_) if array.dtype.kind == "S" else array


def test_hdf5_that_is_another(tmp_path):
    try_hdf5(tmp_path, EXAMPLES)


@pytest.mark.slow
def test_much_hdf5_that_is_another(tmp_path):
    try_hdf5(tmp_path, 300)
