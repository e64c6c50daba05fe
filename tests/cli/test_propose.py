"""Proposals by the command, and scans that take the extra runs: nothing is made twice, faults have their line."""

import json
import shutil

import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call

from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import read_points, read_values, write_points
from sbitune.data.scan import Scan
from sbitune.tuning.card import load_card
from sbitune.tuning.tools.sampling import design_of_card
from sbitune.workflow.runs.checking import check
from sbitune.workflow.runs.scanning import make_scan
from sbitune.workflow.runs.tasks import design


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("propose") / "toy"
    toyline.make(directory)
    call("scan", directory)
    call("fit", directory)
    return directory


def test_a_proposal_extends_the_scan_and_its_runs_are_kept(fitted, tmp_path):
    toy = tmp_path / "toy"
    shutil.copytree(fitted, toy)
    before = {run.name: (run / "run.json").read_bytes() for run in (toy / "work/scan").iterdir() if run.is_dir()}
    found = json.loads(call("propose", toy, "-n", 6, "-o", toy / "extra.txt", "--json").stdout)
    assert (found["runs"], found["points"], found["method"]) == (6, 6, "expected gain")
    assert 0 < found["share_expected"] < found["share"]
    table = read_points(toy / "extra.txt")
    assert table.names == ("a", "b")
    # what is learnt at the tune, (1.3, 0.4), is learnt around it
    assert (np.abs(np.median(table.points, axis=0) - [1.3, 0.4]) < [0.3, 0.4]).all()

    toyline.edit(toy, "seed: 4", "seed: 4, extra: extra.txt")
    stale = call("propose", toy, "-n", 2, "-o", toy / "more.txt", code=2)
    assert "the card asks for another scan, scan.extra changed; run `sbitune scan" in stale.stderr
    assert json.loads(call("scan", toy, "--json").stdout)["runs"] == 30
    scan = Scan.load(toy / "work/scan.npz")
    np.testing.assert_array_equal(scan.theta[24:], table.points)
    assert scan.runs == tuple(f"{i:04d}" for i in range(30))
    for name, content in before.items():
        assert (toy / "work/scan" / name / "run.json").read_bytes() == content  # not made again
    records = [json.loads((toy / "work/scan" / run / "run.json").read_text()) for run in scan.runs]
    assert len({record["seed"] for record in records}) == 30
    assert read_values(toy / "work/scan/0027/params.dat") == dict(zip("ab", table.points[3], strict=True))
    points, _, _ = design_of_card(load_card(toy))
    np.testing.assert_array_equal(points.points, scan.theta)

    call("fit", toy)
    second = json.loads(call("propose", toy, "-n", 2, "-o", toy / "extra.txt", "--json").stdout)
    # the runs are there and taught what was expected, as far as the surrogate's own numbers stayed what they were
    assert second["share"] == pytest.approx(found["share_expected"], rel=0.5)
    assert second["points"] == 8
    longer = read_points(toy / "extra.txt").points
    np.testing.assert_array_equal(longer[:6], table.points)
    missing = call("propose", toy, "-n", 2, "-o", toy / "third.txt", code=2)
    assert "the card asks for another scan" in missing.stderr
    assert not (toy / "third.txt").exists()


def test_the_same_seed_gives_the_same_points(fitted, tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        call("propose", fitted, "-n", 3, "-o", tmp_path / name, "--seed", seed)
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    assert (tmp_path / "one").read_text() != (tmp_path / "three").read_text()


def test_a_card_that_is_not_fitted_is_refused(tmp_path):
    toyline.make(tmp_path)
    assert "run `sbitune scan" in call("propose", tmp_path, "-n", 2, "-o", tmp_path / "x.txt", code=2).stderr
    call("scan", tmp_path)
    assert "run `sbitune fit" in call("propose", tmp_path, "-n", 2, "-o", tmp_path / "x.txt", code=2).stderr


FAULTS = [
    ("a b\n1 0\n3 0\n", r"card.yaml:10: scan.extra: .*extra.txt:3: a = 3 is not inside \[0.5, 2\]"),
    ("# first\nb a\n0 1\n\n-1.5 1 # out\n", r"extra.txt:5: b = -1.5 is not inside \[-1, 1\]"),
    ("a b\n1\n", r"extra.txt:2: 1 numbers for 2 parameters \(line 1\)"),
    ("a b\n1 x\n", r"extra.txt:2: 'x' is not a number"),
    ("a b\n1 nan\n", r"extra.txt:2: 'nan' is not finite"),
    ("a a\n1 1\n", r"extra.txt:1: parameter a is named twice"),
    ("a c\n1 1\n", r"extra.txt: points of a, c; the card has a, b"),
    ("a b\n", r"extra.txt: expected a line with the names"),
    ("", r"extra.txt: expected a line with the names"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_faults_of_extra_points_have_their_line(tmp_path, text, message):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "seed: 4", "seed: 4, extra: extra.txt")
    (tmp_path / "extra.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        make_scan(load_card(tmp_path))
    assert not (tmp_path / "work").exists()


def test_extra_points_need_a_file_and_a_scan_that_is_made(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "seed: 4", "seed: 4, extra: nowhere.txt")
    with pytest.raises(InputError, match=r"card.yaml:10: scan.extra: .*nowhere.txt: No such file"):
        design(load_card(tmp_path))
    toyline.edit(tmp_path, "runs: 24, events: 100, seed: 4", "directory: scan, seed: 4")
    with pytest.raises(InputError, match=r"scan.extra: extra runs belong to a scan that is made"):
        make_scan(load_card(tmp_path))


def test_columns_may_stand_in_any_order_and_numbers_are_kept_exactly(tmp_path):
    toyline.make(tmp_path)
    points = np.random.default_rng(1).uniform(0.5, 1.0, (5, 2))
    write_points(tmp_path / "extra.txt", ("b", "a"), points, ["a comment"])
    np.testing.assert_array_equal(read_points(tmp_path / "extra.txt").points, points)
    assert read_points(tmp_path / "extra.txt").lines == (3, 4, 5, 6, 7)
    toyline.edit(tmp_path, "seed: 4", "seed: 4, extra: extra.txt")
    made = design(load_card(tmp_path))
    np.testing.assert_array_equal(made[24:], points[:, ::-1])
    toyline.edit(tmp_path, ", extra: extra.txt", "")
    np.testing.assert_array_equal(design(load_card(tmp_path)), made[:24])


@pytest.mark.parametrize(
    ("surrogate", "needed"),
    [
        ("{kind: polynomial, order: 3}", 11),  # binomial(5, 3) terms and one run more
        ("{kind: polynomial, order: auto, folds: 4, max_order: 1}", 6),  # folds of 2 leave 4 runs for 3 terms
        ("{kind: gaussian}", 14),
        ("{kind: network, folds: 5}", 10),
    ],
)
def test_extra_runs_count_as_runs_to_learn_from(tmp_path, surrogate, needed):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "{kind: polynomial, order: 3}", surrogate)
    toyline.edit(tmp_path, "runs: 24", "runs: 4")
    with pytest.raises(InputError, match=rf"card.yaml:10: scan.runs: .*{needed}"):
        check(load_card(tmp_path))
    toyline.edit(tmp_path, "seed: 4", "seed: 4, extra: extra.txt")
    more = np.random.default_rng(1).uniform(0.5, 1.0, (needed - 4, 2))
    write_points(tmp_path / "extra.txt", ("a", "b"), more[1:], [])
    with pytest.raises(InputError, match=rf"card.yaml:10: scan.runs: .*{needed}"):
        check(load_card(tmp_path))
    write_points(tmp_path / "extra.txt", ("a", "b"), more, [])
    check(load_card(tmp_path))
