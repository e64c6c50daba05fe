"""`sbitune fit`: the parameters."""

from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, counted, reports


@click.command("fit")
@click.argument("card")
@click.option(
    "-r",
    "--reference",
    multiple=True,
    help="For a surrogate: YODA file, directory of them, Apprentice's data JSON, or measurement.",
)
@click.option("--weights", type=click.Path(), help="For a surrogate: weight file of Professor or Apprentice.")
@click.option("--limits", type=click.Path(), help="For a surrogate: limits file, NAME low high or NAME value (fixed).")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="For a surrogate: results.txt or result.yaml.")
@click.option(
    "--toys",
    type=counted(0),
    help="For a surrogate: toys that judge the fit.  [default: 100]",
)
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    reference: tuple[str, ...],
    weights: str | None,
    limits: str | None,
    output: str | None,
    toys: int | None,
) -> Figures:
    """Fit CARD's parameters to its data; of a tune to its reference, on the scan that is there, which writes
    result.yaml and tune.cmnd.

    In place of a card there may be a surrogate.npz or Professor's ipol.dat, with data and weights as prof2-tune takes
    them: sbitune fit ipol.dat -r data.yoda --weights weights.dat -o results.txt

    Example: sbitune fit tunes/lep
    """
    from sbitune.workflow.cardfit import need_stage
    from sbitune.workflow.opening import open_with_family

    if _is_surrogate(card):
        return _fit_surrogate(reporter, card, reference, weights, limits, output, toys)
    _refuse(reference=reference, weights=weights, limits=limits, output=output, toys=toys is not None)
    loaded, family = open_with_family(card)
    return need_stage(loaded.path, family, "fit", "fit")(loaded, reporter)


def _is_surrogate(place: str) -> bool:
    from pathlib import Path

    from sbitune.data.formats.recognition import recognise

    return Path(place).is_file() and not place.endswith((".yaml", ".yml")) and recognise(place) in ("surrogate", "ipol")


def _refuse(**given: Any) -> None:
    from sbitune.data.errors import InputError

    named = [f"--{name}" for name, value in given.items() if value]
    if named:
        raise InputError(
            f"{', '.join(named)}: the card says this; these options are for a surrogate.npz or an ipol.dat"
        )


def _fit_surrogate(
    reporter: TerminalReporter,
    source: str,
    reference: tuple[str, ...],
    weights: str | None,
    limits: str | None,
    output: str | None,
    toys: int | None,
) -> Figures:
    from msgspec.structs import replace

    from sbitune.data.storage.files import check_suffix
    from sbitune.fitting.config import BinnedFitConfig
    from sbitune.tuning.record.figures import of_fit
    from sbitune.tuning.tools.weight_file_fit import Wanted, fit_weight_file, write_fit

    if output:
        check_suffix(output, (".txt", ".yaml"))
    config = BinnedFitConfig() if toys is None else replace(BinnedFitConfig(), toys=toys)
    record = fit_weight_file(Wanted(source, reference, weights, limits, config), reporter)
    if output:
        write_fit(output, record)
    return of_fit(record) | ({"output": output} if output else {})
