"""Surrogates as they were made, and written, before kinds stood behind one protocol (`before/`, of commit b2519bb)."""

import json
from pathlib import Path

import jax
import msgspec
import numpy as np
import pytest
from helpers.smallscans import THETA, scans

from sbitune.tuning.surrogates.config import SurrogateConfig
from sbitune.tuning.surrogates.description import describe
from sbitune.tuning.surrogates.storage import load_with_runs, save_surrogate
from sbitune.tuning.surrogates.training import train

BEFORE = Path(__file__).parent / "before"
NUMBERS = json.loads((BEFORE / "numbers.json").read_text())


def file_of(name: str) -> Path:
    return BEFORE / f"{name.replace(': ', '_').replace(' ', '_')}.npz"


def header(stored) -> dict:
    return json.loads(str(stored["meta"]))


def check(surrogate, name: str, tolerance: float) -> None:
    """Means and errors are those of before to so many of the errors, covariances to that part of them."""
    known = NUMBERS[name]
    theta = THETA[:, : len(surrogate.parameters)]
    mean, error = surrogate.predict_many(theta)
    np.testing.assert_allclose(mean, known["mean"], rtol=0, atol=tolerance * np.min(known["error"]))
    np.testing.assert_allclose(error, known["error"], rtol=tolerance)
    covariance = next(surrogate.covariances(theta[:1], np.array([1, 3])))
    largest = np.abs(known["covariance"]).max()
    np.testing.assert_allclose(covariance, known["covariance"], rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("name", NUMBERS)
def test_files_of_before_predict_the_same_and_are_written_alike(name: str, tmp_path: Path) -> None:
    surrogate, runs = load_with_runs(file_of(name))
    assert runs == scans()[name.partition(":")[0]].runs
    check(surrogate, name, 1e-9)
    about = describe(surrogate)
    for key, value in NUMBERS[name]["about"].items():
        assert about[key] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value)
    save_surrogate(tmp_path / "again.npz", surrogate, runs)
    with np.load(file_of(name)) as old, np.load(tmp_path / "again.npz") as new:
        assert set(old.files) == set(new.files)
        assert header(new).pop("made_by").startswith("sbitune ")
        assert {**header(new), "made_by": None} == {**header(old), "made_by": None}
        for array in set(old.files) - {"meta"}:
            np.testing.assert_array_equal(new[array], old[array])


#: networks are compiled anew for every shape: one of them tells
QUICK = {"plain: polynomial", "plain: gaussian", "plain: rational of every bin"}
TRAINED = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NUMBERS if name != "copied: network"
]


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_scan_and_config_give_the_same_surrogate(name: str) -> None:
    config = msgspec.convert(NUMBERS[name]["config"], SurrogateConfig)
    surrogate = train(jax.random.key(1), scans()[name.partition(":")[0]], config)
    # rounding differs from machine to machine, and from one way to compute Legendre polynomials to another: networks
    # learn it for many steps, and the search for a rational function's minimum ends elsewhere by some 1e-8 of an error
    check(surrogate, name, 0.02 if "network" in name else 1e-7 if "rational" in name else 1e-9)
