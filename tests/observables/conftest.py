from pathlib import Path

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.generators import observables
from sbitune.generators.batch import EventBatch
from sbitune.generators.eventfiles import EventFile

DATA = Path(__file__).resolve().parents[1] / "data"
TOLERANCE = 2e-6  # half a unit of the seventh digit is 5e-7; sums of our own carry rounding of their own
COLUMNS = {
    "Counter": ("sumw", "sumw2", "entries"),
    "Scatter": ("values", "minus", "plus"),
    "Histo1D": ("low", "high", "sums", "total", "underflow", "overflow"),
    "Profile1D": ("low", "high", "sums", "total", "underflow", "overflow"),
}


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def lep_names() -> list[str]:
    return [name for name in observables.available() if not name.startswith("ATLAS")]


@pytest.fixture(scope="session")
def lep_events() -> EventBatch:
    return next(EventFile(DATA / "lep91_200.npz").batches())


@pytest.fixture(scope="session")
def lhc_events() -> EventBatch:
    return next(EventFile(DATA / "lhc7_60.npz").batches())


def differences(ours, reference) -> list[str]:
    """Return the parts of an object that differ from the reference beyond the precision of its file."""
    if type(ours) is not type(reference):
        return ["type"]
    parts = COLUMNS[type(reference).__name__]
    wrong = [part for part in parts if not _agree(getattr(ours, part), getattr(reference, part))]
    scales = [obj.annotations.get("ScaledBy") for obj in (ours, reference)]
    if (scales[0] is None) != (scales[1] is None) or (scales[0] and not _agree(float(scales[0]), float(scales[1]))):
        wrong.append("ScaledBy")
    return wrong


def _agree(a, b) -> bool:
    a, b = np.atleast_1d(np.asarray(a, float)), np.atleast_1d(np.asarray(b, float))
    if a.shape != b.shape:
        return False
    # numbers of one column have one scale: what cancels to zero there does so up to rounding only
    scale = np.abs(b).max(axis=0, initial=0.0)
    near = np.abs(a - b) <= TOLERANCE * np.maximum(np.abs(a), np.abs(b)) + 1e-12 * scale
    return bool(np.all(near | (np.isnan(a) & np.isnan(b))))


@pytest.fixture(scope="session")
def compare():
    """Compare two collections of objects: (number that agree, what differs by path)."""

    def _compare(ours, reference):
        ours = {obj.path: obj for obj in ours}
        wrong = {path: "missing" for path in reference if path not in ours}
        wrong |= {path: "not in Rivet's output" for path in ours if path not in reference}
        for path in reference.keys() & ours.keys():
            if parts := differences(ours[path], reference[path]):
                wrong[path] = ", ".join(parts)
        return len(reference) - sum(path in reference for path in wrong), wrong

    return _compare


@pytest.fixture(scope="session")
def equal(compare):
    """Assert that two lists of objects hold the same numbers."""

    def _equal(ours, others):
        others = {obj.path: obj for obj in others}
        assert compare(ours, others) == (len(others), {})

    return _equal


@pytest.fixture(scope="session")
def make_batch():
    """Build a batch of events from lists of final-state particles (code, px, py, pz, mass), with beams added."""

    def _make(events, weights=None, beams=(11, -11), energy=91.2):
        rows, offsets = [], [0]
        for particles in events:
            half = energy / 2
            rows.append((90, 11, 0.0, 0.0, 0.0, energy, energy))
            rows += [(code, 4, 0.0, 0.0, s * half, half, 0.0) for code, s in zip(beams, (1, -1), strict=False)]
            for code, x, y, z, m in particles:
                rows.append((code, 1, x, y, z, np.sqrt(x * x + y * y + z * z + m * m), m))
            offsets.append(len(rows))
        table = np.array(rows, float).reshape(-1, 7)
        momenta = {name: table[:, 2 + k].copy() for k, name in enumerate(("px", "py", "pz", "e", "m"))}
        zeros = {name: np.zeros(len(table), np.int32) for name in ("mother1", "mother2", "daughter1", "daughter2")}
        return EventBatch(
            id=table[:, 0].astype(np.int32),
            status=table[:, 1].astype(np.int32),
            **zeros,
            **momenta,
            offsets=np.array(offsets, np.int64),
            weight=np.ones(len(events)) if weights is None else np.array(weights, float),
        )

    return _make


@pytest.fixture(scope="session")
def read_reference():
    return lambda path: yoda.read(path)
