"""`sbitune profile`: the objective along a parameter, or around two."""

import click

from sbitune.cli.shared.common import (
    Figures,
    TerminalReporter,
    check_table_or_picture,
    counted,
    reports,
    table_or_picture,
)


@click.command("profile")
@click.argument("card")
@click.argument("name")
@click.argument("other", required=False, metavar="[NAME2]")
@click.option(
    "--points",
    type=counted(3, 10_000_000),
    help="Of the profile, or on every contour.  [default: 21 or 48]",
)
@click.option("--range", "ends", type=(float, float), metavar="LOW HIGH", help="Of the profile; default: 3 errors.")
@table_or_picture
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    name: str,
    other: str | None,
    points: int | None,
    ends: tuple[float, float] | None,
    output: tuple[str, ...],
) -> Figures:
    """Minimise the objective of CARD's fit over all other parameters: with NAME at points up to three errors from the
    tune (`delta` is 1 at one standard error), or, with NAME2, along the contours that hold 68 and 95 %.

    Example: sbitune profile tunes/lep StringZ:aLund -o profile.svg -o profile.csv
    """
    from sbitune.cli.shared.fits import contours_of, profile_of, write_drawn
    from sbitune.data.errors import InputError
    from sbitune.workflow.cardfit import open_fit

    check_table_or_picture(output)
    _, family, found = open_fit(card, "profile", reporter)
    if other is None:
        drawn = profile_of(found.problem, found.fit, name, points or 21, ends)
    else:
        if ends:
            raise InputError("--range: it is that of the profile of one parameter")
        drawn = contours_of(
            found.problem, found.fit, (name, other), points or 48, "tune" if family.name == "tune" else "fit"
        )
    for note in drawn.figures["notes"]:
        reporter.say(note)
    for place in output:
        write_drawn(place, drawn)
    return drawn.figures | {"output": list(output)}
