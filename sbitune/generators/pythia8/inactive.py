"""Why a parameter of Pythia changes nothing: settings under which groups of others are not used.

The settings and what they switch are those of Pythia 8.317's manual. The table only explains: whether a parameter acts
is found from events (`sbitune.generators.campaigns.effects`).
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sbitune.generators.pythia8.catalogue import Catalogue


class _Switch(NamedTuple):
    names: str  #: regular expression of the settings that are not used, in small letters
    by: str  #: the setting that decides
    off: Callable[[Any], bool]  #: whether they are not used at a value of it
    words: str  #: what holds then


def _is_off(value: Any) -> bool:
    return not value


def _other_than(*used: int) -> Callable[[Any], bool]:
    return lambda value: value not in used


_SWITCHES = (
    _Switch(
        "(time|space)shower:",
        "PartonShowers:model",
        _other_than(1),
        "another shower is used, whose settings begin with Vincia: (2) or Dire: (3)",
    ),
    _Switch("vincia:", "PartonShowers:model", _other_than(2), "Vincia's showers are used with 2 only"),
    _Switch("dire", "PartonShowers:model", _other_than(3), "Dire's showers are used with 3 only"),
    _Switch("(time|space)shower:|vincia:|dire", "PartonLevel:all", _is_off, "there are no parton showers"),
    _Switch("timeshower:", "PartonLevel:FSR", _is_off, "there is no final-state shower"),
    _Switch("spaceshower:", "PartonLevel:ISR", _is_off, "there is no initial-state shower"),
    _Switch("multipartoninteractions:", "PartonLevel:MPI", _is_off, "there are no multiparton interactions"),
    _Switch("multipartoninteractions:core", "MultipartonInteractions:bProfile", _other_than(2), "only 2 has a core"),
    _Switch("multipartoninteractions:exppow", "MultipartonInteractions:bProfile", _other_than(3), "only 3 uses it"),
    _Switch("multipartoninteractions:a1", "MultipartonInteractions:bProfile", _other_than(4), "only 4 uses it"),
    _Switch("colourreconnection:", "ColourReconnection:reconnect", _is_off, "colours are not reconnected"),
    _Switch("colourreconnection:range", "ColourReconnection:mode", _other_than(0), "only model 0 uses it"),
    _Switch(
        "colourreconnection:(m0|junctioncorrection|timedilation.*|mpseudo)",
        "ColourReconnection:mode",
        _other_than(1),
        "only model 1 uses it",
    ),
    _Switch(
        "colourreconnection:(m2lambda|fracgluon|dlambdacut)",
        "ColourReconnection:mode",
        _other_than(2),
        "only model 2 uses it",
    ),
    _Switch(
        "colourreconnection:(fragmentationtime|rhadron|blowr|blowt|ki)",
        "ColourReconnection:mode",
        _other_than(3, 4),
        "only models 3 and 4 use it",
    ),
    _Switch("beamremnants:primordial", "BeamRemnants:primordialKT", _is_off, "beams have no primordial kT"),
    _Switch("(mini)?string|fragmentation|hadronlevel:", "HadronLevel:all", _is_off, "nothing is hadronised"),
    _Switch("(mini)?string|fragmentation", "HadronLevel:Hadronize", _is_off, "nothing is hadronised"),
    _Switch("boseeinstein:", "HadronLevel:BoseEinstein", _is_off, "there are no Bose-Einstein effects"),
    _Switch("partonvertex:", "PartonVertex:setVertex", _is_off, "partons have no places"),
    _Switch("ropewalk:", "Ropewalk:RopeHadronization", _is_off, "strings form no ropes"),
    _Switch("stringz:[ab]lund", "StringZ:deriveLundPars", bool, "Pythia derives it from StringZ:avgZLund and its like"),
    _Switch("stringz:(avg|rms)zlund", "StringZ:deriveLundPars", _is_off, "nothing is derived from it"),
    _Switch("stringz:[ab]nonstandardc", "StringZ:useNonstandardC", _is_off, "it is not used"),
    _Switch("stringz:[ab]nonstandardb", "StringZ:useNonstandardB", _is_off, "it is not used"),
    _Switch("stringz:[ab]nonstandardh", "StringZ:useNonstandardH", _is_off, "it is not used"),
    _Switch("stringz:epsilonc", "StringZ:usePetersonC", _is_off, "it is not used"),
    _Switch("stringz:epsilonb", "StringZ:usePetersonB", _is_off, "it is not used"),
    _Switch("stringz:epsilonh", "StringZ:usePetersonH", _is_off, "it is not used"),
    _Switch("stringz:rfactc", "StringZ:usePetersonC", bool, "Peterson's function is used for charm"),
    _Switch("stringz:rfactb", "StringZ:usePetersonB", bool, "Peterson's function is used for bottom"),
    _Switch("stringz:aextra", "StringZ:useOldAExtra", _is_off, "StringZ:facALund... are used in its place"),
    _Switch("stringz:facalund", "StringZ:useOldAExtra", bool, "StringZ:aExtra... are used in its place"),
    _Switch("stringflav:popcorns", "StringFlav:popcornRate", _is_off, "there are no popcorn mesons"),
    _Switch("stringflav:(light|heavy)leadingbsup", "StringFlav:suppressLeadingB", _is_off, "it is not used"),
)
#: what needs hadrons that collide
_HADRONIC = re.compile(
    "(multipartoninteractions|colourreconnection|beamremnants|spaceshower|sigma(total|elastic|diffractive)|diffraction)"
    "|pdf:(p|pom|pi)set"
)
_LEPTONS = range(11, 19)


def reason_inactive(name: str, catalogue: Catalogue) -> str:
    """Why a parameter changes nothing with the settings that `catalogue` has read, in words; nothing if not known."""
    key = name.lower()
    for switch in _SWITCHES:
        if re.match(switch.names, key):
            value = catalogue.find(switch.by, "").now
            if switch.off(value):
                said = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else f"{value:g}"
                return f"with {switch.by} = {said} {switch.words}"
    beams = catalogue.beams()
    if beams is not None and _HADRONIC.match(key) and all(abs(code) in _LEPTONS for code in beams.codes):
        return "no hadrons collide, so that there are no multiparton interactions, remnants or colours to reconnect"
    reference = catalogue.find("MultipartonInteractions:ecmRef", "").now
    if key == "multipartoninteractions:ecmpow" and beams is not None and beams.energy == reference:
        return f"it acts at other energies than MultipartonInteractions:ecmRef = {reference:g} GeV"
    return ""


def switches() -> tuple[str, ...]:
    """The settings that are asked."""
    return tuple(dict.fromkeys(switch.by for switch in _SWITCHES))
