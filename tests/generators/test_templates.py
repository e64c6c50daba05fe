"""Templates are filled as the tool that they were written for fills them, and commands so that no name is run."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from helpers.calling import call
from helpers.faults import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import ComputationError, InputError
from sbitune.generators.command import check_command, run_command
from sbitune.generators.config import CommandConfig
from sbitune.generators.templates import fill, rule_of, split

VALUES = {"PT_MIN": 2.37, "RADIUS": 0.8, "StringZ:aLund": 0.7, "SEED": 12, "EVENTS": 100, "RUN": "0003", "N": "0003"}
VALUES |= {"CARD": "/there"}

FILLED = [
    # a template of Sherpa 3, YAML, as prof2-sample and app-sample fill it
    ("Order: {{QCD: 0, EW: 2}}\nPT: {PT_MIN}\n", "professor", "Order: {QCD: 0, EW: 2}\nPT: 2.37\n"),
    ("a {PT_MIN:.3f} {RADIUS:8.2e}", "professor", "a 2.370 8.00e-01"),
    ("{{{PT_MIN}}}", "professor", "{2.37}"),
    ("{StringZ:aLund} {{}}", "professor", "0.7 {}"),
    ("{StringZ:aLund:.2f}", "professor", "0.70"),
    # MCNNTunes
    ("pT0Ref = {{PT_MIN}}\nr = {{ RADIUS }}", "mcnntunes", "pT0Ref = 2.37\nr = 0.8"),
    ("{{PT_MIN}} {x} ${HOME} {'a': {}}", "mcnntunes", "2.37 {x} ${HOME} {'a': {}}"),
    # what no tool but sbitune fills: JSON, YAML, shells, awk, find, Python, LaTeX
    ('{"mpi":{"pt":{PT_MIN},"r":{"a":{RADIUS}}}}', "plain", '{"mpi":{"pt":2.37,"r":{"a":0.8}}}'),
    ("MPI: {PT: {PT_MIN}, X: {A: 1}}", "plain", "MPI: {PT: 2.37, X: {A: 1}}"),
    ("for i in ${LIST}; do { run {PT_MIN}; }; done", "plain", "for i in ${LIST}; do { run 2.37; }; done"),
    ("find . -exec rm {} \\; ; echo {PT_MIN} | awk '{print $1}'", "plain", None),
    ("awk '{ if (1) {print $1}}' ; r {PT_MIN}", "plain", "awk '{ if (1) {print $1}}' ; r 2.37"),
    ("\\textbf{\\textit{x}} {PT_MIN}", "plain", "\\textbf{\\textit{x}} 2.37"),
    ("seed {SEED} {N} pt {PT_MIN}", "plain", "seed 12 0003 pt 2.37"),
    ("{StringZ:aLund} ${PT_MIN}", "plain", "0.7 ${PT_MIN}"),
]


@pytest.mark.parametrize(("text", "rule", "filled"), FILLED)
def test_each_tools_rule_is_told_by_the_braces(text, rule, filled):
    assert rule_of(text, VALUES, "here", "there") == rule
    filled = text.replace("{PT_MIN}", "2.37") if filled is None else filled
    assert fill(split(text, VALUES, rule, "here"), VALUES) == filled


REFUSED = [
    ("{{PT_MIN}} {RADIUS}", "template-mixed-rules", "{{PT_MIN}} ", "{RADIUS} "),
    ("{{PT_MINN}}", "template-unknown-name", "{PT_MINN} ", "there are PT_MIN, RADIUS"),
    ("{{a: 1}} {PT_MIN} {MISSING}", "template-unknown-name", "{MISSING} ", "say whose template this is there"),
    ("{{PT_MIN|round(2)}}", "template-bad-place", "{{PT_MIN|round(2)}}"),
    ("{{PT_MIN}} {% if x %}", "template-bad-place", "{%: "),
    ("{{PT_MIN}} {{OTHER}}", "template-bad-place", "{{OTHER}}"),
    ("{PTMIN}", "template-unknown-name", "{PTMIN} "),
]


@pytest.mark.parametrize(("text", "code", "parts"), [(text, code, parts) for text, code, *parts in REFUSED])
def test_braces_that_could_be_half_filled_are_refused(text, code, parts):
    with refused(code, "here: ", *parts):
        split(text, VALUES, rule_of(text, VALUES, "here", "there"), "here")


def test_a_rule_that_is_said_is_followed():
    assert fill(split("{{PT_MIN}} {RADIUS}", VALUES, "professor", "here"), VALUES) == "{PT_MIN} 0.8"
    assert fill(split("{{PT_MIN}} {RADIUS}", VALUES, "mcnntunes", "here"), VALUES) == "2.37 {RADIUS}"
    assert fill(split("{{PT_MIN}} {RADIUS}", VALUES, "plain", "here"), VALUES) == "{2.37} 0.8"
    with pytest.raises(InputError, match="Professor and Apprentice could not fill this"):
        split("{PT_MIN} { 1 }", VALUES, "professor", "here")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["{", "}", "{{", "}}", "{PT_MIN}", "{RADIUS:.2f}", "{N}", "x", " ", "$", ":", "\n"])))
def test_professors_rule_is_str_format(pieces):
    text = "".join(pieces)
    try:
        wanted = text.format(**VALUES)
    except (ValueError, KeyError, IndexError, AttributeError):
        wanted = None
    try:
        found = fill(split(text, VALUES, "professor", "here"), VALUES)
    except InputError:
        found = None
    assert found == wanted


def test_sample_fills_as_the_tools_do(tmp_path):
    (tmp_path / "limits.dat").write_text("PT_MIN 2.2 2.8\nRADIUS 0.75 0.95\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\nrun {{QCD: 0}} {PT_MIN} {RADIUS}\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "jinja.cmnd").write_text("{{PT_MIN}} {{RADIUS}}\n")
    words = ("sample", tmp_path / "limits.dat", "-n", 2, "-t", tmp_path / "run.sh", "-t", tmp_path / "jinja.cmnd")
    said = call(*words, "-o", tmp_path / "out").stderr
    assert "run.sh: {NAME} is a place, {{ and }} become { and }" in said
    low, high = (tmp_path / "out/0001/jinja.cmnd").read_text().split()
    assert (tmp_path / "out/0001/run.sh").read_text() == f"#!/bin/sh\nrun {{QCD: 0}} {low} {high}\n"
    assert stat.S_IMODE((tmp_path / "out/0001/run.sh").stat().st_mode) & 0o111 == 0o111
    assert stat.S_IMODE((tmp_path / "out/0001/jinja.cmnd").stat().st_mode) & 0o111 == 0
    call(*words[:6], "-o", tmp_path / "plain", "--template-rule", "plain")
    assert "{{QCD: 0}}" in (tmp_path / "plain/0001/run.sh").read_text()
    for name, text in [("v.yml", "# [min, max]\nPT_MIN: [2.2, 2.8]\n"), ("r.json", '{"PT_MIN": [2.2, 2.8]}')]:
        (tmp_path / name).write_text(text)
        found = call("sample", tmp_path / name, "-n", 2, "-o", tmp_path / "no", code=2).stderr
        assert f"{name}: ranges are read from a card or from a limits file, with a line 'NAME low high'" in found


def config(command: str, *templates: str, rule: str = "auto") -> CommandConfig:
    return CommandConfig(command=command, output="out.yoda", templates=templates, template_rule=rule)  # type: ignore


ODD = ["plain", "with blank", "$(touch pwned)", "`touch pwned`", "a'b", 'a"b', "a;touch pwned;", "a\\b"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("command", ["cat {CARD}/in", 'cat "{CARD}/in"', 'cat "$CARD"/in', "cat '{CARD}'/in"])
def test_the_name_of_a_cards_folder_is_a_name(tmp_path, name, command):
    card, run = tmp_path / name, tmp_path / "run"
    card.mkdir()
    run.mkdir()
    (card / "in").write_text("read\n")
    (run / "out.yoda").touch()
    if command.startswith("cat '") and name != "plain":
        with pytest.raises(InputError, match=r'single quotes.*write "\$CARD"'):
            check_command(config(command), [], card)
    else:
        check_command(config(command), [], card)
        run_command(config(command), run, {"SEED": 1, "EVENTS": 1, "RUN": "0", "CARD": str(card)}, card)
        assert (run / "command.log").read_text() == "read\n"
    assert not list(Path(tmp_path).rglob("pwned"))
    assert not Path("pwned").exists()


def test_a_folder_whose_name_a_shell_would_run_is_in_no_template(tmp_path):
    card = tmp_path / "a;b"
    card.mkdir()
    (card / "run.in").write_text("{CARD} {a}")
    with refused("command-card-directory", "{CARD} ", "';'"):
        check_command(config("run", "run.in"), ["a"], card)


def test_double_braces_are_no_places_in_commands(tmp_path):
    with pytest.raises(InputError, match=r"generator.command: \{\{a\}\} stands in double braces; write \{a\}"):
        check_command(config("run {{a}} {a}"), ["a"], tmp_path)


def test_run_sh_of_a_card_can_be_started(tmp_path):
    card = tmp_path / "my card"
    card.mkdir()
    (card / "card.yaml").write_text(
        "title: t\ngenerator: {kind: command, output: o.yoda, command: 'cat {CARD}/in; echo {a} {SEED}'}\n"
        "parameters: {a: {low: 1, high: 2}}\nscan: {runs: 2, events: 10}\n"
    )
    (card / "in").write_text("read\n")
    call("sample", card, "-o", tmp_path / "out")
    run = tmp_path / "out/0001"
    printed = subprocess.run([run / "run.sh"], cwd=run, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("read\n")
    assert float(printed.split()[1]) == pytest.approx(float((run / "params.dat").read_text().split()[1]))


def test_runs_of_another_rule_are_other_runs(tmp_path):
    """What an earlier sbitune half filled is not taken for a run of this one."""
    from sbitune.generators.campaigns.runs import Task, fingerprint

    (tmp_path / "run.in").write_text("{a} {{x}}")
    made = {
        rule: fingerprint(Task("0", config("run", "run.in", rule=rule), {"a": 1.0}, 1, 1, str(tmp_path)))
        for rule in ("auto", "plain", "professor")
    }
    assert len(set(made.values())) == 3


def test_the_log_of_a_failed_command_is_told(tmp_path):
    with pytest.raises(ComputationError, match="exit code 3; it printed: no luck"):
        run_command(config("echo no luck; exit 3"), tmp_path, {"RUN": "0", "CARD": str(tmp_path)}, tmp_path)
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir())) == '["command.log"]'
