"""`sbitune train`: learn how every bin responds to the parameters."""

import time
from pathlib import Path
from typing import Any

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, reports
from sbitune.cli.shared.families import other_family
from sbitune.cli.shared.scans import card_at, kind_options, of_combination, parted, reading_options, surrogate_config


@click.command("train")
@click.argument("scan", nargs=-1, required=True)
@kind_options
@click.option("--holdout", type=click.Path(), help="File with the names of runs to hold out, one a line (or JSON).")
@click.option(
    "--combination",
    metavar="FILE:LINE",
    help="Learn from the runs of one line, counted from 0, of a file of `runcombs`.",
)
@reading_options
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the trained surrogate (.npz).")
@reports
def command(
    reporter: TerminalReporter,
    scan: tuple[str, ...],
    kind: str | None,
    order: str | None,
    per_bin: bool,
    scale: str | None,
    holdout: str | None,
    combination: str | None,
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
    seed: int,
    output: str | None,
) -> Figures:
    """Train a surrogate on SCAN: a card's directory, a directory of runs (Professor's layout) or of MCNNTunes' YODA
    files, a scan.npz or an Apprentice HDF5 file; several are joined. A card of another family than a tune trains what
    it asks for.

    With --holdout the named runs are predicted, not trained on: rms_pull is the rms of (prediction - MC)/MC error over
    held-out runs and bins, pull_width the same with the surrogate's own error in quadrature.

    Example: sbitune train my-scan --kind polynomial --order 3 --holdout runs.txt
    """
    import jax

    from sbitune.data.storage.files import check_suffix
    from sbitune.tuning.stages.training import train_stage
    from sbitune.tuning.surrogates.choice.choice import train_chosen
    from sbitune.tuning.surrogates.description import describe, describe_choice
    from sbitune.tuning.surrogates.heldout.evaluation import evaluate
    from sbitune.tuning.surrogates.storage import save_surrogate

    other = other_family(scan, "train")
    if other is not None:
        return other(reporter)
    loaded = card_at(scan)
    config = surrogate_config(loaded, kind, order, per_bin, scale)
    if output:
        check_suffix(output, (".npz",))
    whole, used, held = parted(scan, config, holdout, weights, bad_runs, bad_bins, reporter.say)
    if combination:
        used = of_combination(used, combination, config)
    clock, choice = time.process_time(), None
    if loaded is not None and kind is None and used is whole:
        surrogate = train_stage(loaded, used, reporter)  # kept in work/, where `sbitune fit` finds it
    else:
        surrogate, choice = train_chosen(jax.random.key(seed), used, config, reporter)
    figures: Figures = {
        "runs": len(used.runs),
        "parameters": len(used.parameters),
        "bins": len(used.bins),
        "cpu_seconds": time.process_time() - clock,
    }
    figures |= describe(surrogate) | describe_choice(choice)
    if held is not None:
        found = evaluate(surrogate, held)
        figures |= {
            "holdout_runs": len(held.runs),
            "rms_pull": found.rms_pull,
            "pull_width": found.pull_width,
            "relative_error": found.relative_error,
            "pulls": found.n_pulls,
            "pulls_without_mc_error": found.n_excluded,
        }
    if output:
        save_surrogate(Path(output), surrogate, used.runs)
        figures["output"] = output
    return figures
