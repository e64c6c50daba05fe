"""Pythia: what it hides must come to light before the first event."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import pythia8mc
from helpers.campaigns import LEP

import sbitune
from sbitune.data.errors import ComputationError, InputError
from sbitune.generators.pythia8.catalogue import Catalogue, check_ranges
from sbitune.generators.pythia8.lines import check_settings
from sbitune.generators.pythia8.pythia import PythiaRun


def test_good_settings_pass():
    check_settings(LEP)
    check_settings(["Tune:ee = 7", "StringZ:aLund = 2", "PartonLevel:MPI=no", "Beams:LHEF = events.lhe"])
    check_settings(["24:onPosIfAny = 1 -2  +3", "24:offIfAny = 5"])
    check_settings(["211:mayDecay = on", "111:tau0 = 1e-5", "111:0:meMode = 0", "23:spinType = 3"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("StringZ:aLundd = 0.5", r"no setting 'StringZ:aLundd'; did you mean StringZ:aLund"),
        ("StringZ:aLund = 2.5", r"StringZ:aLund = 2.5 is outside Pythia's range \[0, 2\]"),
        ("StringZ:aLund = much", "needs a number, not 'much'"),
        ("PDF:lepton = maybe", "is a flag; write on or off, not 'maybe'"),
        ("TimeShower:alphaSorder = 12.7", "needs a whole number, not '12.7'"),
        ("23:onMode = banana", "must be on, off or 0 to 3, not 'banana'"),
        ("23:onIfAny = a b", "needs codes of particles with blanks between them, not 'a b'"),
        ("23:onIfAny = 1,2", "needs codes of particles with blanks between them, not '1,2'"),  # Pythia takes 1 alone
        ("24:onNegIfMatch = 1.5 2", "needs codes of particles"),
        ("211:mayDecay = maybe", "211:mayDecay is a flag; write on or off, not 'maybe'"),
        ("23:isResonance = perhaps", "is a flag"),
        ("23:spinType = 1.7", "23:spinType needs a whole number, not '1.7'"),
        ("111:0:meMode = 1.5", "needs a whole number"),
        ("111:0:bRatio = all", "needs a number"),
        (
            "MultipartonInteractions:reuseInit = 3",
            "other values of the parameters, without a word; take this line",
        ),
        ("StringZ:aLund", "expected 'NAME = VALUE'"),
        ("StringZ:aLund = nan", "needs a number, not 'nan'"),
        (
            "Random:seed = 5",
            "every run has a seed of its own, .* 'Random:seed = 5'; take this line away, .*`scan.seed`",
        ),
        ("random:setSeed=on", "every run has a seed of its own"),
    ],
)
def test_bad_settings_are_refused_with_their_place(line, message):
    with pytest.raises(InputError, match=message) as caught:
        check_settings([*LEP, line])
    assert "generator.settings[7]" in str(caught.value)


def ranges_with(settings, *names):
    return check_ranges(dict.fromkeys(names, (0.2, 0.21)), check_settings(settings))


def test_ranges_are_checked_and_values_before_tuning_found():
    names = ("StringZ:aLund", "TimeShower:alphaSvalue")
    assert ranges_with(LEP, *names) == {"StringZ:aLund": 0.68, "TimeShower:alphaSvalue": 0.1365}
    assert ranges_with(["stringz:alund = 0.4"], "StringZ:aLund") == {"StringZ:aLund": 0.4}


def test_settings_that_change_others_are_reflected():
    # Tune:ee = 3 is the tune to LEP 1 data by Hoeth of 2009: its values stand in Pythia's manual, "Tunes"
    names = ("StringZ:aLund", "StringPT:sigma", "TimeShower:alphaSvalue")
    assert ranges_with([*LEP, "Tune:ee = 3"], *names) == {
        "StringZ:aLund": 0.3,
        "StringPT:sigma": 0.304,
        "TimeShower:alphaSvalue": 0.1383,
    }
    # the later line wins, as in Pythia
    assert ranges_with(["Tune:ee = 3", "StringZ:aLund = 0.5"], "StringZ:aLund") == {"StringZ:aLund": 0.5}
    assert ranges_with(["StringZ:aLund = 0.5", "Tune:ee = 3"], "StringZ:aLund") == {"StringZ:aLund": 0.3}


@pytest.mark.parametrize(
    ("name", "box", "message"),
    [
        ("StringZ:aLund", (0.0, 3.0), r"parameters.StringZ:aLund.high: .* outside Pythia's range \[0, 2\]"),
        ("StringZ:bLund", (0.0, 1.0), r"parameters.StringZ:bLund.low"),
        ("PartonLevel:MPI", (0.0, 1.0), "is a flag, not a real number"),
        ("StringZ:alund2", (0.0, 1.0), "no setting"),
    ],
)
def test_bad_ranges_are_refused(name, box, message):
    with pytest.raises(InputError, match=message):
        check_ranges({name: box}, check_settings(LEP))


def test_a_default_must_be_in_pythias_range_too():
    catalogue, box = check_settings(LEP), {"StringZ:aLund": (0.2, 0.6)}
    # outside the range that is varied it may be
    assert check_ranges(box, catalogue, defaults={"StringZ:aLund": 0.9}) == {"StringZ:aLund": 0.9}
    with pytest.raises(InputError, match=r"^parameters.StringZ:aLund.default: .*aLund = 2.5 is outside .*\[0, 2\]"):
        check_ranges(box, catalogue, defaults={"StringZ:aLund": 2.5})


def test_a_setting_is_varied_once():
    with pytest.raises(InputError, match=r"parameters.stringz:alund: the same setting as StringZ:aLund"):
        ranges_with(LEP, "StringZ:aLund", "stringz:alund")


FRAMES = [
    ("Beams:frameType = 1", "Beams:eCM = 91.2"),
    ("Beams:frameType = 2", "Beams:eA = 60", "Beams:eB = 34.5"),
    ("Beams:frameType = 3", "Beams:pxA = 3", "Beams:pzA = 45.6", "Beams:pyB = 0.5", "Beams:pzB = -44"),
]


@pytest.mark.parametrize("frame", FRAMES)
def test_the_beams_are_those_of_the_run(frame):
    lines = [line for line in LEP if "eCM" not in line]
    beams = check_settings([*lines, *frame]).beams()
    run = PythiaRun([*lines, *frame], 1)
    assert beams is not None
    assert beams.codes == run.beams == (11, -11)
    assert beams.energy == pytest.approx(run.energy, rel=1e-9)


def test_beams_of_a_file_are_not_known():
    assert check_settings(["Beams:frameType = 4", "Beams:LHEF = events.lhe"]).beams() is None


def test_catalogue_lists_a_group():
    names = {s.name: s for s in Catalogue().beginning_with("StringZ:")}
    assert names["StringZ:bLund"].default == pytest.approx(0.98)
    assert (names["StringZ:bLund"].low, names["StringZ:bLund"].high) == (0.2, 2.0)


def test_a_default_is_what_a_fresh_pythia_has():
    # the table of 8.317 says off, and the tune that every instance reads first switches it on
    fresh = pythia8mc.Pythia("", False)
    assert fresh.settings.flag("StringZ:useOldAExtra")
    catalogue = check_settings([*LEP, "StringZ:aLund = 0.4"])
    assert catalogue.find("StringZ:useOldAExtra", "").default is True
    found = catalogue.find("StringZ:aLund", "")
    assert (found.default, found.now) == (0.68, 0.4)
    assert all(s.default == s.now for s in Catalogue().beginning_with(""))


def test_events_conserve_momentum_and_are_reproducible_alone():
    def make(seed, n):
        return list(PythiaRun(LEP, seed).batches(n))

    first, again = make(7, 450), make(7, 450)
    assert [len(b) for b in first] == [400, 50]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.px, two.px)
    batch = first[0]
    event = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
    final = batch.status == 1
    energy = np.bincount(event[final], batch.e[final])
    np.testing.assert_allclose(energy, 91.2, rtol=1e-6)
    for component in (batch.px, batch.py, batch.pz):
        np.testing.assert_allclose(np.bincount(event[final], component[final]), 0.0, atol=1e-4)
    assert not np.array_equal(make(8, 200)[0].px[:50], batch.px[:50])


def test_charged_multiplicity_at_the_z():
    # Pythia 8.317 with K0S decayed: 20.5 (a fact of the generator); 2000 events know the mean to 0.14
    events, charged = 0, 0.0
    for batch in PythiaRun(LEP, 3).batches(2000):
        final = np.abs(batch.id[batch.status == 1])
        charged += np.isin(final, (11, 13, 211, 321, 2212, 3112, 3222, 3312, 3334)).sum()
        events += len(batch)
    assert charged / events == pytest.approx(20.5, abs=0.6)


def test_a_refusal_is_one_error(capfd):
    with pytest.raises(ComputationError, match=r"refuses 'No:such = 1'.*not found"):
        PythiaRun([*LEP, "No:such = 1"], 1)
    with pytest.raises(ComputationError, match="cannot start"):
        PythiaRun(["Beams:idA = 11", "Beams:idB = 11", "Beams:eCM = 91.2"], 1)
    assert capfd.readouterr().out == ""


REFUSALS = [
    (["No:such = 1"], "Pythia refuses 'No:such = 1': input string not found in settings databases"),
    (["23:foo = 3"], "Pythia refuses '23:foo = 3': input property not found in Particle Data Table"),
    (
        ["WeakSingleBoson:ffbar2gmZ = off"],
        "Pythia cannot start with these settings: no process switched on; processLevel initialization failed",
    ),
    (
        ["23:onMode = off"],
        "Pythia cannot start with these settings: all processes have vanishing cross sections; "
        "processLevel initialization failed",
    ),
    # the user's wish for silence does not take the reason away
    (
        ["Print:quiet = on", "Beams:frameType = 4", "Beams:LHEF = nowhere.lhe"],
        "Pythia cannot start with these settings: Les Houches Event File not found",
    ),
]


@pytest.mark.parametrize(("lines", "message"), REFUSALS)
def test_the_reason_is_pythias_own_without_its_scraps(lines, message, capfd):
    with pytest.raises(ComputationError) as caught:
        PythiaRun([*LEP, *lines], 1)
    assert str(caught.value) == message
    assert capfd.readouterr().out == ""


def test_a_run_that_makes_no_event_says_why(tmp_path):
    (tmp_path / "none.lhe").write_text(
        '<LesHouchesEvents version="1.0">\n<init>\n11 -11 45.6 45.6 0 0 0 0 3 1\n1.0 0.01 1.0 1\n</init>\n'
        "</LesHouchesEvents>\n"
    )
    run = PythiaRun(["Beams:frameType = 4", f"Beams:LHEF = {tmp_path}/none.lhe", "PDF:lepton = off"], 1)
    with pytest.raises(ComputationError, match=r"makes no events with these settings: reached end of Les Houches"):
        list(run.batches(400))


#: asks for the fingerprint of a run of Pythia, then for that of a command
ASKING = """
from sbitune.data.errors import InputError
from sbitune.generators.config import CommandConfig, PythiaConfig
from sbitune.generators.campaigns.runs import Task, fingerprint
for config in (PythiaConfig(("Beams:eCM = 91.2",), ("X",)), CommandConfig("true", "out.yoda")):
    try:
        print(len(fingerprint(Task("0", config, {"a": 1.0}, 1, 1, "."))))
    except InputError as error:
        print(error)
"""


def test_where_pythia_is_not_installed_one_sentence_says_so(tmp_path):
    # all packages of this environment but Pythia
    for folder in {Path(metadata.distribution(name).locate_file("")) for name in ("numpy", "pythia8mc")}:
        for item in folder.iterdir():
            if not item.name.startswith("pythia8"):
                (tmp_path / item.name).symlink_to(item)
    places = os.pathsep.join([str(Path(sbitune.__file__).parents[1]), str(tmp_path)])
    command = [sys.executable, "-S", "-c", ASKING]
    found = subprocess.run(command, env=os.environ | {"PYTHONPATH": places}, capture_output=True, text=True)
    assert found.stderr == ""
    refused, made = found.stdout.splitlines()
    assert refused == 'Pythia 8 is not installed; run: pip install "sbitune[pythia]"'
    assert int(made) > 0
