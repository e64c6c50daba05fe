"""What a surrogate is, for results and reports."""

from collections.abc import Mapping
from typing import Any

from sbitune.tuning.surrogates.choice.judge import Choice
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.registry import surrogate_of

#: observables of a block that are named
_SHOWN = 4
#: observables that are named, at most
_NAMED = 5


def describe(surrogate: TrainedSurrogate) -> dict[str, Any]:
    """Kind and size of a surrogate as plain numbers and words.

    `median_chi2_per_ndf` is that over bins, `components_median_chi2_per_ndf` that over components where these are
    learnt.
    """
    return surrogate.describe()


def describe_choice(choice: Choice | None) -> dict[str, Any]:
    """The table of an automatic choice; empty if there was none."""
    if choice is None:
        return {}
    rows = [
        {name: value for name, value in score._asdict().items() if name != "observables"} for score in choice.scores
    ]
    worst = [row._asdict() for row in choice.scores[0].observables[:_NAMED]]
    return {"chosen": choice.reason, "held_out_runs": choice.runs, "choice": rows, "worst_observables": worst}


def in_words(about: Mapping[str, Any]) -> str:
    """A few sentences on a surrogate that `describe` described. Raises `InputError` naming a kind that is not known."""
    if "blocks" in about:
        return ". ".join(_of_block(block, len(about["blocks"])) for block in about["blocks"])
    return surrogate_of(about["kind"]).in_words(about)


def _of_block(about: Mapping[str, Any], blocks: int) -> str:
    few = ", ".join(about["observables"][:_SHOWN]) + (", ..." if len(about["observables"]) > _SHOWN else "")
    known = " and ".join(about["parameters"])
    others = "" if blocks == 1 else "; no other bins were filled by the same events"
    return (
        f"{about['bins']} bins ({few}) have {about['measurements']} measurements, and are learnt as functions of "
        f"{known} alone{others}: {in_words(about)}"
    )
