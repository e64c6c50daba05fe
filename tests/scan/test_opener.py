"""The one opener of arrays, and the layouts that they are compared with."""

import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.arrays import read_arrays, read_hdf5, write_arrays
from sbitune.data.storage.layout import ArraySpec, check_arrays, check_correlation
from sbitune.data.storage.store import read_stored, write_stored


def npy(shape, descr="<f8", content=b"", fortran=False) -> bytes:
    """An array file that declares a shape, whatever it holds."""
    head = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def test_arrays_come_back_bit_by_bit(tmp_path):
    arrays = {
        "numbers": np.array([[1.5, np.nan, -0.0], [np.inf, 5e-324, 1e308]]),
        "inner/fortran": np.asfortranarray(np.arange(12, dtype=">i2").reshape(3, 4)),
        "flag": np.array(True),
        "nothing": np.zeros((0, 3), np.float32),
        "text": np.array(["/A/d01-x01-y01", "é", ""]),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path / "a.npz", "file of numbers")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
    found["numbers"][0, 0] = 7  # an array of its own


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.npy", npy((10**12,)))], r"the array a of shape \(1000000000000,\) takes 8,000,000,000,000 bytes"),
        ([("a.npy", npy((2,), content=bytes(8)))], r"the array a of shape \(2,\) takes 16 bytes, the file has 8"),
        ([("a.npy", npy((2,), content=bytes(24)))], "takes 16 bytes, the file has 24"),
        ([("a.npy", npy((-1,), content=bytes(8)))], r"it has an array of shape \(-1,\)"),
        ([("a.npy", npy((1,), "|O", b"\x80\x04K\x05."))], "neither numbers nor text"),
        ([("a.npy", npy((1,), [("x", "<f8")], bytes(8)))], "neither numbers nor text"),
        ([("a.npy", npy((1,), "<f8", bytes(8))), ("a.npy", npy((1,), "<f8", bytes(8)))], "the array a is there twice"),
        ([("notes.txt", b"hello")], "notes.txt in it is no array"),
        ([("a.npy", b"\x93NUMPY\x01\x00")], "not a whole file of numbers"),
        ([("a.npy", b"")], "not a whole file of numbers"),
        ([("a.npy", npy((1,), "?" * 500, bytes(8)))], "not a whole file of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_archive_of_arrays_is_refused(tmp_path, members, message):
    path = archive(tmp_path / "a.npz", members)
    with pytest.raises(InputError, match=message) as refused:
        read_arrays(path, "file of numbers")
    assert str(refused.value).startswith(str(path))
    assert len(str(refused.value)) < len(str(path)) + 400


def test_a_zip_bomb_is_not_unfolded(tmp_path):
    content = npy((20_000_000,)) + bytes(160_000_000)
    path = archive(tmp_path / "a.npz", [("a.npy", content)])
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match=r"its arrays would take 160,000,\d{3} bytes, the file has 1\d\d,\d{3}$"):
        read_arrays(path, "file of numbers")


def test_a_checksum_that_does_not_fit_is_seen(tmp_path):
    path = archive(tmp_path / "a.npz", [("a.npy", npy((4,), content=np.arange(4.0).tobytes()))], zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(3).tobytes()) + 6] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: not a whole file of numbers \(Bad CRC-32"):
        read_arrays(path, "file of numbers")


def test_places_that_hold_no_file(tmp_path):
    with pytest.raises(InputError, match=r"absent\.npz: cannot be read as a file of numbers: No such file"):
        read_arrays(tmp_path / "absent.npz", "file of numbers")
    with pytest.raises(InputError, match="it is no file"):
        read_arrays(tmp_path, "file of numbers")
    (tmp_path / "empty.npz").touch()
    with pytest.raises(InputError, match=r"empty\.npz: not a file of numbers, or cut short"):
        read_arrays(tmp_path / "empty.npz", "file of numbers")


LAYOUT = {
    "theta": ArraySpec(("n_runs", 2)),
    "id": ArraySpec(("n_runs",), np.int32),
    "error": ArraySpec(("n_runs",), low=0),
    "log": ArraySpec(("n_runs",), np.bool_, needed=False),
    "name": ArraySpec(("n_runs",), np.str_, needed=False),
}
GOOD = {
    "theta": np.ones((3, 2)),
    "id": np.array([11, -11, 22]),
    "error": np.ones(3, np.float32),
    "log": np.array([True, False, True]),
    "name": np.array(["a", "b", "c"]),
}


def test_arrays_that_fit_are_given_in_the_types_of_the_layout():
    found = check_arrays("file", GOOD | {"other": np.array("x")}, LAYOUT)
    assert {name: array.dtype.name for name, array in found.items() if name != "name"} == {
        "theta": "float64",
        "id": "int32",
        "error": "float64",
        "log": "bool",
    }
    assert list(found) == list(LAYOUT)
    whole = check_arrays("file", GOOD | {"id": np.array([11.0, -11.0, 22.0]), "error": np.array([1, 2, 3])}, LAYOUT)
    assert whole["id"].tolist() == [11, -11, 22]
    assert whole["error"].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("error", np.ones(1), r"'error' has the shape \(1,\), expected \(3,\), that is \(n_runs,\)"),
        ("theta", np.ones((3, 1)), r"'theta' has the shape \(3, 1\), expected \(3, 2\), that is \(n_runs, 2\)"),
        ("theta", np.array(1.0), r"'theta' has the shape \(\), expected"),
        ("error", None, "the array 'error' is missing; it has theta, id, log, name"),
        ("id", np.array([11, 5.7, 22]), "'id' is 5.7 at 1; expected whole numbers of -2147483648 to 2147483647"),
        ("id", np.array([11, 2**40, 22]), "'id' is 1099511627776 at 1"),
        ("id", np.array([11, np.nan, 22]), "'id' is nan at 1"),
        ("id", np.array(["11", "5", "22"]), "'id' does not hold whole numbers, but <U2"),
        ("id", np.array([True, False, True]), "'id' does not hold whole numbers, but bool"),
        ("theta", np.ones((3, 2), complex), "'theta' does not hold numbers, but complex128"),
        ("theta", np.full((3, 2), "1"), "'theta' does not hold numbers, but <U1"),
        ("theta", np.ones((3, 2), "m8[s]"), "'theta' does not hold numbers"),
        ("theta", np.array([[1, 2], [3, np.inf], [5, 6]]), "'theta' is inf at 1, 1, not a finite number"),
        ("error", np.array([1, -0.5, 1]), "'error' is -0.5 at 1; expected at least 0"),
        ("log", np.array([1, 0, 1]), "'log' does not hold true or false, but int64"),
        ("name", np.array(["a", "b\nc", "d"]), "'name' holds the character 0xa, which is none of a name"),
        ("name", np.array([b"a", b"b", b"c"]), "'name' does not hold text"),
    ],
)
def test_arrays_that_do_not_fit_are_named(name, array, message):
    arrays = {key: value for key, value in (GOOD | {name: array}).items() if value is not None}
    with pytest.raises(InputError, match=f"^file: {message}"):
        check_arrays("file", arrays, LAYOUT)


def test_a_matrix_that_is_no_correlation():
    good = np.array([[1, 0.5], [0.5, 1]])
    check_correlation("file", good)
    check_correlation("file", None)
    for bad, message in (
        ([[1, 0.5], [0.4, 1]], "0.5 at 0, 1 and 0.4 at 1, 0"),
        ([[1, 1.5], [1.5, 1]], "1.5 at 0, 1"),
        ([[1, 0.5], [0.5, 2]], "2 on its diagonal, at 1"),
    ):
        with pytest.raises(InputError, match=message):
            check_correlation("file", np.array(bad))


@pytest.fixture
def scan() -> Scan:
    bins = Bins(["/A/d01", "/A/d01", "/B/d02"], [0, 1, 0], [0.0, 1, 0], [1.0, 2, 5])
    parameters = (Parameter("a", 0, 2, 1.0, "GeV"), Parameter("b", -1, 1))
    correlation = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    numbers = np.arange(12.0).reshape(4, 3)
    runs = ("0000", "0001", "0002", "0003")
    return Scan(parameters, np.arange(8.0).reshape(4, 2), numbers, numbers, bins, runs, correlation, np.ones(3))


def respelt(path, change, meta=lambda header: header):
    """Write a file of arrays again, some of them changed."""
    with np.load(path) as stored:
        arrays = dict(stored)
    header = meta(str(arrays.pop("meta")))
    write_arrays(path, {"meta": np.array(header), **change(arrays)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"errors": a["errors"][:, :1]}, r"'errors' has the shape \(4, 1\), expected \(4, 3\)"),
        (lambda a: a | {"errors": -a["errors"]}, "run 0000, bin /A/d01#1: 1.0 .- -1.0"),
        (lambda a: a | {"theta": a["theta"][:1]}, r"'theta' has the shape \(1, 2\), expected \(4, 2\)"),
        (lambda a: a | {"scaling": a["scaling"][:1]}, r"'scaling' has the shape \(1,\), expected \(3,\)"),
        (lambda a: a | {"bin_index": a["bin_index"] + 0.5}, "'bin_index' is 0.5 at 0"),
        (lambda a: a | {"bin_index": a["bin_index"] * 0}, "bin /A/d01#0 is there twice"),
        (lambda a: a | {"bin_high": a["bin_high"] * np.inf}, "the edges 0.0 and inf are not finite"),
        (lambda a: a | {"correlation": a["correlation"] * 2}, "'correlation' is 2 on its diagonal"),
        (lambda a: {k: v for k, v in a.items() if k != "correlation"}, "was written with theta, .*correlation"),
        (lambda a: a | {"more": np.ones(2)}, "it has the arrays .*more"),
    ],
)
def test_a_scan_that_was_spoilt_is_refused(tmp_path, scan, change, message):
    path = tmp_path / "scan.npz"
    scan.save(path)
    respelt(path, lambda arrays: arrays)
    assert Scan.load(path).errors.tolist() == scan.errors.tolist()
    respelt(path, change)
    with pytest.raises(InputError, match=message) as refused:
        Scan.load(path)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["a", 0, 2, 1.0, "GeV"]', '["a", "0", 2, 1.0, "GeV"]', r"a parameter is \[name, low, high"),
        ('["a", 0, 2, 1.0, "GeV"]', '["a\\nb", 0, 2, 1.0, "GeV"]', "parameter 'a.nb': a line break"),
        ('["a", 0, 2, 1.0, "GeV"]', '["a", 0, 2, NaN, "GeV"]', "default nan is not finite"),
        ('["a", 0, 2, 1.0, "GeV"]', '["b", 0, 2, 1.0, "GeV"]', "the parameter b is there twice"),
        ('"0001"', "1", "runs: expected a list of words"),
        ('"0001"', '"0000"', "run 0000 occurs more than once"),
        ('"version": 1', '"version": true', "format version True"),
        ("{", "[" * 20_000, "not a whole sbitune scan"),
        ('"format"', '"other"', "says neither format nor version"),
    ],
)
def test_a_header_that_was_spoilt_is_refused(tmp_path, scan, old, new, message):
    path = tmp_path / "scan.npz"
    scan.save(path)
    respelt(path, lambda arrays: arrays, lambda header: header.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as refused:
        Scan.load(path)
    assert str(refused.value).startswith(str(path))


def test_files_that_do_not_list_their_arrays_are_read(tmp_path, scan):
    """As those of earlier versions."""
    path = tmp_path / "scan.npz"
    scan.save(path)
    respelt(path, lambda arrays: arrays, lambda header: re.sub(r'"arrays": \[[^\]]*\], ', "", header))
    assert Scan.load(path).runs == scan.runs


def test_what_stands_in_the_header_is_checked(tmp_path):
    path = tmp_path / "x.npz"
    write_stored(path, "sbitune thing", 2, {"n": 3}, {"x": np.ones(3)})
    meta, arrays = read_stored(path, "sbitune thing", 2)
    assert (meta, list(arrays)) == ({"n": 3}, ["x"])
    write_arrays(path, {"x": np.ones(3)})
    with pytest.raises(InputError, match="the array 'meta' is missing; it has x"):
        read_stored(path, "sbitune thing", 2)
    write_arrays(path, {"x": np.ones(3), "meta": np.array(5.0)})
    with pytest.raises(InputError, match="the array 'meta' is no text"):
        read_stored(path, "sbitune thing", 2)


def test_nothing_but_the_file_itself_is_opened(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.ones(3)
    path = tmp_path / "a.h5"

    def read(fill):
        with h5py.File(path, "w") as file:
            fill(file)
        return read_hdf5(path, "file of numbers", ("x",), "x")

    def declare(file):
        file.create_dataset("x", (10**12,), "f8", chunks=(1024,))

    def outside(file):
        file.create_dataset("x", (3,), "f8", external=[("raw.bin", 0, 24)])

    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
    cases = {
        "x is a link to another place": lambda file: file.__setitem__("x", h5py.ExternalLink("other.h5", "/x")),
        "x is a link to another": lambda file: file.__setitem__("x", h5py.SoftLink("/y")),
        "x lies in another file": outside,
        "x lies in another file;": lambda file: file.create_virtual_dataset("x", layout),
        "would take 8,000,000,000,000 bytes": declare,
        "x is no array": lambda file: file.create_group("x"),
        "x is no array$": lambda file: file.__setitem__("x", h5py.Empty("f8")),
        "x holds neither numbers nor text": lambda file: file.create_dataset("x", (2,), h5py.vlen_dtype("f8")),
    }
    for message, fill in cases.items():
        with pytest.raises(InputError, match=message) as refused:
            read(fill)
        assert str(refused.value).startswith(str(path))
    assert read(lambda file: None).arrays == {}
    with pytest.raises(InputError, match=r"absent\.h5: cannot be read as a file of numbers: "):
        read_hdf5(tmp_path / "absent.h5", "file of numbers", ("x",), "x")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match=r"a\.h5: (not a whole|cannot be read as a) file of numbers"):
        read_hdf5(path, "file of numbers", ("x",), "x")


def test_numbers_of_ones_own_are_compared_before_they_are_written(tmp_path, scan):
    with pytest.raises(InputError, match="the run 'a\\\\nb' has a line break"):
        replace(scan, runs=("a\nb", "0001", "0002", "0003"))
    with pytest.raises(InputError, match="a line break, or another character that is not seen"):
        Parameter("a\n[b]", 0, 1)


def test_every_cut_of_a_file_is_refused(tmp_path, scan):
    path = tmp_path / "scan.npz"
    scan.save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"scan\.npz: not a"):
            Scan.load(path)
