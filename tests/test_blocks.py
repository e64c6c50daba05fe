"""Every block of code and every card of the README and its pages: run as it stands, or it says why it is not.

A comment above a block, `<!-- NAME -->`, names the test here, or in `test_readme.py`, that runs it.
"""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call
from helpers.places import ROOT
from helpers.workspaces import uncorrelated_background

from sbitune.cli.main import main
from sbitune.data import measured
from sbitune.data.formats.professor_writer import write_runs
from sbitune.data.parameter import Parameter
from sbitune.data.reference import read_reference
from sbitune.data.scan import Scan
from sbitune.ratios.card import load_card
from sbitune.workflow.opening import open_with_family

PAGES = [ROOT / "README.md", *sorted((ROOT / "analyses").glob("*/README.md"))]
BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
#: mark -> why no test runs it
NOT_RUN = {
    "tune": "makes an environment and runs Pythia for minutes",
    "tests": "makes an environment and runs these tests: what CI does, .ci/run",
}


class Block(NamedTuple):
    page: Path
    mark: str
    kind: str  #: language
    text: str


BLOCKS = [Block(page, *(m[key] or "" for key in ("mark", "kind", "text"))) for page in PAGES
          for m in BLOCK.finditer(page.read_text())]  # fmt: skip


def marked(mark: str) -> list[str]:
    found = [block.text for block in BLOCKS if block.mark == mark]
    assert found, mark
    return found


def commands(text: str) -> list[list[str]]:
    """Lines of `sbitune WORDS` without their remarks."""
    lines = [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()]
    return [line[1:] for line in lines if line[:1] == ["sbitune"]]


def test_every_block_is_run_or_says_why_not():
    here = Path(__file__).read_text() + (ROOT / "tests/test_readme.py").read_text()
    assert len(BLOCKS) >= 15
    assert sum(page.read_text().count("\n```") for page in PAGES) == 2 * len(BLOCKS)
    for block in BLOCKS:
        run = f'marked("{block.mark}")' in here or f"<!-- {block.mark} -->" in here
        assert run or block.mark in NOT_RUN or re.match(r"not run: \w+ \w+", block.mark), (block.page, block.text)
        for name in re.findall(r"tests/\w+\.py", block.mark):
            assert (ROOT / name).exists()


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "sh"], ids=lambda block: block.mark)
def test_commands_take_the_options_that_they_are_shown_with(block):
    for name, *words in commands(block.text):
        command = main.get_command(click.Context(main), name)
        assert command is not None
        command.make_context(name, words, resilient_parsing=False)


#: what stands for somebody's generator, and for Rivet, which writes what the generator of `toyline` does
GENERATOR = """#!{python}
import json, sys
assert sys.argv[2] == "--seed" and sys.argv[4] == "--events" and int(sys.argv[5]) == 100
json.dump([float(open(sys.argv[1]).read()), int(sys.argv[3])], open("events.hepmc", "w"))
"""
RIVET = """#!{python}
import json, subprocess, sys
assert sys.argv[1:] == ["-a", "MY_ANALYSIS", "events.hepmc", "-o", "out.yoda"]
alpha_s, seed = json.load(open("events.hepmc"))
subprocess.run([sys.executable, "{generator}", str(10 * alpha_s), "0", str(seed)], check=True)
"""


def test_a_command_card_runs_its_command(tmp_path, monkeypatch):
    (text,) = marked("command card")
    loaded = toyline.make(tmp_path / "toy")
    for name, code in (("MyGenerator", GENERATOR), ("rivet", RIVET)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(code.format(python=sys.executable, generator=loaded.directory / "generator.py"))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "run.in").write_text("{alpha_s}\n")
    (tmp_path / "card.yaml").write_text(f"title: mine\n{text}scan: {{runs: 3, events: 100, workers: 1}}\n")
    found = json.loads(call("scan", tmp_path, "--json").stdout)
    assert (found["runs"], found["bins"], found["parameters"]) == (3, 17, 1)


def linear_scan(names: tuple[str, str], runs: int = 30) -> Scan:
    """Runs of ALEPH's bins whose contents are those measured, moved by two parameters and noise."""
    reference = read_reference(["ALEPH_1996_S3486095"])
    keep = np.flatnonzero(np.isfinite(reference.values) & (reference.errors > 0))
    bins, values, errors = reference.bins.take(keep), reference.values[keep], reference.errors[keep]
    random = np.random.default_rng(2)
    theta = random.uniform([0.3, 0.2], [1.1, 0.4], (runs, 2))
    responses = random.normal(0, 3, (2, len(bins)))
    unit = (theta - [0.7, 0.32]) / [0.4, 0.1]
    contents = values + errors * (unit @ responses + random.normal(0, 0.3, (runs, len(bins))))
    parameters = (Parameter(names[0], 0.3, 1.1), Parameter(names[1], 0.2, 0.4))
    return Scan(
        parameters, theta, contents, np.tile(0.3 * errors, (runs, 1)), bins, tuple(f"{i:04d}" for i in range(runs))
    )


@pytest.fixture
def own_scan(tmp_path, monkeypatch):
    """`my-scan`, `my-card/card.yaml` as the page has it, and `runs.txt`."""
    assert "ALEPH_1996_S3486095" in measured.names()
    write_runs(tmp_path / "my-card" / "my-scan", linear_scan(("StringZ:aLund", "StringPT:sigma")))
    (tmp_path / "my-scan").symlink_to(tmp_path / "my-card" / "my-scan")
    (tmp_path / "my-card" / "card.yaml").write_text(marked("scan card")[0])
    (tmp_path / "runs.txt").write_text("0003\n0004\n")
    monkeypatch.chdir(tmp_path)


def test_the_card_of_a_scan_is_read(own_scan):
    found = json.loads(call("ls", "my-card", "--json").stdout)
    assert (found["runs"], list(found["parameters"])) == (30, ["StringZ:aLund", "StringPT:sigma"])
    assert list(found["observables"]) == [f"/ALEPH_1996_S3486095/d{n}-x01-y01" for n in ("01", "03", "09")]


@pytest.mark.slow
def test_commands_of_a_scan_that_exists(own_scan):
    for words in commands(marked("scan commands")[0]):
        call(*words)
    found = json.loads(call("ls", "my-card/result.yaml", "--json").stdout)["parameters"]
    assert found["StringPT:sigma"]["status"] == "fixed"
    assert found["StringZ:aLund"]["value"] == pytest.approx(0.7, abs=0.05)


@pytest.fixture
def own_card(tmp_path, monkeypatch):
    """`my-card`, its runs as `my-scan`, and `runs.txt`."""
    toyline.make(tmp_path / "my-card", runs=16)
    toyline.edit(tmp_path / "my-card", "order: 3}", "order: 2}\nfit: {toys: 0}")
    (tmp_path / "runs.txt").write_text("0003\n0004\n")
    (tmp_path / "my-scan").symlink_to(tmp_path / "my-card/work/scan")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_stages_are_functions(own_card):
    found: dict = {}
    exec(marked("stages")[0], found)
    assert found["scan"].theta.shape == (16, 2)
    assert [part.shape for part in found["surrogate"].predict_many(found["scan"].theta)] == [(16, 17), (16, 17)]
    record = found["fitted"].record
    np.testing.assert_allclose(found["fitted"].theta, [p.value for p in record.parameters.values()])
    assert record.validation is not None


#: command -> options behind those that are shown, with which it is done in seconds
BRIEFLY = {
    "coverage": ("--toys", 10),
    "posterior": ("--warmup", 50, "--samples", 50, "--predictions", 20),
    "eigentunes": ("--toys", 20),
    "bootstrap": ("-n", 4),
    "profile": ("--points", 3),
    "inverse": ("--points", 200, "--steps", 20, "--members", 2, "--layers", 1),
}


@pytest.mark.slow
def test_commands_that_say_how_sure_the_answer_is(own_card):
    call("tune", "my-card")
    names = {"NAME": "a", "NAME2": "b"}
    for words in commands(marked("trust")[0]):
        call(*(names.get(word, word) for word in words), *BRIEFLY.get(words[0], ()))
    assert Path("page.html").is_file()


@pytest.mark.slow
def test_counts_limits_impacts_and_a_belt(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(marked("counts")[0], found)
    assert capsys.readouterr().out.strip() == marked("counts output")[0].strip()
    assert found["workspace"].interest == "mu"
    assert found["expected"].shape == (4, 4)
    assert found["belt"].data.intervals[0] == pytest.approx((0.15, 1.25), abs=0.25)
    np.testing.assert_allclose(found["holds"], 0.683, atol=4 * 0.038)


@pytest.mark.slow
def test_a_fit_of_a_likelihood_of_ones_own(capsys):
    found: dict = {}
    exec(marked("fit")[0], found)
    assert capsys.readouterr().out.strip() == marked("fit output")[0].strip()
    assert found["delta"].shape == (3,)
    assert found["posterior"] is not None


def test_a_card_with_regions_is_read(tmp_path):
    (card,), (regions,) = marked("mixture card"), marked("regions of a card")
    (tmp_path / "workspace.json").write_text(json.dumps(uncorrelated_background()))
    (tmp_path / "card.yaml").write_text(card + regions)
    loaded = load_card(tmp_path)
    assert list(loaded.event_regions) == ["events", "low"]
    assert [channel.name for channel in loaded.counted.channels] == ["control", "singlechannel"]


def test_cards_of_continuous_parameters_are_read(tmp_path):
    (parameterised,), (posteriors,) = marked("parameterised card"), marked("posteriors card")
    for family, card in (("parameterised", parameterised), ("posteriors", posteriors)):
        (tmp_path / "card.yaml").write_text(card)
        loaded, found = open_with_family(tmp_path)
        assert found.name == family
        assert len(loaded.card.parameters) == 2


@pytest.mark.slow
def test_parameters_are_fitted_to_events_as_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(marked("mixture samples")[0], {})
    (card,) = marked("mixture card")
    (tmp_path / "card.yaml").write_text(card)
    for name, *words in commands(marked("ratios commands")[0]):
        call(name, *words)
    names: dict = {}
    exec(marked("ratios in python")[0], names)
    fitted = names["fitted"]
    assert capsys.readouterr().out.startswith(str(fitted.fit))
    # exact ratios give .355 and .035
    errors = dict(zip(fitted.fit.names, fitted.fit.errors, strict=True))
    assert errors["mu"] == pytest.approx(0.355, rel=0.15)
    assert errors["nu"] == pytest.approx(0.0353, rel=0.15)
    for name, row in fitted.record.parameters.items():
        both = np.hypot(row.error, row.ratio_error)
        assert abs(row.value - {"mu": 1.0, "nu": 0.0}[name]) < 4 * both
        assert 0 < row.ratio_error < row.error
    toys = names["toys"].figures()
    assert toys["coverage68"] == pytest.approx(0.683, abs=4 * toys["coverage68_error"])


@pytest.mark.slow
def test_exact_weights_of_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(marked("exact weights")[0], found)
    assert found["log_weight"].shape == found["score"].shape == (400,)
    assert 0.9 < found["statistics"].ess({"StringZ:aLund": 0.73}) < 1


@pytest.mark.slow
def test_a_ratio_of_sets_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(marked("ratio of sets")[0], found)
    assert found["ratio"].sets == (("p",),)
    assert len(capsys.readouterr().out.split()) >= 3
