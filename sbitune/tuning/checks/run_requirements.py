"""Are there enough runs for what is to be learnt from them?"""

from sbitune.data.errors import InputError
from sbitune.tuning.surrogates.kindconfig import SurrogateSection


def check_run_requirements(
    surrogate: SurrogateSection, runs: int, dimensions: int, where: str, more: str = "raise scan.runs"
) -> None:
    """Refuse a number of runs from which a surrogate could not be learnt.

    Args:
        surrogate: what is to be learnt.
        runs: number of runs to learn from, held-out ones not counted.
        dimensions: number of parameters.
        where: place of the scan, for the message.
        more: how to get more runs, for the message.

    Raises:
        InputError: with the number of runs that is needed.
    """
    try:
        required = list(surrogate.run_requirements(dimensions))
    except InputError as error:  # no number of runs would do
        raise InputError(f"{where}: {error}") from error
    for one in required:
        if runs < one.runs:
            raise InputError(
                f"{where}: {one.what.format(runs=runs)}; {more}{one.remedy}", code="surrogate-too-few-runs"
            )
