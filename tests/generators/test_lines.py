"""What a card's lines mean to Pythia: what it holds after reading, and nothing that it drops or undoes unseen."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.generators.pythia8.catalogue import Catalogue
from sbitune.generators.pythia8.lines import check_settings, find_undone
from sbitune.generators.pythia8.spelling import VALUES

CATALOGUE = Catalogue()
LEP = ["Beams:idA = 11", "Beams:idB = -11", "Beams:eCM = 91.2"]
KEPT = [
    ("StringZ:aLund = 0.335", 0.335),
    ("StringZ:aLund=+.5", 0.5),
    ("StringZ:aLund = 5.e-1   ! a remark", 0.5),
    ("StringZ:aLund = 00.5 # another", 0.5),
    ("TimeShower:alphaSorder = 01", 1),
    ("PDF:lepton = OK", True),
    ("Beams:LHEF = a.lhe ! events", "a.lhe"),
    ("BeamRemnants:heavyQuarkEnhance = {1, 2.5 , 3e1}", [1.0, 2.5, 30.0]),
    ("BeamRemnants:heavyQuarkEnhance = 1,2.5", [1.0, 2.5]),
    ("Bottomonium:states(3S1) = {553, 100553}", [553, 100553]),
    ("Charmonium:gg2ccbar(3S1)[3S1(1)]g = on,off", [True, False]),
    ("EnhancedSplittings:List = {isr:Q2QA=50., fsr:Q2QA=5}", ["isr:Q2QA=50.", " fsr:Q2QA=5"]),
]


@pytest.mark.parametrize(("line", "value"), KEPT)
def test_plain_values_are_what_pythia_holds(line, value):
    assert check_settings([*LEP, line]).find(line.partition("=")[0].strip(), "").now == value


REFUSED = [
    ("StringZ:aLund = 0.3_35", r"StringZ:aLund needs a number, not '0.3_35', of which Pythia reads 0.3$"),
    ("StringZ:aLund = 1_0.", r"not '1_0.', of which Pythia reads 1$"),
    ("StringZ:aLund = 0,5", r"not '0,5', of which Pythia reads 0$"),
    ("StringZ:aLund = 1d-1", r"not '1d-1', of which Pythia reads 1$"),
    ("StringZ:aLund = 0.5 0.7", r"of which Pythia reads 0.5$"),
    ("StringZ:aLund = \uff10.5", r"needs a number"),
    ("StringZ:aLund = 0.5\nBeams:idA = 2212", r"needs a number"),
    ("TimeShower:alphaSorder = 1_0", r"needs a whole number, not '1_0', of which Pythia reads 1$"),
    ("PDF:lepton = on off", r"is a flag; write on or off, not 'on off'$"),
    ("Beams:LHEF = my events.lhe", r"needs one word without blanks"),
    ("Beams:LHEF = a=b.lhe", r"needs one word"),
    ("Beams:LHEF = {a", r"needs one word"),
    ("BeamRemnants:heavyQuarkEnhance = 1, 2", r"needs values with commas between them in braces, not '1, 2'$"),
    ("BeamRemnants:heavyQuarkEnhance = {1,", r"in braces, not '{1,'$"),
    ("BeamRemnants:heavyQuarkEnhance = {1_0, 2}", r"needs a number, not '1_0'$"),
    ("Bottomonium:states(3S1) = {1.5}", r"needs a whole number, not '1.5'$"),
    ("Charmonium:gg2ccbar(3S1)[3S1(1)]g = on,maybe", r"is a flag; write on or off, not 'maybe'$"),
    ("211:m0 = 0.1_4", r"211:m0 needs a number, not '0.1_4'$"),
    ("211:tau0 = 1d-5", r"needs a number"),
    ("111:name = my pi", r"needs one word"),
    ("111:oneChannel = 1 1_0. 0 22 22", r"111:oneChannel needs a number, not '1_0.'$"),
    ("111:addChannel = 1 0.1 0 22 x", r"needs a whole number, not 'x'$"),
    ("23:onIfAny = \uff11 2", r"needs codes of particles"),
    ("-211:mayDecay = on", r"for a remark, as it begins with no letter; write 211:mayDecay, which is the antiparticle"),
    ("Tune:pp = -1", r"Pythia refuses 'Tune:pp = -1': "),
    ("StringZ:aLund = " + "9" * 400, r"not '9{60}'\.\.\."),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_pythia_reads_as_something_else_is_refused(line, message):
    with pytest.raises(InputError, match=rf"^generator.settings\[3\]: .*{message}"):
        check_settings([*LEP, line])


def test_remarks_may_stand_between_lines():
    catalogue = check_settings(["! beams", *LEP, "  # that is all"])
    assert catalogue.find("Beams:eCM", "").now == 91.2


NAMES = {"parm": "StringZ:aLund", "mode": "TimeShower:alphaSorder", "flag": "PDF:lepton", "word": "Beams:LHEF"}
NAMES |= {"pvec": "BeamRemnants:heavyQuarkEnhance", "mvec": "Bottomonium:states(3S1)"}


@settings(deadline=None, max_examples=300)
@given(kind=st.sampled_from(sorted(NAMES)), text=st.text("0123456789+-._,eEdDxXonf{} \t=!#", max_size=8))
@example("parm", "1e-5")
@example("mode", "+01")
@example("pvec", "{1,,2}")
@example("mvec", " 1")
def test_no_value_is_taken_that_pythia_holds_otherwise(kind, text):
    name = NAMES[kind]
    try:
        meant = VALUES[kind](text)
        CATALOGUE.read(f"{name} = {text}", "line")
    except (ValueError, InputError):
        return
    held = CATALOGUE.find(name, "").now
    assert text == "" or held == meant, (name, text)


UNDONE = [
    (["Tune:ee = 3", "Tune:pp = 14"], "[0]: Tune:ee = 3 is undone by Tune:pp = 14 (generator.settings[1])", "0.6 in"),
    # Monash, said in full, is what a fresh Pythia has: that it is undone shows against others
    (["Tune:ee = 7", "Tune:pp = 5"], "[0]: Tune:ee = 7 is undone by Tune:pp = 5 (generator.settings[1])", "18 others"),
    (
        ["StringZ:aLund = 0.4", "Tune:ee = 3"],
        "[0]: StringZ:aLund = 0.4 is undone",
        "StringZ:aLund = 0.3 in place of 0.4",
    ),
    ([*LEP, "Beams:eCM = 200"], "[2]: Beams:eCM = 91.2 is undone", "Beams:eCM = 200 in place of 91.2"),
    (["Tune:pp = 14", "Tune:ee = 3"], None, None),  # what the manual recommends
    (["Tune:ee = 3", "StringZ:aLund = 0.4", "PDF:lepton = off"], None, None),
    (["Tune:ee = 7", "Tune:pp = 14"], None, None),  # the same values
]


@pytest.mark.parametrize(("lines", "start", "inside"), UNDONE)
def test_lines_that_later_ones_undo_are_named(lines, start, inside):
    found = find_undone(lines)
    if start is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(f"generator.settings{start}")
        assert inside in found[0]
