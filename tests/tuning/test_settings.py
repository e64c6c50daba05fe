"""`tune.cmnd` gives the tune in a Pythia of other defaults, too."""

import re

import numpy as np
import pytest
import pythia8mc
from helpers.places import ROOT
from msgspec.structs import replace

from sbitune.generators.pythia8.lines import check_settings
from sbitune.generators.pythia8.printed import pythia_version
from sbitune.generators.pythia8.pythia import PythiaRun
from sbitune.tuning.card import load_card
from sbitune.tuning.output.settings import command_file
from sbitune.tuning.record.result import read_record

#: what another version might have by default
OTHERS = ("Tune:ee = 1", "Tune:pp = 1", "StringFragmentation:stopMass = 1.0", "HadronLevel:mStringMin = 1.5",
          "TimeShower:pTmin = 0.9", "StringFlav:probQQ1toQQ0join = {0.1,0.2,0.3,0.4}", "TimeShower:MEcorrections = off",
          "ParticleDecays:sigmaSoft = 0.9", "StandardModel:sin2thetaW = 0.23")  # fmt: skip


@pytest.fixture(scope="module")
def tune():
    card = load_card(ROOT / "tunes/lep").card
    return card, read_record(ROOT / "tunes/lep/result.yaml")


def with_process(text: str) -> list[str]:
    """The lines of a settings file with those of the process taken out of their comments."""
    tail = text.split("to run it as it was tuned\n")[1]
    return [*text.splitlines(), *(line.removeprefix("! ") for line in tail.splitlines())]


def events(lines, count=12):
    batches = PythiaRun([line for line in lines if line], 5).batches(count)
    return [array for batch in batches for array in (batch.id, batch.px, batch.e)]


def test_another_pythia_makes_the_same_events(tune):
    card, record = tune
    text = command_file(card, record, pythia_version())
    assert f"! The tune belongs to Pythia {pythia_version()}." in text
    wanted = [*card.generator.settings, *(f"{name} = {p.value:.10g}" for name, p in record.parameters.items())]
    ours, others = events(wanted), events([*OTHERS, *with_process(text)])
    for one, two in zip(ours, others, strict=True):
        np.testing.assert_array_equal(one, two)
    alone = events([*OTHERS, *wanted])
    assert any(len(one) != len(two) or (one != two).any() for one, two in zip(ours, alone, strict=True))


def test_a_fresh_pythia_reads_the_file_and_holds_the_tune(tune, tmp_path):
    card, record = tune
    path = tmp_path / "tune.cmnd"
    path.write_text(command_file(card, record, pythia_version()))
    pythia = pythia8mc.Pythia("", False)
    assert pythia.readFile(str(path))
    held = check_settings([line for line in path.read_text().splitlines() if line]).values()
    for name, p in record.parameters.items():
        assert pythia.settings.parm(name) == pytest.approx(p.value, rel=1e-9)
        held.pop(name.lower())
    # nothing else than the parameters is changed
    fresh = check_settings([]).values()
    assert {key: value for key, value in held.items() if value != fresh[key]} == {}


def test_what_hadron_beams_need_is_fixed_for_them_alone(tune):
    card, record = tune
    names = set(re.findall(r"^(\S+) +=", command_file(card, record), re.MULTILINE))
    assert {"StringFragmentation:stopMass", "StringZ:useOldAExtra", "PartonShowers:model"} <= names
    assert not {"MultipartonInteractions:pT0Ref", "Beams:eCM", "Tune:ee", "ParticleDecays:limitTau0"} & names
    lines = ("Beams:idA = 2212", "Beams:idB = 2212", "Beams:eCM = 7000", "SoftQCD:inelastic = on", "Tune:pp = 5")
    text = command_file(replace(card, generator=replace(card.generator, settings=lines)), record)
    assert "\nMultipartonInteractions:pT0Ref = 2.085\n" in text  # of the tune that the card names
    assert "\nPDF:pSet = " in text
    assert "\n! Tune:pp = 5\n" in text


def test_another_version_than_made_the_runs_is_told(tune):
    card, record = tune
    text = command_file(card, record, "8.100")
    assert "! The runs were made with Pythia 8.100, which is not installed where this was written" in text
    assert "stopMass" not in text
