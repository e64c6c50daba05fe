"""What a tune of Pythia rests on beside its parameters: settings that another version may have other defaults of.

`StringFragmentation:stopMass` went from 1 to 0.8 between 8.315 and 8.316, and moved the multiplicities of a tune that
did not say it. Written down are the settings of showers, interactions, remnants and hadronisation that are used with
the card's lines, at their values there. Left to the reader are the process, beams, cuts and the particles that decay
(`ParticleDecays` limits), and the tables of particles.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sbitune.generators.config import Place, spell_key
from sbitune.generators.pythia8.catalogue import Setting
from sbitune.generators.pythia8.inactive import reason_inactive, switches
from sbitune.generators.pythia8.lines import check_settings

_GROUPS = (
    "PartonShowers:", "TimeShower:", "SpaceShower:", "WeakShower:", "Vincia:", "Dire", "MultipartonInteractions:",
    "BeamRemnants:", "ColourReconnection:", "SigmaProcess:", "SigmaTotal:", "SigmaDiffractive:", "SigmaElastic:",
    "Diffraction:", "PDF:pSet", "PDF:PomSet", "StandardModel:", "StringZ:", "StringPT:", "StringFlav:",
    "StringFragmentation:", "MiniStringFragmentation:", "Fragmentation:", "FragmentationSystems:", "HadronLevel:",
    "ClosePacking:", "Ropewalk:", "BoseEinstein:", "PartonVertex:", "ParticleDecays:",
)  # fmt: skip
#: what stands for other settings, belongs to a run, or says how far events are made and which particles are stable
_NOT = {
    "hadronlevel:all", "hadronlevel:hadronize", "hadronlevel:decay",
    "vincia:tune", "multipartoninteractions:reuseinit", "multipartoninteractions:initfile", "particledecays:limittau0",
    "particledecays:tau0max", "particledecays:limittau", "particledecays:taumax", "particledecays:limitradius",
    "particledecays:rmax", "particledecays:limitcylinder", "particledecays:xymax", "particledecays:zmax",
}  # fmt: skip


def fixed_settings(lines: Sequence[str], tuned: Collection[str], place: Place = spell_key) -> list[str]:
    """Lines `NAME = VALUE` of what a tune rests on, with the card's `lines`, without its parameters `tuned`.

    Raises `InputError` for lines that Pythia does not read, or where it is not installed.
    """
    catalogue = check_settings(lines, place)
    deciding = {name.lower() for name in switches()}
    left_out = {name.lower() for name in tuned} | _NOT
    found = []
    for setting in catalogue.beginning_with("", every=True):
        key = setting.name.lower()
        if key in left_out or not setting.name.startswith(_GROUPS):
            continue
        if key in deciding or not reason_inactive(setting.name, catalogue):
            found.append(setting)
    return [f"{setting.name} = {_said(setting)}" for setting in found if _is_line(setting)]


def _is_line(setting: Setting) -> bool:
    """Whether the value can be read back: words that are empty cannot."""
    return setting.now not in ("", [])


def _said(setting: Setting) -> str:
    """A value as Pythia reads it back to the last bit."""
    if isinstance(setting.now, list):
        return "{" + ",".join(_one(value) for value in setting.now) + "}"
    return _one(setting.now)


def _one(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return repr(value) if isinstance(value, float) else str(value)
