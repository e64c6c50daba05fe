"""`sbitune coverage`: are the errors true on toys of the model?"""

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("coverage")
@click.argument("card")
@click.option("--toys", type=counted(2), default=500, show_default=True, help="Number of toys.")
@click.option("--everywhere", is_flag=True, help="Throw toys all over the box instead of at the fit.")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@reports
def command(reporter: TerminalReporter, card: str, toys: int, everywhere: bool, seed: int) -> Figures:
    """Throw toys from CARD's model, with its errors and those of the data, fit each and compare with the truth:
    bias and width in units of the quoted errors, how often 68 % and 95 % intervals hold it.

    Example: sbitune coverage tunes/lep --toys 500
    """
    import time

    import jax

    from sbitune.fitting.checks.coverage import coverage_of_toys
    from sbitune.workflow.cardfit import open_fit

    _, family, opened = open_fit(card, "coverage", reporter)
    clock = time.process_time()
    theta = None if everywhere else opened.fit.values
    found = coverage_of_toys(jax.random.key(seed), opened.problem, theta, toys, reporter)
    keep = family.stage("coverage_kept")
    if not everywhere and keep is not None:
        keep(opened, found)
    return {"cpu_seconds": time.process_time() - clock} | found.figures()
