"""`sbitune inverse`: from bins to parameters, beside the direct fit."""

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("inverse")
@click.argument("card")
@click.option(
    "--holdout", type=click.Path(), help="File with runs of the scan, one a line (or JSON), on which to calibrate, too."
)
@click.option("--points", type=counted(100, 10_000_000), help="Points in the box to train on.  [default: 20000]")
@click.option("--steps", type=counted(1, 10_000_000), help="Steps of training, at most.  [default: 2000]")
@click.option("--members", type=counted(2, 1000), help="Flows in the ensemble.  [default: 4]")
@click.option("--layers", type=counted(1, 100), help="Autoregressive layers of every flow.  [default: 3]")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    holdout: str | None,
    points: int | None,
    steps: int | None,
    members: int | None,
    layers: int | None,
    seed: int,
) -> Figures:
    """Train a density of the parameters given the bins on what CARD's surrogate predicts all over the box, with the
    errors of data and surrogate, ask it for the measured bins and compare with the fit. Says first if the data are
    unlike anything that the scan produces. Writes work/inverse.npz and inverse.yaml, which `sbitune report` shows.
    With --holdout such a model is made without these runs, too, for measurements with their Monte Carlo errors besides
    those of the data, and it is counted how often its posteriors hold the parameters that a run was made with.

    Example: sbitune inverse tunes/lep
    """
    import msgspec

    from sbitune.cli.shared.scans import known_runs, run_names
    from sbitune.tuning.card import load_card
    from sbitune.tuning.inverse.config import InverseConfig
    from sbitune.tuning.inverse.stage import invert
    from sbitune.tuning.stages.fitted import read_fitted

    given = {"points": points, "steps": steps, "members": members, "layers": layers}
    config = msgspec.structs.replace(InverseConfig(), **{name: n for name, n in given.items() if n is not None})
    fitted = read_fitted(load_card(card), reporter)
    held = known_runs(fitted.scan, run_names(holdout)) if holdout else ()
    record = invert(seed, fitted, config, reporter, held)
    for note in record.notes:
        reporter.say(note)
    return {
        "parameters": {name: msgspec.structs.asdict(row) for name, row in record.parameters.items()},
        "inside": record.inside,
        "bins_out_of_reach": len(record.bins_out_of_reach),
        "calibration": msgspec.to_builtins(record.calibration),
        "calibration_on_runs": msgspec.to_builtins(record.calibration_on_runs),
        "notes": record.notes,
        "output": str(fitted.loaded.output("inverse.yaml")),
    }
