"""What stands at the top of a tune: a verdict in a sentence, and warnings."""

import msgspec
import pytest
from helpers import toyline

from sbitune.data.errors import SbituneError
from sbitune.tuning.card import load_card
from sbitune.tuning.record.types import FindingRecord, ResultRecord
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.verdict import as_before, find_checks, verdict_from
from sbitune.workflow.results.checks import warnings_of
from sbitune.workflow.results.fits import MinimumRecord

GOOD = {"fits": 24, "warnings": []}
BAD = {"fits": 24, "warnings": ["68 % intervals hold the truth in 30.0 % of cases: errors are too small"]}


def find_verdict(record):
    return verdict_from(find_checks(record)).words


def find_warnings(record):
    return warnings_of(find_checks(record))


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
    checks = find_checks(record)
    assert verdict_from(checks).good
    assert {check.outcome for check in checks} == {"passed"}
    assert len({check.name for check in checks}) == len(checks)
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
            "the input has something odd (outlying runs)",
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


def test_parameters_that_the_data_do_not_determine_come_first(record):
    name, p = next(iter(record.parameters.items()))
    wide = msgspec.structs.replace(p, error=0.3 * (p.high - p.low))
    found = changed(record, parameters=record.parameters | {name: wide}, closure=BAD)
    assert find_verdict(found).startswith(f"to be read with care: the data do not determine {name}; errors are off on")
    assert find_warnings(found)[0].startswith(f"the data do not determine {name}: an error comparable with the range")
    # an error that is no number, or a fit within limits that are as narrow as the error
    for other in (msgspec.structs.replace(p, error=float("nan")),
                  msgspec.structs.replace(p, limits=(p.value - p.error, p.value + p.error))):  # fmt: skip
        assert f"do not determine {name}" in find_verdict(changed(record, parameters=record.parameters | {name: other}))
    fixed = msgspec.structs.replace(wide, status="fixed")
    assert "determine" not in find_verdict(changed(record, parameters=record.parameters | {name: fixed}))


def test_checks_that_could_not_be_made_are_said(record):
    assert find_verdict(changed(record, ndf=0)).startswith(
        "to be read with care: there are no more bins than parameters"
    )
    found = find_verdict(changed(record, validation=None, closure={}, answer={}))
    assert found == (
        "nothing speaks against this tune and its errors as far as they were checked; not checked: held-out runs, "
        "toys, whether observables agree, the generator at the tune"
    )


def test_odd_input_is_said_before_what_may_come_of_it(record):
    name, p = next(iter(record.parameters.items()))
    wide = msgspec.structs.replace(p, error=0.3 * (p.high - p.low))
    alone = FindingRecord("runs that stand alone", "runs stand alone", ["0004 (p = 1.561)"], "kept; are they right?")
    found = changed(record, parameters=record.parameters | {name: wide}, findings=[alone])
    assert find_verdict(found) == (
        f"to be read with care: the input has something odd (runs that stand alone); the data do not determine {name}"
    )
    assert find_warnings(found)[0] == "runs stand alone: 0004 (p = 1.561); kept; are they right?"


def test_runs_that_could_not_be_compared_are_said(record):
    found = changed(record, findings=[FindingRecord("runs not compared", "7 runs are too few", [], "kept")])
    assert find_verdict(found) == (
        "nothing speaks against this tune and its errors as far as they were checked; not checked: whether runs are "
        "unlike their neighbours"
    )


def test_a_warning_is_always_in_the_verdict(record):
    width = [{"name": "polynomial", "pull_width": 0.3}]
    wide = msgspec.structs.replace(record.validation, surrogate_pull=0.5, surrogate_chi2=0.25 * record.validation.bins)
    for found in (changed(record, choice=width), changed(record, validation=wide),
                  changed(record, answer=record.answer | {"unjudged": "too many failed"})):  # fmt: skip
        assert len(find_warnings(found)) == 1
        assert find_verdict(found).startswith("to be read with care: ")


def test_few_bins_that_agree_by_chance_are_no_fault(record):
    few = msgspec.structs.replace(record.validation, surrogate_pull=0.5, surrogate_chi2=0.75, bins=3)
    assert find_verdict(changed(record, validation=few)) == "no check speaks against this tune and its errors"


@pytest.mark.parametrize("ndf", [0, -1])
def test_data_that_are_not_described_without_degrees_of_freedom(record, ndf):
    """As many parameters as bins, of which some end at a limit."""
    found = changed(
        record, chi2_unit=300.0, ndf=ndf, answer=record.answer | {"goodness": {"p_value": 0.01, "toys": 100}}
    )
    assert "not described within their errors (chi2 = 300.0, with no more bins than parameters)" in find_verdict(found)
    assert "nothing tells" not in find_verdict(found)
    assert "not checked" not in find_verdict(found)
    assert any(words.startswith("the data are not described within") for words in find_warnings(found))
    assert not any("any data would be described" in words for words in find_warnings(found))


def test_absurd_weights_or_errors_are_not_sent_to_the_ranges(tmp_path):
    loaded = toyline.make(tmp_path)
    toyline.edit(tmp_path, "  /TOY: 1\n", "  /TOY: 1e160\n")
    with pytest.raises(SbituneError, match="weight") as raised:
        tune(load_card(loaded.path))
    assert "widen" not in str(raised.value)


@pytest.mark.parametrize("which", [{"scaled_error": 5.0}, {"minos": (-0.1, 9.0)}, {"minos": (-9.0, 0.1)}])
def test_every_error_that_is_quoted_is_compared_with_the_range(record, which):
    first = next(iter(record.parameters))
    wide = {**record.parameters, first: msgspec.structs.replace(record.parameters[first], **which)}
    assert f"the data do not determine {first}" in find_verdict(changed(record, parameters=wide))


def test_toys_say_nothing_of_parameters_of_which_none_is_determined(record):
    off = {**record.answer, "coverage": {**record.answer.get("coverage", {}), "fits": 100, "warnings": ["too small"]}}
    assert any("off on toys" in words for words in find_warnings(changed(record, answer=off)))
    wide = {name: msgspec.structs.replace(p, scaled_error=99.0) for name, p in record.parameters.items()}
    assert not any("off on toys" in words for words in find_warnings(changed(record, answer=off, parameters=wide)))


def test_pulls_of_few_runs_may_have_another_width_by_chance(record):
    bins = sum(row.bins for row in record.observables)
    for runs, width, off in ((3, 0.70, False), (3, 1.5, False), (200, 0.70, True), (200, 1.4, True), (200, 0.9, False)):
        surrogate = {**record.surrogate, "held_out_runs": runs}
        found = changed(record, surrogate=surrogate, choice=[{"pull_width": width}])
        assert bins == 17
        assert ("the surrogate's errors are off" in find_verdict(found)) == off, (runs, width)


def test_a_surrogate_that_agrees_too_well_with_the_generator_has_too_large_errors(record):
    validation = msgspec.structs.replace(record.validation, surrogate_pull=0.92, surrogate_chi2=112.0, bins=235)
    assert "too large at the tune" in find_verdict(changed(record, validation=validation))
    fine = msgspec.structs.replace(validation, surrogate_chi2=195.0)
    assert "too large at the tune" not in find_verdict(changed(record, validation=fine))
