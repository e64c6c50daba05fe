"""Before a scan: parameters that change no event of Pythia are refused, since a fit would quote values of them.

What was found is kept in `work/effects.json` under a key of all that it depends on, so that it is found once.
"""

import json
from functools import partial

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes
from sbitune.data.storage.sealed import DamagedError, write_sealed
from sbitune.generators.campaigns.effects import ALL, FIRST, Effects, find_effects
from sbitune.generators.config import PythiaConfig
from sbitune.generators.pythia8.inactive import reason_inactive
from sbitune.generators.pythia8.lines import check_settings
from sbitune.generators.pythia8.printed import pythia_version
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.results.sealednotes import read_note

#: raised when it is found in another way
_FORMAT = 1


class _Note(msgspec.Struct, frozen=True):
    """`work/effects.json`: `Effects`, and the key of what they depend on."""

    key: str
    without: tuple[str, ...]
    unknown: dict[str, str]


def check_effects(loaded: ScanCardFile, reporter: Reporter = QUIET) -> None:
    """Compare events of one seed at the ends of every range with those in the middle.

    Of other generators than Pythia nothing can be said; there the bins judge.

    Raises:
        InputError: with file and line, for parameters that change none of 500 events and that the card does not except.
    """
    card = loaded.card
    if not isinstance(card.generator, PythiaConfig):
        return
    ranges = {name: (p.low, p.high) for name, p in card.parameters.items()}
    tried = [name for name, p in card.parameters.items() if p.check_effect]
    found = _find(loaded, card.generator, ranges, tried, reporter)
    for name, reason in found.unknown.items():
        reporter.say(f"whether {name} has an effect could not be tried: {reason}")
    if found.without:
        raise _refusal(loaded, card.generator, found.without)


def _find(
    loaded: ScanCardFile,
    generator: PythiaConfig,
    ranges: dict[str, tuple[float, float]],
    tried: list[str],
    reporter: Reporter,
) -> Effects:
    """What is known of these parameters from before, or is found now."""
    made_of = [_FORMAT, FIRST, ALL, pythia_version(), generator.settings, ranges, tried]
    key, path = hash_bytes(json.dumps(made_of).encode()), loaded.work / "effects.json"
    if path.is_file():
        try:
            noted = read_note(path, _Note, "what is known of the parameters' effects")
        except DamagedError as error:
            reporter.say(f"{error}; they are tried again")
        else:
            if noted.key == key:
                return Effects(noted.without, noted.unknown)
    if not tried:
        return Effects((), {})
    found = find_effects(
        generator, ranges, tried, loaded.card.scan.time_limit, partial(reporter.progress, "parameters tried")
    )
    write_sealed(path, {"key": key, **found._asdict()})
    return found


def _refusal(loaded: ScanCardFile, generator: PythiaConfig, without: tuple[str, ...]) -> InputError:
    """The error that names the parameters and, where they are known, the reasons."""
    catalogue = check_settings(generator.settings, loaded.place)
    lines = []
    for name in without:
        p, reason = loaded.card.parameters[name], reason_inactive(name, catalogue)
        lines.append(
            f"{loaded.place('parameters', name)}: {name} changes nothing: {ALL} events of one seed are equal at "
            f"{p.low:g}, in the middle and at {p.high:g}" + (f"; {reason}" if reason else "")
        )
    what = "it" if len(without) == 1 else "them"
    return InputError("\n".join(lines) + f"\nTake {what} away, or scan {what} all the same with `check_effect: false`")
