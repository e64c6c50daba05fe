"""`sbitune eigentunes`: two tunes per direction of the errors."""

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("eigentunes")
@click.argument("card")
@click.option(
    "--coverage", multiple=True, type=click.FloatRange(0, 1, min_open=True, max_open=True), default=(0.68,),
    show_default=True, help="How often the truth is inside; can be given several times.",
)  # fmt: skip
@click.option(
    "--toys",
    type=counted(10),
    default=500,
    show_default=True,
    help="Toys that say how far to go.",
)
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False), help="Directory; default: eigentunes beside the card."
)
@reports
def command(
    reporter: TerminalReporter, card: str, coverage: tuple[float, ...], toys: int, seed: int, output: str | None
) -> Figures:
    """Follow the objective of CARD's fit along the eigenvectors of its covariance, both ways, until it has risen so far
    that toys hold the truth with the coverage asked for. Writes eigentune-1+.cmnd for the generator and
    eigentune-1+.yoda, what the surrogate predicts, for each, and eigentunes.yaml with all numbers.

    Example: sbitune eigentunes tunes/lep --coverage 0.68 --coverage 0.95 -o eigentunes
    """
    import jax

    from sbitune.fitting.binned.eigentunes import find_eigentunes
    from sbitune.fitting.checks.toys import ToyConfig
    from sbitune.tuning.card import load_card
    from sbitune.tuning.record.result import tune_of
    from sbitune.tuning.stages.fitted import read_fitted
    from sbitune.tuning.studies.eigenfiles import describe, write_eigentunes

    fitted = read_fitted(load_card(card), reporter)
    problem = fitted.problem
    tune = tune_of(fitted.record, problem.parameters)
    coverages = tuple(dict.fromkeys(coverage))
    found = find_eigentunes(jax.random.key(seed), problem, tune, toys, ToyConfig(errors=False), coverages, reporter)
    directory = output or str(fitted.loaded.output("eigentunes"))
    files = write_eigentunes(directory, fitted, found)
    for one in found:
        for note in one.notes:
            reporter.say(note)
    return {
        "coverages": [describe(one) for one in found],
        "eigentunes": {
            label if len(found) == 1 else f"{one.coverage:g} {label}": dict(
                zip(one.names, map(float, one.theta[i]), strict=True)
            )
            for one in found
            for i, label in enumerate(one.labels)
        },
        "files": len(files),
        "output": directory,
    }
