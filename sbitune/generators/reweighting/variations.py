"""What is asked of Pythia, so that every event has the weights from which those at other values are recovered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sbitune.data.errors import InputError
from sbitune.data.text.names import list_names, nearest
from sbitune.generators.reweighting.forms import FORMS

#: groups of weights, at most: Pythia's time grows with the square of their number
_MOST = 100
#: without these weights are biased: at `zHead` 1 the mean weight is 1 and the multiplicity wrong by most of the shift
_NEEDED = {"VariationFrag:zHead": "5", "StringFlav:popcornRate": "0"}
_LIST = "VariationFrag:List"


@dataclass(frozen=True)
class Variations:
    """Values of parameters at which every event is given a weight, one parameter at a time."""

    values: tuple[tuple[str, tuple[float, ...]], ...]  #: setting of Pythia, and its values

    @classmethod
    def of(cls, values: Mapping[str, Sequence[float]]) -> "Variations":
        """Of values by the name of the setting.

        Raises `InputError` for a parameter that cannot be varied, too few values to recover its weight, or too many.
        """
        for name, found in values.items():
            if name not in FORMS:
                raise InputError(
                    f"{name}: there are no exact weights of this setting{nearest(name, FORMS)}; there are for "
                    f"{list_names(FORMS)}",
                    code="weights-no-form",
                )
            if len(set(found)) < FORMS[name].least:
                raise InputError(
                    f"{name}: {len(set(found))} values to vary it to, at least {FORMS[name].least} are needed to "
                    "recover its weight at others",
                    code="weights-too-few",
                )
        total = sum(map(len, values.values()))
        if total > _MOST:
            raise InputError(f"{total} variations; Pythia is slow with more than {_MOST}", code="weights-too-many")
        return cls(tuple((name, tuple(map(float, found))) for name, found in values.items()))

    def names(self, setting: str) -> list[str]:
        """Names of the weights of a parameter, as events have them: `weight[alund_0.48]`."""
        return [_name(setting, value) for value in dict(self.values)[setting]]

    def added_to(self, settings: Sequence[str]) -> tuple[str, ...]:
        """Lines for Pythia, with those that ask for the weights and make them right.

        Raises `InputError` if a line says something else of these.
        """
        wanted = {**_NEEDED, _LIST: self._spelt()}
        for line in settings:
            name, _, value = (part.strip() for part in line.partition("="))
            for key, needed in wanted.items():
                if name.lower() == key.lower() and not _same(value, needed):
                    raise InputError(
                        f"{line!r}: exact weights need {key} = {needed}; leave this line out, or do without weights",
                        code="weights-other-settings",
                    )
        return (*settings, *(f"{key} = {value}" for key, value in wanted.items()))

    def _spelt(self) -> str:
        parts = [
            f"{_name(setting, value)} frag:{FORMS[setting].keyword}={value!r}"
            for setting, values in self.values
            for value in values
        ]
        return "{" + ",".join(parts) + "}"


def _name(setting: str, value: float) -> str:
    """In small letters, as Pythia gives it back."""
    return f"{setting.rpartition(':')[2].lower()}_{value:g}"


def _same(value: str, needed: str) -> bool:
    try:
        return float(value) == float(needed)
    except ValueError:
        return value == needed
