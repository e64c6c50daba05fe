"""Whether a parameter acts is found from events, before a scan."""

import pytest
from helpers.campaigns import LEP

from sbitune.generators.campaigns.effects import find_effects
from sbitune.generators.config import PythiaConfig
from sbitune.generators.pythia8.catalogue import Catalogue
from sbitune.generators.pythia8.inactive import reason_inactive, switches
from sbitune.generators.pythia8.lines import check_settings

JETS = ("Beams:idA = 2212", "Beams:idB = 2212", "Beams:eCM = 7000", "HardQCD:all = on", "PhaseSpace:pTHatMin = 50")


def effects(settings, ranges, *tried, limit=600.0):
    return find_effects(PythiaConfig(tuple(settings), ("ANY",)), ranges, tried or tuple(ranges), limit)


def test_what_changes_no_event_is_found_and_what_does_is_kept():
    ranges = {
        "StringZ:bLund": (0.6, 1.4),  # derived from the mean z
        "StringZ:avgZLund": (0.5, 0.6),
        "MultipartonInteractions:pT0Ref": (2.0, 3.0),  # no hadrons collide
        "TimeShower:alphaSvalue": (0.13, 0.1301),  # a narrow range shows itself as a wide one does
        "StringZ:rFactB": (0.7, 0.9),  # acts in a fifth of the events
    }
    found = effects((*LEP, "StringZ:deriveLundPars = 1"), ranges)
    assert found == (("StringZ:bLund", "MultipartonInteractions:pT0Ref"), {})


@pytest.mark.slow
def test_another_shower_and_reconnection_without_hadrons():
    ranges = {"TimeShower:alphaSvalue": (0.12, 0.15), "StringZ:aLund": (0.5, 0.8), "Vincia:alphaSvalue": (0.11, 0.13)}
    assert effects((*LEP, "PartonShowers:model = 2"), ranges).without == ("TimeShower:alphaSvalue",)
    rare = {"ColourReconnection:range": (1.0, 3.0), "StringFlav:decupletSup": (0.9, 1.0)}
    assert effects(LEP, rare).without == ("ColourReconnection:range",)


@pytest.mark.slow
def test_hadron_beams_share_the_tables_of_their_multiparton_interactions():
    # without diffraction all interactions are at 7 TeV, where the power of the energy does nothing; the order of
    # alphaEM changes the tables as well as the events
    ranges = {
        "MultipartonInteractions:ecmPow": (0.1, 0.3),
        "MultipartonInteractions:pT0Ref": (2.0, 3.0),
        "StringPT:sigma": (0.3, 0.35),
    }
    assert effects(JETS, ranges) == (("MultipartonInteractions:ecmPow",), {})


def test_where_pythia_cannot_start_nothing_is_said_of_a_parameter():
    ranges = {"StringZ:aLund": (0.5, 0.8), "StringPT:sigma": (0.3, 0.35)}
    found = effects([line for line in LEP if "Weak" not in line], ranges, "StringZ:aLund")
    assert found.without == ()
    assert list(found.unknown) == ["StringZ:aLund"]
    assert found.unknown["StringZ:aLund"].startswith(
        "in the middle of all ranges: Pythia cannot start with these settings: no process switched on"
    )


def test_events_that_take_too_long_are_no_proof():
    found = effects(LEP, {"MultipartonInteractions:pT0Ref": (2.0, 3.0)}, limit=0.01)
    assert found.without == ()
    assert "time limit" in found.unknown["MultipartonInteractions:pT0Ref"]


REASONS = [
    (["PartonShowers:model = 2"], "TimeShower:alphaSvalue", "with PartonShowers:model = 2 another shower is used"),
    ([], "Vincia:alphaSvalue", "with PartonShowers:model = 1 Vincia's showers are used with 2 only"),
    (["StringZ:deriveLundPars = 1"], "stringz:blund", "with StringZ:deriveLundPars = 1 Pythia derives it"),
    ([], "MultipartonInteractions:pT0Ref", "no hadrons collide"),
    ([], "ColourReconnection:range", "no hadrons collide"),
    (["PartonLevel:FSR = off"], "TimeShower:pTmin", "with PartonLevel:FSR = off there is no final-state shower"),
    (["StringFlav:popcornRate = 0"], "StringFlav:popcornSpair", "with StringFlav:popcornRate = 0 there are no popcorn"),
    (["HadronLevel:all = off"], "StringPT:sigma", "with HadronLevel:all = off nothing is hadronised"),
    ([], "StringPT:sigma", ""),
]


@pytest.mark.parametrize(("lines", "name", "words"), REASONS)
def test_the_reason_is_told_where_it_is_known(lines, name, words):
    reason = reason_inactive(name, check_settings([*LEP, *lines]))
    assert reason.startswith(words)
    assert bool(reason) == bool(words)


def test_reasons_with_hadron_beams():
    catalogue = check_settings(JETS)
    assert reason_inactive("MultipartonInteractions:coreRadius", catalogue) == (
        "with MultipartonInteractions:bProfile = 3 only 2 has a core"
    )
    assert reason_inactive("MultipartonInteractions:ecmPow", catalogue) == (
        "it acts at other energies than MultipartonInteractions:ecmRef = 7000 GeV"
    )
    assert reason_inactive("MultipartonInteractions:pT0Ref", catalogue) == ""


def test_pythia_knows_the_settings_that_decide():
    catalogue = Catalogue()
    for name in switches():
        assert catalogue.find(name, "switch").name == name
