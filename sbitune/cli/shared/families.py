"""Commands of tunes that serve cards of other families, too."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from sbitune.cli.shared.common import Figures, TerminalReporter


def other_family(places: Sequence[str], stage: str) -> Callable[[TerminalReporter], Figures] | None:
    """What a family does in place of a tune, if its card is the only place; None for all else, and for cards of
    families without this stage.

    Raises `InputError` for options beside such a card: it says everything.
    """
    from sbitune.data.errors import InputError
    from sbitune.workflow.opening import is_card, open_with_family

    if len(places) > 1 or not is_card(places[0]):
        return None
    loaded, family = open_with_family(Path(places[0]))
    found = None if family.name == "tune" else family.stage(stage)
    if found is None:
        return None
    context = click.get_current_context()
    arguments = {p.name for p in context.command.params if isinstance(p, click.Argument)}
    given = [
        f"--{name.replace('_', '-')}"
        for name in sorted(context.params)
        if name not in ("as_json", *arguments)
        and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise InputError(
            f"{', '.join(given)}: the card {loaded.path} of the family {family.name} says everything; these options "
            "are for a tune",
            code="card-option-of-tune",
        )
    return partial(found, loaded)
