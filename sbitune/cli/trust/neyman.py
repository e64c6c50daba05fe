"""`sbitune neyman`: a confidence belt by toys, and the interval that it gives the data."""

import click

from sbitune.cli.shared.common import (
    SEEDS,
    Figures,
    TerminalReporter,
    check_table_or_picture,
    counted,
    reports,
    table_or_picture,
)

#: the belt reaches so many errors to either side
_REACH = 4.0


@click.command("neyman")
@click.argument("card")
@click.argument("name")
@click.option("--points", type=counted(2, 10_000), default=20, show_default=True, help="True values of NAME.")
@click.option("--range", "ends", type=(float, float), metavar="LOW HIGH", help="Of them; default: 4 errors.")
@click.option("--toys", type=counted(2), default=2000, show_default=True, help="At every point.")
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.6827, show_default=True,
    help="How often intervals hold the truth.",
)  # fmt: skip
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@table_or_picture
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    name: str,
    points: int,
    ends: tuple[float, float] | None,
    toys: int,
    level: float,
    seed: int,
    output: tuple[str, ...],
) -> Figures:
    """Throw toys at values of NAME, and say by the ordering of Feldman and Cousins which fitted values are accepted at
    each, and so which interval of NAME the data of CARD's fit have. Writes neyman.NAME.yaml beside the card; `sbitune
    report` puts it on the page.

    Example: sbitune neyman my-card mu --points 20 --toys 2000 -o belt.svg
    """
    import jax
    import numpy as np

    from sbitune.cli.shared.hypotheses import drawn_belt, finished
    from sbitune.fitting.hypotheses.neyman import neyman_belt
    from sbitune.workflow.cardfit import open_product
    from sbitune.workflow.results.hypotheses import belt_record, write_hypothesis

    check_table_or_picture(output)
    loaded, found, problem = open_product(card, "neyman", reporter)
    frame = problem.frame()
    i = frame.index(name)
    low, high = (float(frame.to_theta(end)[i]) for end in frame.limits.T)
    value, error = float(found.fit.values[i]), float(found.fit.quoted_errors[i]) or (high - low)
    first, last = ends or (max(low, value - _REACH * error), min(high, value + _REACH * error))
    places = np.linspace(first, last, points)
    belt = neyman_belt(jax.random.key(seed), problem, name, places, toys, level, found.fit, reporter)
    record = belt_record(belt, found.made_of, seed)
    reporter.say(str(belt))
    for note in record.notes:
        reporter.say(note)
    return finished(drawn_belt(record), write_hypothesis(loaded, record), output)
