"""What is odd about a scan is found, named and put right; a sound scan is left alone."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.smoothscan import smooth_scan
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.checks.collinearity import find_relations
from sbitune.data.checks.examination import examine, settle
from sbitune.data.checks.outlying import compare_runs
from sbitune.data.checks.repeats import repeated_points, same_content
from sbitune.data.checks.variances import negative_variances
from sbitune.data.errors import InputError
from sbitune.data.histograms import flatten
from sbitune.data.parameter import Parameter
from sbitune.data.reference import from_objects
from sbitune.data.scan import Scan
from sbitune.data.scatters import NEGATIVE, histograms_of

PARAMETERS = (Parameter("a", 0.0, 2.0), Parameter("b", -1.0, 1.0), Parameter("c", 100.0, 300.0))
LABELS = [f"/x#{i}" for i in range(12)]


def sound(n: int = 30, seed: int = 1, theta: np.ndarray | None = None, **changes) -> Scan:
    """A scan in which nothing is odd: 12 bins, every run at a point of its own."""
    rng = np.random.default_rng(seed)
    low, high = np.array([(p.low, p.high) for p in PARAMETERS]).T
    points = rng.uniform(low, high, (n, 3)) if theta is None else theta
    slopes = rng.normal(size=(3, 12))
    values = 10 + (points - low) / (high - low) @ slopes + rng.normal(0, 0.1, (len(points), 12))
    bins = Bins(np.full(12, "/x"), np.arange(12), np.arange(12.0), np.arange(12.0) + 1)
    runs = tuple(f"{i:04d}" for i in range(len(points)))
    return replace(Scan(PARAMETERS, points, values, np.full(values.shape, 0.1), bins, runs), **changes)


def kinds(scan: Scan) -> list[str]:
    return [finding.kind for finding in examine(scan)]


@given(st.integers(1, 60), st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_nothing_is_found_in_a_sound_scan(n, seed):
    scan = sound(n, seed)
    # points drawn at random are nearly on a plane by chance only if they are few
    assert examine(scan) == () if n == 1 or n > 12 else not any(f.fatal for f in examine(scan))
    if n > 12:
        assert settle(scan)[0] is scan


@given(
    st.lists(st.floats(0.1, 30).flatmap(lambda x: st.sampled_from([x, -x])), min_size=2, max_size=2),
    st.floats(-50, 50),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=50)
def test_a_linear_combination_is_found_with_its_coefficients(slopes, constant, seed):
    theta = np.array(sound(20, seed).theta)
    theta[:, 2] = slopes[0] * theta[:, 0] + slopes[1] * theta[:, 1] + constant
    (relation,) = find_relations(sound(theta=theta))
    assert relation.exact
    assert sorted(relation.names) == ["a", "b", "c"]
    solved, _, words = relation.words.partition(" = ")
    for a, b, c in theta[:5]:
        values = {"a": a, "b": b, "c": c}
        found = eval(words, {"__builtins__": {}}, values)  # four digits are printed
        scale = max(np.ptp(theta[:, k]) for k in range(3)) + abs(values[solved]) + abs(constant)
        assert found == pytest.approx(values[solved], abs=2e-2 * scale)


def test_relations_are_said_by_the_first_parameters_and_their_order():
    theta = np.array(sound().theta)
    theta[:, 1] = 2 * theta[:, 0] - 1
    theta[:, 2] = 200 - 50 * theta[:, 0]
    words = {relation.words for relation in find_relations(sound(theta=theta))}
    assert words == {"b = 2*a - 1", "c = -50*a + 200"}
    finding = examine(sound(theta=theta))[0]
    assert finding.fatal
    assert set(finding.where) == words
    with pytest.raises(
        InputError, match=r"^my scan: parameters are collinear .* take (b and c|c and b) out of the scan"
    ):
        settle(sound(theta=theta), where="my scan")


@pytest.mark.parametrize(("apart", "kind"), [(1e-6, "collinear"), (1e-3, "nearly collinear"), (0.3, None)])
def test_how_far_off_a_line_parameters_are_told_apart(apart, kind):
    scan = sound()
    theta = np.array(scan.theta)
    theta[:, 1] = theta[:, 0] - 1 + apart * np.random.default_rng(2).uniform(-1, 1, 30)
    found = [name for name in kinds(sound(theta=theta)) if name != "runs outside the box"]
    assert found == ([] if kind is None else [f"{kind} parameters"])


def test_parameters_printed_with_six_digits_are_still_collinear():
    theta = np.array(sound().theta)
    theta[:, 1] = [float(f"{x:.5e}") for x in theta[:, 0] / 3]
    theta[:, 0] = [float(f"{x:.5e}") for x in theta[:, 0]]
    assert kinds(sound(theta=theta)) == ["collinear parameters"]


def test_as_many_runs_as_parameters_are_too_few_to_be_collinear():
    assert find_relations(sound(3)) == ()


def test_a_parameter_that_does_not_vary_is_left_out():
    theta = np.array(sound().theta)
    theta[:, 1] = 0.25
    told = []
    settled, found = settle(sound(theta=theta), told.append)
    assert [p.name for p in settled.parameters] == ["a", "c"]
    np.testing.assert_array_equal(settled.theta, theta[:, [0, 2]])
    assert (found[0].kind, found[0].where) == ("constant parameters", ("b = 0.25",))
    assert told == ["parameters have one value in all runs: b = 0.25; left out of the parameters; what is learnt holds "
                    "for this value"]  # fmt: skip
    theta[:] = theta[0]
    with pytest.raises(InputError, match="nothing can be learnt from these runs"):
        settle(sound(theta=theta))


def test_runs_outside_the_box_are_named_by_the_parameter_that_is_farthest():
    theta = np.array(sound().theta)
    theta[3], theta[7, 1], theta[9, 2] = (2.1, 4.0, 200), -1.5, 300 + 1e-7
    (finding,) = examine(sound(theta=theta))
    assert (finding.kind, finding.where) == ("runs outside the box", ("0003 (b = 4)", "0007 (b = -1.5)"))
    assert len(settle(sound(theta=theta))[0].runs) == 30


def doubled(scan: Scan, rows: list[int]) -> Scan:
    order = [*range(len(scan.runs)), *rows]
    names = (*scan.runs, *(f"again{i}" for i in range(len(rows))))
    return replace(scan, theta=scan.theta[order], values=scan.values[order], errors=scan.errors[order], runs=names)


@given(st.lists(st.integers(0, 29), max_size=6))
@settings(deadline=None, max_examples=30)
def test_runs_that_are_there_twice_count_once(rows):
    scan = sound()
    settled, found = settle(doubled(scan, rows))
    assert settled.runs == scan.runs
    np.testing.assert_array_equal(settled.values, scan.values)
    named = {name for finding in found for group in finding.where for name in group.split(" = ")}
    assert named == {scan.runs[i] for i in rows} | {f"again{i}" for i in range(len(rows))}
    assert examine(settled) == ()


def test_the_same_contents_at_another_point_are_told_and_kept():
    scan = sound()
    values = np.array(scan.values)
    values[5] = values[2]
    (finding,) = examine(replace(scan, values=values))
    assert (finding.kind, finding.where) == ("the same contents elsewhere", ("0002 = 0005",))
    assert len(settle(replace(scan, values=values))[0].runs) == 30


def test_few_counts_may_agree_by_chance():
    scan = doubled(sound(), [4])
    values = np.array(scan.values)
    values[:, 4:] = 0  # four bins with content are not enough to tell
    assert same_content(replace(scan, values=values)).repeated == ()
    assert same_content(scan).repeated == ((4, 30),)


def test_two_runs_at_a_point_have_the_chi2_of_their_difference():
    scan = doubled(sound(), [6])
    rng = np.random.default_rng(3)
    values, errors = np.array(scan.values), np.array(scan.errors)
    values[30] += rng.normal(0, 0.15, 12)
    errors[30] = 0.2
    (point,) = repeated_points(replace(scan, values=values, errors=errors))
    difference = values[30] - values[6]
    assert point.rows == (6, 30)
    assert (point.chi2, point.ndf) == (pytest.approx(np.sum(difference**2 / (0.1**2 + 0.2**2))), 12)
    assert not point.far
    found = examine(replace(scan, values=values, errors=errors))
    assert [(f.kind, f.where) for f in found] == [("runs at one point", ("0006 and again0",))]
    values[30] += 2.0
    found = examine(replace(scan, values=values, errors=errors))
    assert [f.kind for f in found] == ["outlying runs", "runs at one point", "runs at one point that differ"]
    assert found[2].where[0].startswith("0006 and again0 (chi2 = ")


def test_honest_runs_at_one_point_never_differ_too_far():
    # 500 points with three runs each; chi2 has the mean 24, its average the error sqrt(48 / 500)
    theta = np.repeat(np.array(sound(500).theta), 3, axis=0)
    rng = np.random.default_rng(5)
    scan = sound(theta=theta)
    scan = replace(scan, values=rng.normal(10, 0.1, scan.values.shape))
    points = repeated_points(scan)
    assert len(points) == 500
    assert not any(point.far for point in points)
    assert np.mean([point.chi2 for point in points]) == pytest.approx(24, abs=4 * np.sqrt(48 / 500))


def test_bins_are_named_by_what_is_odd_about_them():
    scan = sound()
    values, errors = np.array(scan.values), np.array(scan.errors)
    values[:, 0], errors[:, 0] = 0, 0
    values[:, 1] = 4.0
    values[:, 2], errors[:, 2] = 4.0, 0
    errors[:, 3] = 0
    errors[::2, 4] = 0
    values[0, 4] = 0
    found = {f.kind: f for f in examine(replace(scan, values=values, errors=errors))}
    assert {kind: f.where for kind, f in found.items()} == {
        "empty bins": ("/x#0",),
        "constant bins": ("/x#1", "/x#2"),
        "bins without errors": ("/x#3",),
        "bins without errors in some runs": ("/x#4",),
    }
    assert "(1 of them without errors)" in found["constant bins"].what
    assert "(15 times, 14 of them with a content)" in found["bins without errors in some runs"].what
    assert not any(f.fatal for f in found.values())


def test_a_message_names_the_first_few():
    scan = sound()
    (finding,) = examine(replace(scan, errors=np.zeros(scan.errors.shape)))
    assert finding.where == tuple(LABELS)
    assert "12 of 12 bins" in str(finding)
    assert "/x#3, /x#4, ... (12 in all); taken to be without noise" in str(finding)


@pytest.mark.parametrize(
    ("spoil", "words", "where"),
    [
        (lambda r: r.__setitem__((3, 4), np.nan), "is not finite", ("/x#4",)),
        (lambda r: r.__setitem__((3, 4), 0.5), "is not symmetric with a diagonal of 1", ("/x#3", "/x#4")),
        (lambda r: r.__setitem__((3, 3), 2.0), "is not symmetric with a diagonal of 1", ("/x#3",)),
        # two bins that move as one, and against each other as seen by a third
        (
            lambda r: r.__setitem__(np.ix_([0, 1, 2], [0, 1, 2]), [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]),
            "is not positive definite",
            ("/x#0", "/x#1", "/x#2"),
        ),
    ],
)
def test_a_correlation_matrix_that_is_none_is_refused(spoil, words, where):
    matrix = np.eye(12)
    spoil(matrix)
    scan = replace(sound(), correlation=matrix)
    (finding,) = examine(scan)
    assert words in finding.what
    assert finding.where == where
    with pytest.raises(InputError, match=words):
        settle(scan)
    assert examine(replace(sound(), correlation=np.eye(12) * 0.5 + 0.5)) == ()


HISTO = """BEGIN YODA_HISTO1D_V2 /h
Path: /h
Type: Histo1D
---
Total Total 0 0 0 0 0
Underflow Underflow 0 0 0 0 0
Overflow Overflow 0 0 0 0 0
0 1 5 {} 1 1 10
1 2 7 3 1 1 10
END YODA_HISTO1D_V2

"""
PROFILE = """BEGIN YODA_PROFILE1D_V2 /p
Path: /p
Type: Profile1D
---
Total Total 0 0 0 0 0 0 0
Underflow Underflow 0 0 0 0 0 0 0
Overflow Overflow 0 0 0 0 0 0 0
0 1 10 {} 5 5 10 {} 10
1 2 7 3 1 1 10 20 10
END YODA_PROFILE1D_V2

"""
SCATTER = """BEGIN YODA_SCATTER2D_V2 /s
Path: /s
Type: Scatter2D
---
0.5 0.5 0.5 1 {} {}
1.5 0.5 0.5 1 0.1 0.1
END YODA_SCATTER2D_V2

"""


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        (HISTO.format(3), False),
        (HISTO.format(-2), True),
        (PROFILE.format(8, 15), False),
        (PROFILE.format(8, 10), False),  # all y the same: a variance of 0
        (PROFILE.format(8, "9.999999"), False),  # the same, as seven digits have it
        (PROFILE.format(-8, 15), True),
        (PROFILE.format(8, 5), True),
        (SCATTER.format(0, 0), False),
    ],
)
def test_negative_variances_are_found(text, negative):
    objects = list(yoda.loads(text + "BEGIN YODA_COUNTER_V2 /c\nPath: /c\nType: Counter\n---\n1 1 1\n"
                              "END YODA_COUNTER_V2\n").values())  # fmt: skip
    assert negative_variances(objects).tolist() == [negative, False]
    assert (histograms_of(objects).errors == NEGATIVE).tolist() == [negative, False]
    reference = from_objects(objects)
    assert reference.negative is not None
    assert reference.negative.tolist() == [negative, False]
    np.testing.assert_array_equal(reference.take(np.array([1])).negative, [False])
    np.testing.assert_array_equal(reference.errors, flatten(objects).errors)


@pytest.mark.parametrize("errors", [(-0.1, 0.1), (0.1, -0.1)])
def test_negative_errors_of_points_are_refused_and_those_of_objects_found(errors):
    with pytest.raises(InputError, match=r"<string>:5: SCATTER2D /s: point 0 .* has an error below 0"):
        yoda.loads(SCATTER.format(*errors))
    (sound,) = yoda.loads(SCATTER.format(0.1, 0.1)).values()
    assert isinstance(sound, yoda.Scatter)
    made = yoda.Scatter("/s", sound.values, sound.minus - 0.2, sound.plus)
    assert negative_variances([made]).tolist() == [True, True]


@pytest.mark.parametrize("seed", range(4))
def test_runs_of_other_points_than_they_say_are_named_and_nothing_else(seed):
    scan = smooth_scan(80, 5000, seed)
    assert compare_runs(scan).outlying == ()
    theta = scan.theta.copy()
    apart = int(np.argmax(np.abs(theta - theta[0])[:, 0]))
    theta[[0, apart]] = theta[[apart, 0]]
    mixed = replace(scan, theta=theta)
    assert {one.row for one in compare_runs(mixed).outlying} == {0, apart}
    (finding,) = (one for one in examine(mixed) if one.kind == "outlying runs")
    assert {name.split(" ")[0] for name in finding.where} == {scan.runs[0], scan.runs[apart]}


def test_a_run_that_was_cut_short_is_named():
    scan = smooth_scan(80, 5000, 1)
    values = scan.values.copy()
    values[7] *= 0.6
    assert [one.row for one in compare_runs(replace(scan, values=values)).outlying] == [7]


def test_polynomials_without_noise_have_no_outlying_runs():
    scan = sound(60)
    values = 10 + scan.theta @ np.random.default_rng(3).normal(size=(3, 12))
    assert compare_runs(replace(scan, values=values)).outlying == ()
    # nor have bins that are bent more than a polynomial is, in the corners of the box
    assert compare_runs(replace(scan, values=np.exp(1.5 * scan.unit().sum(axis=1))[:, None] * values)).outlying == ()
