"""What earlier versions of sbitune left is read, or made again with a word.

`old/format1` to `old/format4` are the same card with what was left of its tune by four versions (commits b843dac~1,
5d1cc98~1, c54af60 and 9ce5e9f~1), which wrote surrogates of these formats. Those of format 5, the present one, written
before, are in `tests/surrogates/before`.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call
from helpers.ears import Ears

import sbitune
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.sampling.chains import load_posterior
from sbitune.tuning.card import load_card
from sbitune.tuning.record.result import read_record
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.surrogates.storage import load_surrogate
from sbitune.workflow.runs.scanning import scan_at_hand

OLD = Path(__file__).parent / "old"
FORMATS = range(1, 5)


@pytest.fixture
def card(tmp_path, number):
    shutil.copytree(OLD / f"format{number}", tmp_path / "card")
    return tmp_path / "card"


def header(path: Path) -> dict:
    """What a file that sbitune keeps says of itself."""
    with np.load(path) as stored:
        return json.loads(str(stored["meta" if "meta" in stored else "head"]))


def with_header(path: Path, **changes) -> None:
    """Write another header to such a file."""
    changed = header(path) | changes
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["meta" if "meta" in arrays else "head"] = np.array(json.dumps(changed))
    np.savez(path, **arrays)


@pytest.mark.parametrize("number", FORMATS)
def test_scans_results_and_posteriors_are_read(number):
    place = OLD / f"format{number}"
    scan = Scan.load(place / "work/scan.npz")
    random = np.random.default_rng(1)
    np.testing.assert_array_equal(scan.theta, random.uniform([0, -1], [2, 1], (12, 2)))
    assert (scan.bins.paths(), scan.runs[-1]) == (["/PLANES/d01", "/PLANES/d02"], "0011")
    record = read_record(place / "result.yaml")
    assert record.status == "converged"
    # data at (1.3, -0.2), with errors of 0.05 in six bins
    for name, truth in (("a", 1.3), ("b", -0.2)):
        assert abs(record.parameters[name].value - truth) < 3 * record.parameters[name].error
    if number > 1:  # which had no posteriors
        posterior = load_posterior(place / "posterior.npz")
        assert posterior.samples.shape == (2, 4, 2)
        assert posterior.names == ("a", "b")
        assert np.abs(posterior.mean - [p.value for p in record.parameters.values()]).max() < 0.1
        assert posterior.made_of == {}


@pytest.mark.parametrize("number", FORMATS)
def test_a_surrogate_alone_is_refused_with_both_versions(number):
    path = OLD / f"format{number}/work/surrogate.npz"
    words = rf"surrogate.npz: sbitune surrogate of format version {number}, this sbitune reads 5; update sbitune or"
    with pytest.raises(InputError, match=words):
        load_surrogate(path)


#: of notes that versions before 4 wrote
NO_HASH = "its content is not what this sbitune wrote: it has no hash, as those of an older one"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "why"),
    [(1, NO_HASH), (2, NO_HASH), (3, NO_HASH), (4, "the version of sbitune and the format of the file changed")],
)
def test_what_is_of_another_version_is_made_again_with_a_word(card, number, why):
    before = read_record(card / "result.yaml")
    said = call("report", card, code=2).stderr  # makes nothing
    assert f"format version {number}, this sbitune reads 5" in said
    assert "run `sbitune fit" in said
    toyline.edit(card, "minos: false", "toys: 0, minos: false")
    ears = Ears()
    again = tune(load_card(card), ears).record
    (words,) = [words for words in ears.words if "again" in words]
    assert words.startswith("the surrogate is trained again: ")
    assert why in words
    for name, p in before.parameters.items():
        # in four versions what is learnt of the surrogate's own error changed, and the tune by less than that
        assert again.parameters[name].value == pytest.approx(p.value, abs=0.25 * p.error)
        assert again.parameters[name].error == pytest.approx(p.error, rel=0.1)
    ears = Ears()
    assert tune(load_card(card), ears).record.parameters == again.parameters
    assert not [words for words in ears.words if "again" in words]
    for name, about in (("scan", "findings"), ("surrogate", "surrogate")):  # each says what made it
        assert header(card / f"work/{name}.npz")["made_by"] == f"sbitune {sbitune.__version__}"
        assert json.loads((card / f"work/{about}.json").read_text())["made_of"]
    assert again.provenance["sbitune"] == sbitune.__version__


@pytest.mark.parametrize("number", [4])
def test_files_of_a_later_version(card, number):
    """The scan that was read is read again; what nobody can make again is refused, with who made it."""
    with_header(card / "work/scan.npz", version=2, made_by="sbitune 9.0")
    ears = Ears()
    scan = scan_at_hand(load_card(card), ears)
    np.testing.assert_array_equal(scan.values, Scan.load(card / "scan.npz").values)
    (words,) = [words for words in ears.words if "again" in words]
    assert words.startswith("the scan is read again: ")
    assert "scan.npz: sbitune scan of format version 2, made by sbitune 9.0, this sbitune reads 1" in words
    with_header(card / "scan.npz", version=2)
    with pytest.raises(InputError, match=r"scan.npz: sbitune scan of format version 2, this sbitune reads 1; update"):
        scan_at_hand(load_card(card))
    with_header(card / "posterior.npz", format=2, made_by="sbitune 9.0")
    said = r"posterior.npz: posterior of format version 2, made by sbitune 9.0, this sbitune reads 1; update sbitune or"
    with pytest.raises(InputError, match=said):
        load_posterior(card / "posterior.npz")
