"""`sbitune bootstrap`: the spread of refits."""

from typing import Any

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("bootstrap")
@click.argument("card")
@click.option("-n", "--number", type=counted(2), help="Refits.  [default: 200 of data, else 20]")
@click.option(
    "--of", type=click.Choice(["data", "runs", "jackknife", "combinations"]), default="data", show_default=True,
    help="Data that fluctuate; runs drawn with replacement; parts of the runs left out in turn; run combinations.",
)  # fmt: skip
@click.option("--leave-out", type=counted(1, 100_000), help="Runs that are missing in each combination.")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@reports
def command(
    reporter: TerminalReporter, card: str, number: int | None, of: Any, leave_out: int | None, seed: int
) -> Figures:
    """Fit CARD again with fluctuating data, or with its surrogate trained on other choices of its runs, and compare the
    spread of the values with the errors that are quoted for it: all of them for data, the surrogate's part for runs.
    A spread is known to a part 1/sqrt(2n - 2) of itself, the ratio likewise.

    Example: sbitune bootstrap tunes/lep --of combinations -n 20 --leave-out 40
    """
    from sbitune.tuning.card import load_card
    from sbitune.tuning.stages.fitted import read_fitted
    from sbitune.tuning.studies.refitting import bootstrap

    fitted = read_fitted(load_card(card), reporter)
    found = bootstrap(seed, fitted, of, number or (200 if of == "data" else 20), leave_out, reporter)
    for failure in found.failed:
        reporter.say(f"refit {failure.toy} failed: {failure.reason}")
    columns = (fitted.theta, found.mean, found.spread, found.quoted, found.ratio)
    return {
        "of": of,
        "refits": len(found.values),
        "failed": len(found.failed),
        "parameters": {
            name: dict(zip(("tune", "mean", "spread", "quoted", "ratio"), map(float, row), strict=True))
            for name, *row in zip(found.names, *columns, strict=True)
        },
    }
