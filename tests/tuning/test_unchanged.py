"""The same scan and card give the same tune as before: 39 bins of LEP in 48 runs of Pythia, five parameters.

`python tests/tuning/test_unchanged.py` writes the numbers of the present code to `unchanged/expected.json`. On a
machine whose LAPACK rounds as that one did values, errors, chi2 and coverages are the same to 1e-9. Ends of MINOS
intervals and correlations are to 1e-6: MINUIT begins its search from second derivatives by differences of -2 log L, in
which the last digit of another order of sums weighs that much. On other machines rounding moves where a search ends, by
some 1e-5 of the errors.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg

from sbitune.data.storage.files import hash_bytes
from sbitune.tuning.card import load_card
from sbitune.tuning.stages.pipeline import tune

HERE = Path(__file__).parent / "unchanged"
KINDS = {
    "polynomial": "{kind: polynomial}",
    "gaussian": "{kind: gaussian}",
    "gaussian-per-bin": "{kind: gaussian, components: false}",
    "rational": "{kind: rational}",
    "network": "{kind: network, epochs: 60}",
}
#: those that need no training of networks, and take seconds
QUICK = ("polynomial",)
CARD = """title: thirty-nine bins of LEP
scan: {{directory: scan.npz}}
reference: [ALEPH_1996_S3486095, OPAL_2004_S6132243, PDG_HADRON_MULTIPLICITIES]
observables:
  /ALEPH_1996_S3486095/d01-x01-y01: 1
  /OPAL_2004_S6132243/d06-x01-y01: 1
  /PDG_HADRON_MULTIPLICITIES/.*: {weight}
surrogate: {kind}
fit: {{starts: 4, toys: 20}}
"""


def figures(kind: str, directory: Path) -> dict[str, list[float]]:
    """What a tune says in numbers, by name."""
    shutil.copy(HERE / "scan.npz", directory)
    # a weight other than 1: there is no likelihood then, and V is held
    card = CARD.format(kind=KINDS[kind], weight=2 if kind == "rational" else 1)
    (directory / "card.yaml").write_text(card)
    record = tune(load_card(directory)).record
    found = {name: [p.value, p.error, *(p.minos or ())] for name, p in record.parameters.items()}
    found["chi2"] = [record.chi2, record.chi2_unit, record.ndf]
    found["correlation"] = np.array(record.correlation).ravel().tolist()
    found["goodness"] = [record.answer["goodness"][key] for key in ("p_value", "asymptotic", "expected_chi2")]
    for name, cover in (("closure", record.closure), ("toys", record.answer["coverage"])):
        found[name] = [cover[key] for key in ("coverage68", "coverage95", "pull_width", "mean_relative_error")]
    found["choice"] = [row[key] for row in record.choice for key in ("rms_pull", "pull_width")]
    return found


def rounding() -> str:
    """Hash of what LAPACK makes of a matrix: machines that round alike have the same."""
    matrix = np.random.default_rng(1).normal(size=(200, 200))
    return hash_bytes(scipy.linalg.cholesky(matrix @ matrix.T).tobytes())


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow, id=kind) for kind in KINDS]
)
def test_the_tune_is_what_it_was(kind, tmp_path):
    expected = json.loads((HERE / "expected.json").read_text())
    before, now = expected["kinds"][kind], figures(kind, tmp_path)
    assert list(now) == list(before)
    parameters = [name for name in now if ":" in name]
    if kind == "network":  # float32, summed in the order that the machine likes
        for name in parameters:
            assert now[name][0] == pytest.approx(before[name][0], abs=0.02 * before[name][1]), name
    elif expected["rounding"] == rounding():
        for name, numbers in before.items():
            expected_numbers = np.array(numbers, float)  # None, where there is no such number, is nan
            found = np.array(now[name], float)
            # of a parameter: value and error, then the ends of its MINOS interval
            rel = np.where(np.arange(len(found)) < 2, 1e-9, 1e-6) if name in parameters else np.full(len(found), 1e-9)
            if name == "correlation":
                rel[:] = 1e-6
            assert found == pytest.approx(expected_numbers, rel=1e-6, abs=1e-12, nan_ok=True), name
            off = np.abs(found - expected_numbers) - rel * np.abs(expected_numbers) - 1e-12
            assert not np.any(off > 0), (name, found, expected_numbers)
    else:
        for name in parameters:
            np.testing.assert_allclose(now[name], before[name], atol=1e-2 * before[name][1], err_msg=name)


if __name__ == "__main__":
    kinds = sys.argv[1:] or KINDS
    found = {}
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            found[kind] = figures(kind, Path(name))
    text = json.dumps({"rounding": rounding(), "kinds": found}, indent=1)
    (HERE / "expected.json").write_text(text + "\n")
