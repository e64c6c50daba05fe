"""`sbitune closure`: are the errors true on runs of the generator that the surrogate has not seen?"""

from typing import Any

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, reports
from sbitune.cli.shared.scans import card_at, kind_options, parted, reading_options, surrogate_config


@click.command("closure")
@click.argument("scan", nargs=-1, required=True)
@click.option("--holdout", type=click.Path(), required=True, help="File with the runs to fit, one a line (or JSON).")
@kind_options
@reading_options
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@reports
def command(
    reporter: TerminalReporter,
    scan: tuple[str, ...],
    holdout: str,
    kind: str | None,
    order: str | None,
    per_bin: bool,
    scale: str | None,
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
    seed: int,
) -> Figures:
    """Train on SCAN without the held-out runs, fit each of these as if it were data, and compare with what it was made
    with: bias and width in units of the quoted errors, how often 68 % and 95 % intervals hold the truth, each with its
    standard error, for every parameter and over all. quoted68 and quoted95 count the intervals as they are quoted; the
    others know of limits within reach. For a card that is fitted, with its own surrogate, the figures go into
    result.yaml, too.

    Example: sbitune closure my-scan --holdout runs.txt --kind gaussian
    """
    import time

    import jax

    from sbitune.tuning.checks.closure import closure
    from sbitune.tuning.stages.fitted import keep_closure, read_fitted
    from sbitune.tuning.surrogates.choice.choice import train_chosen
    from sbitune.tuning.surrogates.description import describe, describe_choice
    from sbitune.tuning.surrogates.regression.noise import smooth_errors

    loaded = card_at(scan)
    config = surrogate_config(loaded, kind, order, per_bin, scale)
    whole, used, held = parted(scan, config, holdout, weights, bad_runs, bad_bins, reporter.say)
    assert held is not None
    clock = time.process_time()
    surrogate, choice = train_chosen(jax.random.key(seed), used, config, reporter)
    trained = time.process_time()
    rows = [whole.runs.index(run) for run in held.runs]
    found = closure(surrogate, held, smooth_errors(whole)[rows], reporter)
    own = kind is None and order is None and scale is None and not per_bin
    if loaded is not None and own and loaded.output("result.yaml").is_file():
        keep_closure(read_fitted(loaded), found)
    figures: Figures = {"train_cpu_seconds": trained - clock, "fit_cpu_seconds": time.process_time() - trained}
    return describe(surrogate) | describe_choice(choice) | figures | found.figures()
