"""A method family in sixty lines: card, stage, record, check, page and command of the mean of some numbers."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import click
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from helpers.calling import call
from helpers.faults import refused
from helpers.places import ROOT

from sbitune.cli.shared.common import Figures, TerminalReporter, reports
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.storage.arrays import read_arrays, write_arrays
from sbitune.data.storage.files import hash_bytes
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood import product
from sbitune.fitting.likelihood.terms.term import Named, generator
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import Fit
from sbitune.fitting.sampling.chains import load_posterior
from sbitune.report.pieces.origins import provenance_table
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.verdicts import verdict_paragraphs
from sbitune.workflow.cards.cardfile import CardFile, read_card_file
from sbitune.workflow.families import FAMILIES, Family, register
from sbitune.workflow.opening import is_card, open_card, open_scan_card
from sbitune.workflow.results.checks import Check, judge, made, warnings_of
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.results.records import Format, read_record, write_record
from sbitune.workflow.stages import Product, writing


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="family", tag="mean"):
    """The mean of numbers."""

    values: Annotated[tuple[float, ...], msgspec.Meta(description="Numbers whose mean is wanted.")]
    error: Annotated[float, msgspec.Meta(description="What each of them is known to.")] = 1.0


class Record(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The mean, and how far to trust it."""

    format: int
    mean: float
    verdict: str
    checks: list[Check]
    provenance: dict[str, Any]


FORM = Format(1, "sbitune mean")
#: of the commands that every family may have
STAGES = {"fit": "fit_figures", "train": "train_figures", "fitted": "fitted"}


def load_card(place: Any) -> CardFile[Card]:
    loaded = read_card_file(place, Card, CardFile, "mean")
    if not loaded.card.values:
        raise InputError(f"{loaded.place('values')}: there are none; give at least one number")
    return loaded


def centred(loaded: CardFile[Card], reporter: TerminalReporter) -> np.ndarray:
    """A stage: the numbers about their mean, kept in `work/`."""
    values = np.array(loaded.card.values)
    product = Product(loaded.work / "centred.npz", loaded.work / "centred.json", "numbers", {"values": "the values"})
    wanted = {"values": hash_bytes(values.tobytes())}
    why = product.why_not(wanted)
    if why is not None:
        reporter.say(f"centring {len(values)} numbers{f': {why}' if why else ''}")
        with writing(loaded):
            write_arrays(product.path, {"centred": values - values.mean()})
            product.write_note(wanted, {"n": len(values)})
    return read_arrays(product.path, "numbers")["centred"]


def summary(loaded: CardFile[Card]) -> dict[str, Any]:
    made = loaded.output("mean.yaml").is_file()
    found = {"mean": read_record(loaded.output("mean.yaml"), Record, FORM).mean} if made else {}
    return {"numbers": len(loaded.card.values)} | found


@click.command("mean")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """The mean of the numbers of a CARD."""
    loaded = load_card(card)
    rest, mean = centred(loaded, reporter), float(np.mean(loaded.card.values))
    width = float(np.std(rest) / loaded.card.error)
    checks = [made("scatter", width > 2, "the numbers scatter", [f"a width of {width:.2g}"], value=width)]
    verdict, origin = judge(checks, "this mean"), provenance({"card": loaded.path.read_bytes()}, {})
    write_record(loaded.output("mean.yaml"), Record(1, mean, verdict.words, checks, origin), FORM)
    write_page(
        loaded.output("mean.html"),
        "Mean",
        [*verdict_paragraphs(verdict, warnings_of(checks)), provenance_table(origin)],
    )
    return {"mean": mean, "verdict": verdict.words}


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers as a term of a likelihood."""

    name: str
    data: np.ndarray
    error: float

    def minus_two_log(self, given: Named, data: Any) -> Any:
        return jnp.sum(((data - given["mean"]) / self.error) ** 2)

    def draw(self, key: Any, given: Named, n: int) -> np.ndarray:
        return generator(key).normal(float(given["mean"]), self.error, (n, len(self.data)))

    def asimov(self, given: Named) -> np.ndarray:
        return np.full(len(self.data), float(given["mean"]))


def fitted(loaded: CardFile[Card], reporter: TerminalReporter) -> tuple[product.Product, Fit]:
    """What profiles, posteriors and toys are made of."""
    values = np.array(loaded.card.values)
    parameter = Parameter("mean", float(values.min()) - 50, float(values.max()) + 50)
    problem = product.Product([Numbers("numbers", values, loaded.card.error)], [parameter])
    return problem, fit(problem, FitConfig(minos=False))


def fit_figures(loaded: CardFile[Card], reporter: TerminalReporter) -> dict[str, Any]:
    found = fitted(loaded, reporter)[1]
    return {"mean": float(found.values[0]), "error": float(found.errors[0])}


def train_figures(loaded: CardFile[Card], reporter: TerminalReporter) -> dict[str, Any]:
    return {"numbers": len(centred(loaded, reporter))}


@pytest.fixture(scope="module", autouse=True)
def family():
    names = (f"{__name__}:{name}" for name in ("Card", "load_card", "command", "summary"))
    stages = {stage: f"{__name__}:{name}" for stage, name in STAGES.items()}
    register(Family("mean", "the mean", *names, **stages))
    yield FAMILIES["mean"]
    del FAMILIES["mean"]


def test_a_family_has_a_command_that_leaves_a_record_and_a_page(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text("family: mean\nvalues: [1, 2, 3]\n")
    first = call("mean", tmp_path, "--json")
    assert json.loads(first.stdout) == {"mean": 2.0, "verdict": "no check speaks against this mean"}
    assert "centring 3 numbers\n" in first.stderr
    record = read_record(tmp_path / "mean.yaml", Record, FORM)
    assert (record.mean, record.checks[0].outcome) == (2.0, "passed")
    assert record.checks[0].value == pytest.approx(np.sqrt(2 / 3))
    said = '<h1>Mean</h1>\n<p class="verdict">No check speaks against this mean.</p>\n'
    assert said in (tmp_path / "mean.html").read_text()
    assert "centring" not in call("mean", tmp_path).stderr  # kept
    path.write_text("family: mean\nvalues: [1, 2, 9]\n")
    again = call("mean", tmp_path)
    assert "centring 3 numbers: the values changed\n" in again.stderr
    assert "to be read with care: the numbers scatter" in again.stdout
    text = (tmp_path / "mean.yaml").read_text()
    (tmp_path / "mean.yaml").write_text(text.replace("mean: 4.0", "mean: 5.0"))
    with pytest.raises(InputError, match=r"changed or damaged; run `sbitune mean .*` again"):
        read_record(tmp_path / "mean.yaml", Record, FORM)


def test_generic_commands_take_its_card_for_what_it_is(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text("family: mean\nvalues: [1, 2, 3]\n")
    asked = {"family": "mean", "what": "the mean", "numbers": 3}
    for place in (tmp_path, path):
        assert json.loads(call("ls", place, "--json").stdout) == asked
    call("mean", tmp_path)
    assert json.loads(call("ls", tmp_path, "--json").stdout) == asked | {"mean": 2.0}
    assert not is_card(tmp_path / "mean.yaml")  # which is a result
    for words in (
        ("scan", tmp_path),
        ("convert", tmp_path, tmp_path / "out.h5"),
        ("runcombs", tmp_path, "-n", "1", "--leave-out", "1", "-o", tmp_path / "runcombs.dat"),
    ):
        said = call(*words, code=2).stderr
        assert said.endswith(" [card-without-scan]\n")
        assert f"{path}: " in said
    path.write_text("family: mean\nvalue: [1]\n")
    assert "[yaml-unknown-key]" in call("ls", tmp_path, code=2).stderr


def test_a_family_without_a_summary_is_listed_by_what_stands_in_its_card(tmp_path, family, monkeypatch):
    monkeypatch.setitem(FAMILIES, "mean", family._replace(summary=None))
    (tmp_path / "my.yaml").write_text("family: mean\nvalues: [1, 2]\n")
    card = {"family": "mean", "values": [1.0, 2.0], "error": 1.0}
    assert json.loads(call("ls", tmp_path / "my.yaml", "--json").stdout)["card"] == card
    found = json.loads(call("ls", tmp_path / "my.yaml", "err", "--json").stdout)
    assert found == {"family": "mean", "what": "the mean", "card": {"error": 1.0}}


def test_its_card_is_documented_and_told_from_others(tmp_path):
    assert "values: list of number, required. Numbers whose mean is wanted." in call("ls", "card", "mean").stdout
    assert list(json.loads(call("ls", "card", "mean", "err", "--json").stdout)["card"]) == ["error"]
    assert "title" in json.loads(call("ls", "card", "--json").stdout)["card"]  # that of a tune
    path = tmp_path / "card.yaml"
    path.write_text("family: mean\nvalues: [1]\n")
    assert open_card(path).card == Card((1.0,))
    wrong = call("validate", tmp_path, code=2)
    assert f"{path}:1: family: a card of the family 'mean'; this command takes one of a tune, which" in wrong.stderr
    assert wrong.stderr.endswith(" [card-family-other]\n")
    with refused("card-without-scan", f"{path}: ", "mean"):
        open_scan_card(path)
    path.write_text("values: [1]\n")
    assert (
        "a card of the family 'tune'; this command takes one of `family: mean`" in call("mean", tmp_path, code=2).stderr
    )
    path.write_text("family: means\nvalues: [1]\n")
    with refused("card-family-unknown", "card.yaml:1: family: 'means': ", "nearest are mean"):
        open_card(path)
    path.write_text("family: mean\nvalues: []\n")
    assert f"{path}:2: values: there are none" in call("mean", tmp_path, code=2).stderr
    path.write_text("family: mean\nvalue: [1]\n")
    assert "unknown key 'value'; did you mean 'values'?" in call("mean", tmp_path, code=2).stderr


def test_the_family_is_read_as_yaml_reads_it(tmp_path):
    path = tmp_path / "card.yaml"
    for text in (
        '"family": mean\nvalues: [1]\n',
        "{family: mean, values: [1]}\n",
        "  family:\n    mean\n  values: [1]\n",
    ):
        path.write_text(text)
        assert open_card(path).card == Card((1.0,))
    path.write_text('title: "a\nfamily: b"\nparameters: 5\n')  # a title over two lines
    assert "card.yaml:3: parameters: Expected" in call("fit", path, code=2).stderr
    path.write_text("family: [a, b]\nvalues: [1]\n")
    assert f"{path}:1: family: expected the name of a family" in call("mean", path, code=2).stderr
    path.write_text("5\n")
    assert "a card of the family 'tune'; this command takes" in call("mean", path, code=2).stderr
    tune = (ROOT / "tunes/lep/card.yaml").read_text()
    path.write_text(f"{tune}\nfamily: tune\n")
    assert open_card(path).card == open_card(ROOT / "tunes/lep").card


@pytest.fixture
def card(tmp_path):
    (tmp_path / "card.yaml").write_text("family: mean\nvalues: [1, 2, 3, 6]\nerror: 2\n")
    return tmp_path


def figures(*words: Any) -> dict[str, Any]:
    return json.loads(call(*words, "--json").stdout)


def test_verbs_of_fits_take_its_card(card):
    assert figures("fit", card) == {"mean": pytest.approx(3), "error": pytest.approx(1)}
    assert figures("train", card) == {"numbers": 4}
    found = figures("profile", card, "mean", "--points", 3, "--range", 2, 4, "-o", card / "p.csv")
    assert list(found["profile"].values()) == pytest.approx([1, 0, 1], abs=1e-6)
    assert (card / "p.csv").read_text().startswith("mean,delta,mean_at_minimum\n2,")
    toys = figures("coverage", card, "--toys", 60)
    assert toys["coverage68"] == pytest.approx(0.68, abs=4 * np.sqrt(0.68 * 0.32 / 60))


@pytest.mark.slow
def test_its_posterior_is_sampled_and_has_a_page(card):
    found = figures("posterior", card, "--samples", 200, "--warmup", 60, "--chains", 2)
    assert found["parameters"]["mean"]["mean"] == pytest.approx(3, abs=0.3)
    assert found["parameters"]["mean"]["half_width_ratio"] == pytest.approx(1, abs=0.2)
    assert load_posterior(card / "posterior.npz").names == ("mean",)
    assert "half width / fit" in (card / "posterior.html").read_text()
    call("posterior", card, "--samples", 20, "--warmup", 20, "--chains", 2, "-o", card / "p.json")
    assert list(json.loads((card / "p.json").read_text())["posterior"]) == ["mean"]
    assert "has no bins to predict" in call("posterior", card, "--predictions", 20, code=2).stderr


def test_verbs_that_it_has_not_and_options_of_tunes_are_refused(card, family, monkeypatch):
    for words in (("report", card), ("export", card, "--to", "pyhf", "-o", card / "w.json")):
        said = call(*words, code=2).stderr
        assert f"card.yaml: a card of the family mean knows no `sbitune {words[0]}`" in said
        assert said.endswith(" [card-without-verb]\n")
    said = call("train", card, "--seed", 2, "--kind", "polynomial", code=2).stderr
    assert "--kind, --seed: the card" in said
    assert said.endswith(" [card-option-of-tune]\n")
    monkeypatch.setitem(FAMILIES, "mean", family._replace(fitted=None, fit=None, train=None))
    for words in (("profile", card, "mean"), ("posterior", card), ("coverage", card), ("fit", card)):
        assert call(*words, code=2).stderr.endswith(" [card-without-verb]\n")
    assert call("train", card, code=2).stderr.endswith(" [card-without-scan]\n")
