"""Results and notes whose hash is right and whose content is not what sbitune writes: one message, or the page."""

import copy
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import toyline
from helpers.calling import call

from sbitune.data.errors import InputError
from sbitune.data.storage.sealed import read_sealed, write_sealed
from sbitune.report.pieces.page import page
from sbitune.report.tune.reliability import reliability_section
from sbitune.report.tune.write import write_report
from sbitune.tuning.card import load_card
from sbitune.tuning.record.figures import of_fit
from sbitune.tuning.record.result import read_record
from sbitune.tuning.stages.fitted import read_fitted
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.stages.products import surrogate_product
from sbitune.tuning.verdict import with_warnings
from sbitune.workflow.results.records import write_sealed_yaml
from sbitune.workflow.runs.notes import check_scan_note
from sbitune.workflow.runs.tasks import timing

Steps = tuple[str | int, ...]
ROW = {
    "bias": 0.1, "bias_error": 0.2, "pull_width": 1.0, "pull_width_error": 0.1, "coverage68": 0.7,
    "coverage68_error": 0.1, "coverage95": 0.9, "coverage95_error": 0.1, "at_limit": 0,
}  # fmt: skip
COVERAGE = {
    "fits": 20, "coverage68": 0.7, "coverage68_error": 0.1, "coverage95": 0.9, "coverage95_error": 0.1,
    "pull_width": 1.0, "pull_width_error": 0.1, "failed": 0, "parameters": {"a": ROW, "b": ROW}, "failures": [],
    "warnings": ["a is off"],
}  # fmt: skip
METRICS = {"outer": 1.0, "weighted_chi2": 2.0, "chi2": 3.0, "a_optimality": 0.1, "d_optimality": -2.0}
#: everything that a fit may find out beside its parameters
PARTS: dict[str, Any] = {
    "answer": {
        "tension": {
            "observables": [
                {"path": "/TOY/d01", "bins": 8, "chi2": 9.0, "p": 0.3, "p_given_rest": 1e-5, "moves": "a",
                 "moves_by": 0.2},
                {"path": "/TOY/d02", "bins": 8, "chi2": 9.0, "p": 0.3, "p_given_rest": None},
            ],
            "in_tension": ["/TOY/d01"],
            "bins": [{"bin": "/TOY/d01#3", "pull": 4.0}],
        },
        "theory_errors": [{"path": "/TOY/d01", "relative": 0.05, "low": 0.01, "high": 0.1, "fitted": True}],
        "downweighted": [{"label": "/TOY/d01#3", "weight": 0.5, "pull": 4.0}],
        "automatic_weights": {
            "weights": {"/TOY/d01": 1.1},
            "metrics": {"automatic": METRICS, "as given": METRICS},
            "as_given": {"a": {"value": 1.3, "error": 0.1}, "b": {"value": 0.4, "error": 0.1}},
        },
        "goodness": {"p_value": 0.4, "p_error": 0.1, "asymptotic": 0.3, "expected_chi2": 15.0, "toys": 20, "failed": 0},
        "coverage": COVERAGE,
    },
    "closure": COVERAGE,
    "choice": [
        {"name": "linear", "log_density": 1.0, "behind": 0.0, "behind_error": 0.0, "rms_pull": 1.0, "pull_width": 1.0}
    ],
    "worst_observables": [{"path": "/TOY/d03", "bins": 1, "rms_pull": 1.5, "error": 0.1, "pull_width": 1.2}],
    "other_minima": [{"theta": [1.0, 0.0], "above": 3.0}],
    "error_sources": [{"label": "stat", "bins": "independent", "why": "`stat`", "observables": 3}],
    "findings": [{"kind": "outlying runs", "what": "a run is odd", "where": ["0003"], "done": "kept"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A card whose result has every part that a result can have."""
    directory = tmp_path_factory.mktemp("forged") / "card"
    toyline.make(directory, runs=12)
    toyline.edit(directory, "order: 3", "order: 1")
    toyline.edit(directory, "validation:", "fit: {toys: 0, minos: false, starts: 2}\nvalidation:")
    tune(load_card(directory))
    content = content_of(directory)
    content["surrogate"]["held_out_runs"] = 3
    seal(directory / "result.yaml", content | PARTS)
    write_report(read_fitted(load_card(directory)))
    return directory


@pytest.fixture
def card(made, tmp_path):
    shutil.copytree(made, tmp_path / "card")
    return tmp_path / "card"


def content_of(directory: Path) -> dict[str, Any]:
    # through JSON, so that what is equal is not one thing
    return json.loads(json.dumps(yaml.safe_load((directory / "result.yaml").read_text())))


def seal(path: Path, content: Any) -> None:
    write_sealed_yaml(path, "# Written by sbitune\n", content)


def places(content: Any, above: Steps = ()) -> Iterator[Steps]:
    """Every key and item, of lists the first alone."""
    if above:
        yield above
    if isinstance(content, dict):
        for key, value in content.items():
            yield from places(value, (*above, key))
    elif isinstance(content, list) and content:
        yield from places(content[0], (*above, 0))


def put(content: Any, steps: Steps, value: Any) -> Any:
    """A copy with another value at a place, or without it."""
    changed = copy.deepcopy(content)
    inner = changed
    for step in steps[:-1]:
        inner = inner[step]
    if value is None:
        del inner[steps[-1]]
    else:
        inner[steps[-1]] = value
    return changed


#: None takes the key away
OTHERS: tuple[Any, ...] = ("low", [1.0], [[1.0]], {"x": 1}, None, True, 7, -1.5, math.nan, math.inf, [], {})


def read_all(path: Path) -> None:
    """Whatever is made of a result alone."""
    record = with_warnings(read_record(path))
    page("", [reliability_section(record)])
    of_fit(record)
    call("ls", path)


def check(path: Path, content: Any, steps: Steps, value: Any) -> bool:
    """Whether a changed result is refused; in one message that names the file and the key."""
    seal(path, put(content, steps, value))
    try:
        read_all(path)
    except InputError as error:
        said = str(error)
        assert said.startswith(f"{path}"), said
        assert "run `sbitune fit" in said
        assert any(str(step) in said for step in steps if isinstance(step, str)), (steps, value, said)
        return True
    return False


@pytest.mark.parametrize("part", range(2))
def test_a_forged_result_is_refused_or_read(made, tmp_path, part):
    """Some of all places and values."""
    content = content_of(made)
    cases = [(steps, value) for steps in places(content) for value in OTHERS]
    refused = [check(tmp_path / "result.yaml", content, *case) for case in cases[3 + 20 * part :: 80]]
    assert sum(refused) > 0.4 * len(refused)


@pytest.mark.slow
def test_every_forged_result_is_refused_or_read(made, tmp_path):
    content = content_of(made)
    cases = [(steps, value) for steps in places(content) for value in OTHERS]
    for case in cases[::7]:
        check(tmp_path / "result.yaml", content, *case)


@pytest.mark.parametrize(
    ("steps", "value", "said"),
    [
        (("minima", 0, "chi2"), "low", ": minima[0].chi2: Expected `number`, got `text`"),
        (("minima", 0, "theta"), [1.0], "result.yaml: minima[0].theta: 1 numbers for 2 parameters"),
        (("answer", "automatic_weights", "as_given", "a"), None, "answer.automatic_weights.as_given: a is missing; it"),
        (("answer", "tension", "observables", 0, "p"), "0.3", "observables[0].p: Expected `number`, got `text`"),
        (("answer", "coverage", "parameters", "a", "bias"), [1], "parameters.a.bias: Expected `number`, got `list`"),
        (("closure", "coverage95"), None, "closure: coverage95 is missing; it has "),
        (("surrogate", "held_out_runs"), None, "surrogate: held_out_runs is missing"),
        (("surrogate", "order"), None, "surrogate: 'order' is missing"),
        (("covariance", 0), [0.1], "covariance: expected 2 rows of 2 numbers, one for each parameter, found"),
        (("parameters", "a", "error"), math.nan, "parameters.a: error is nan, not a finite number"),
        (("parameters", "a", "scaled_error"), 0.0, "parameters.a: error is"),
        (("error_sources", 0, "bins"), "some", "error_sources[0].bins: Invalid value 'some'; choose independent or sh"),
        (("parameters", "a", "status"), "loose", "parameters.a.status: Invalid value 'loose'; choose"),
        (("validation", "weighted_default"), None, "validation: the key `weighted_default` is missing"),
        (("validation", "chi2_default"), 0, ""),
    ],
)  # fmt: skip
def test_the_page_of_a_forged_result_is_one_message(card, steps, value, said):
    seal(card / "result.yaml", put(content_of(card), steps, value))
    if not said:
        call("report", card)
        return
    told = call("report", card, code=2).stderr
    assert told.count("sbitune: ") == 1
    assert f"sbitune: {card}/result.yaml:" in told
    assert said in told
    assert "run `sbitune fit" in told


READ_NOTE: dict[str, Any] = {
    "work/surrogate.json": lambda card: surrogate_product(load_card(card)).read_note(),
    "work/findings.json": lambda card: check_scan_note(load_card(card)),
    "work/scan/0003/run.json": lambda card: timing(card / "work/scan", ("0003",)),
}


@pytest.mark.parametrize("name", READ_NOTE)
def test_a_forged_note_is_read_or_refused(card, name):
    note = card / name
    content = read_sealed(note, "note")
    refused = []
    for steps in places(content):
        for value in ("text", [1], 7, {"x": [1]}, None):
            write_sealed(note, put(content, steps, value))
            try:
                READ_NOTE[name](card)
            except InputError as error:
                refused.append((steps, value, str(error)))
    assert len({steps for steps, _, _ in refused}) > 4
    assert [case for case in refused if str(card / name).rpartition("/")[0] not in case[2]] == []


@pytest.mark.slow
def test_a_forged_note_of_the_surrogate_is_made_again(card):
    note = card / "work/surrogate.json"
    write_sealed(note, read_sealed(note, "note") | {"about": {"kind": "polynomial", "order": "two"}})
    said = call("fit", card).stderr
    assert f"the surrogate is trained again: {note}: about.order: Expected `int`, got `str`" in said
