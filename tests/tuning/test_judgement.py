"""What stands at the top of a tune: a verdict in a sentence, and warnings."""

import msgspec
import pytest
import toyline

from sbitune.tuning.judgement import as_before, find_verdict, find_warnings
from sbitune.tuning.line import tune
from sbitune.tuning.record import FindingRecord, MinimumRecord, ResultRecord

GOOD = {"fits": 24, "warnings": []}
BAD = {"fits": 24, "warnings": ["68 % intervals hold the truth in 30.0 % of cases: errors are too small"]}


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> ResultRecord:
    """A tune against which nothing speaks."""
    found = tune(toyline.make(tmp_path_factory.mktemp("judged"))).record
    answer = {"goodness": {"p_value": 0.4, "toys": 100}, "coverage": GOOD, "tension": {"in_tension": []}}
    choice = [{**found.choice[0], "pull_width": 1.0}] if found.choice else []
    return msgspec.structs.replace(found, answer=answer, closure=GOOD, choice=choice, findings=[], other_minima=[])


def changed(record: ResultRecord, **parts) -> ResultRecord:
    return msgspec.structs.replace(record, **parts)


def test_nothing_speaks_against_a_good_tune(record):
    assert find_verdict(record) == "no check speaks against this tune and its errors"
    assert find_warnings(record) == []


@pytest.mark.parametrize(
    ("parts", "verdict", "warning"),
    [
        ({"closure": BAD}, "errors are off on held-out runs", "errors are off on held-out runs: 68 % intervals"),
        (
            {"other_minima": [MinimumRecord([1.0, 2.0], 0.7)]},
            "another minimum is as good",
            "1 other minimum describes the data nearly as well, the first 0.70 above",
        ),
        (
            {"findings": [FindingRecord("outlying runs", "runs are unlike", ["0003 (9.0)"], "kept; are they whole?")]},
            "the input has something odd",
            "runs are unlike: 0003 (9.0); kept; are they whole?",
        ),
        (
            {"chi2_unit": 900.0, "ndf": 15, "answer": {"goodness": {"p_value": 0.0099, "toys": 100}}},
            "the data are not described within their errors (chi2/ndf = 60.0: take the scaled errors)",
            "chi2 = 900 for 15 degrees of freedom",
        ),
        ({"chi2_unit": 900.0, "ndf": 15, "answer": {}}, "chi2/ndf = 60.0", "chi2 = 900"),  # without toys
    ],
)
def test_each_fault_is_in_the_verdict_and_in_a_warning(record, parts, verdict, warning):
    found = changed(record, **parts)
    assert find_verdict(found).startswith("to be read with care: ")
    assert verdict in find_verdict(found)
    assert sum(warning in words for words in find_warnings(found)) == 1


def test_parameters_at_limits_are_counted_and_named(record):
    first = next(iter(record.parameters))
    held = {**record.parameters, first: msgspec.structs.replace(record.parameters[first], status="at limit")}
    found = changed(record, parameters=held)
    assert "1 of 2 parameters end at a limit" in find_verdict(found)
    assert any(words.startswith(f"at the end of its range: {first}; what is quoted") for words in find_warnings(found))


def test_observables_in_tension_stand_by_how_sure_that_is(record):
    rows = [{"path": path, "p_given_rest": p} for path, p in (("/a", 1e-4), ("/b", 1e-9), ("/c", 0.5))]
    found = changed(record, answer={"tension": {"in_tension": ["/a", "/b"], "observables": rows}})
    assert "2 observables disagree with the others" in find_verdict(found)
    assert any(words.endswith("(P below 0.001): /b, /a") for words in find_warnings(found))


def test_what_was_found_out_since_is_kept_for_the_same_tune(record):
    before = changed(record, closure={"fits": 100, "warnings": []}, answer={"coverage": {"fits": 500, "warnings": []}})
    found = as_before(record, before)
    assert found.closure["fits"] == 100
    assert found.answer["coverage"]["fits"] == 500
    assert found.answer["goodness"] == record.answer["goodness"]
    assert as_before(before, record).closure["fits"] == 100
