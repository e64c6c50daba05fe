"""What training and fit leave in `work/`: under keys of what made it, told from what is damaged or of another fit."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

import sbitune
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.data.storage.arrays import read_arrays, write_arrays
from sbitune.data.storage.files import hash_bytes, hash_files
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.fitting.likelihood.measured import Measured
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.record.checks import check_about
from sbitune.tuning.record.parts import AboutRecord
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.storage import FORMAT_VERSION, load_surrogate
from sbitune.workflow.stages import Product

SURROGATE = "surrogate.npz"
NOTE = "surrogate.json"
FIT = "fit.npz"
_FIT_ARRAYS = {"errors": ArraySpec(("n_bins",), low=0.0), "weights": ArraySpec(("n_bins",), low=0.0)}
#: packages whose code a trained surrogate depends on
_TRAINING = ("tuning/surrogates", "learning")
#: what parts of a key are called in messages
_WORDS = {
    "scan": "the scan",
    "options": "the card's `surrogate`, `fit.seed` or `fit.fixed`",
    "code": "the version of sbitune",
    "format": "the format of the file",
}


def surrogate_product(loaded: LoadedCard) -> Product:
    """The surrogate that `sbitune train` leaves in `work/`."""
    return Product(
        loaded.work / SURROGATE, loaded.work / NOTE, "surrogate", _WORDS, AboutRecord, check_about, "trained"
    )


def training_key(loaded: LoadedCard, scan: Scan) -> dict[str, str]:
    """Hashes of all that a surrogate is made of: every number of the scan, every option that changes what is learnt or
    noted of it, the code that learns, and the format of the file.
    """
    fit = loaded.card.fit
    options = [loaded.card.surrogate, fit.seed, sorted(fit.fixed.items())]  # closure fits what is not fixed
    return {
        "scan": hash_scan(scan),
        "options": hash_bytes(msgspec.json.encode(options)),
        "code": _hash_training(),
        "format": str(FORMAT_VERSION),
    }


def hash_scan(scan: Scan) -> str:
    """Hash of everything in a scan, the same before it is written and after it is read."""
    parts = []
    for name, value in vars(scan).items():
        if name in ("copies", "known_copies"):
            continue
        arrays = value.to_arrays() if isinstance(value, Bins) else {"": value}
        for part, array in arrays.items():
            parts += [f"{name}/{part}".encode(), _bytes_of(array)]
    copies = [{name: array.tolist() for name, array in vars(block).items()} for block in scan.copies]
    return hash_bytes(*parts, repr(copies).encode())


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    return repr(value).encode()


@cache
def _hash_training() -> str:
    root = Path(sbitune.__file__).parent
    return hash_bytes(
        sbitune.__version__.encode(),
        *(hash_files(sorted((root / package).rglob("*.py"))).encode() for package in _TRAINING),
    )


class Kept(NamedTuple):
    """What was found of a surrogate that was trained before."""

    surrogate: TrainedSurrogate | None
    why: str = ""  #: why it cannot be used, in words; empty if there was none


def kept_surrogate(loaded: LoadedCard, wanted: Mapping[str, str]) -> Kept:
    """The surrogate in `work/`, if it was made of just what is wanted, and is what was made."""
    product = surrogate_product(loaded)
    why = product.why_not(wanted)
    if why is not None:
        return Kept(None, why)
    try:
        return Kept(load_surrogate(product.path))
    except InputError as error:
        return Kept(None, str(error))


def write_fit(loaded: LoadedCard, measured: Measured) -> None:
    """Keep the errors and weights (n_bins,) that a fit found, as `work/fit.npz`."""
    write_arrays(loaded.work / FIT, {"errors": measured.errors, "weights": measured.weights})


def read_fit(loaded: LoadedCard, measured: Measured, made: object) -> Measured:
    """The measured bins with the errors and weights that the fit found. `made` is their hash in the result, None if an
    older sbitune did not note it.

    Raises:
        InputError: naming the command that makes the file, if it is missing, damaged, or of another fit.
    """
    path, again = loaded.work / FIT, f"run `sbitune fit {loaded.path}`"
    if not path.exists():
        raise InputError(f"{path}: not made yet; {again} first")
    n_bins = {"n_bins": len(measured.bins)}
    try:
        arrays = check_arrays(str(path), read_arrays(path, "file of a fit"), _FIT_ARRAYS, n_bins)
    except InputError as error:
        raise InputError(f"{error}; {again} again") from error
    used = dataclasses.replace(measured, errors=arrays["errors"], weights=arrays["weights"])
    if made is not None and hash_fit(used) != made:
        raise InputError(f"{path}: not of the fit in {loaded.output('result.yaml')}; {again} again")
    return used


def hash_fit(measured: Measured) -> str:
    """Hash of the errors and weights that a fit found, which its result holds."""
    return hash_bytes(_bytes_of(np.asarray(measured.errors, float)), _bytes_of(np.asarray(measured.weights, float)))
