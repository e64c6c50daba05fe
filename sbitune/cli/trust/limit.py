"""`sbitune limit`: the upper limit of a parameter, and the significance of a signal."""

from typing import Any

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


@click.command("limit")
@click.argument("card")
@click.argument("name")
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
    help="Confidence of the limit.",
)  # fmt: skip
@click.option("--cls/--no-cls", "use_cls", default=True, show_default=True, help="CLs, or p_sb, is what excludes.")
@click.option(
    "--statistic", type=click.Choice(["q_tilde", "q"]), default="q_tilde", show_default=True,
    help="q_tilde: for a NAME that cannot be negative.",
)  # fmt: skip
@click.option("--toys", type=counted(0), default=0, show_default=True, help="With and without signal; 0: asymptotic.")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@table_or_picture
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    name: str,
    level: float,
    use_cls: bool,
    statistic: Any,
    toys: int,
    seed: int,
    output: tuple[str, ...],
) -> Figures:
    """Find the value of NAME that the data of CARD's fit exclude, with what is expected without signal where the
    background fluctuates by -2 .. 2 standard errors, and how significant a signal is (q0). Writes limit.NAME.yaml
    beside the card; `sbitune report` puts it on the page.

    Example: sbitune limit my-card mu --toys 2000 -o limit.svg
    """
    import jax

    from sbitune.cli.shared.hypotheses import drawn_limit, finished
    from sbitune.fitting.hypotheses.discovery import discovery
    from sbitune.fitting.hypotheses.exclusion import exclusions
    from sbitune.fitting.hypotheses.limits import scan_values, upper_limit
    from sbitune.workflow.cardfit import open_product
    from sbitune.workflow.results.hypotheses import limit_record, write_hypothesis

    check_table_or_picture(output)
    loaded, found, problem = open_product(card, "limit", reporter)
    keys = jax.random.split(jax.random.key(seed))
    limit = upper_limit(problem, name, level, statistic, use_cls, found.fit, keys[0], toys)
    scan = limit.tests if toys else exclusions(problem, name, scan_values(problem, limit), statistic, found.fit)
    nominal = {p.name: p.default for p in problem.parameters}[name]
    signal = discovery(problem, name, nominal if nominal and nominal > 0 else None, found.fit)
    by_toys = discovery(problem, name, None, found.fit, keys[1], toys) if toys else None
    record = limit_record(limit, signal, by_toys, scan, toys, found.made_of, seed)
    reporter.say(str(limit))
    for note in record.notes:
        reporter.say(note)
    return finished(drawn_limit(record), write_hypothesis(loaded, record), output)
