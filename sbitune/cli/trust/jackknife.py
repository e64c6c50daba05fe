"""`sbitune jackknife`: orders of polynomials compared, and runs left out."""

from typing import Any

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports
from sbitune.cli.shared.scans import read, reading_options
from sbitune.data.reporting import LeftOut


@click.command("jackknife")
@click.argument("scan")
@click.option("--max-order", type=counted(0, 100), default=5, show_default=True, help="Highest order to try.")
@click.option("--folds", type=counted(2, 10_000), default=5, show_default=True, help="Of the cross-validation.")
@click.option("--scale", type=click.Choice(["linear", "log"]), default="linear", show_default=True)
@click.option("-n", "--number", type=counted(2), help="Fit so many combinations of runs (with a card).")
@click.option("--leave-out", type=counted(1, 100_000), help="Runs that are missing in each.")
@click.option("--combinations", type=click.Path(), help="File of run combinations to fit, of `sbitune runcombs`.")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@reading_options
@reports
def command(
    reporter: TerminalReporter,
    scan: str,
    max_order: int,
    folds: int,
    scale: Any,
    number: int | None,
    leave_out: int | None,
    combinations: str | None,
    seed: int,
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
) -> Figures:
    """How well polynomials of every order predict runs of SCAN that they have not seen. If SCAN is a card, also what it
    would be fitted to with each order, and, with -n and --leave-out or --combinations, with runs left out: `error` is
    the delete-d jackknife's, known to a part 1/sqrt(2n - 2) of itself.

    Example: sbitune jackknife tunes/lep -n 10 --leave-out 40
    """
    from sbitune.data.errors import InputError
    from sbitune.tuning.surrogates.polynomial.orders import choose_order
    from sbitune.tuning.tools.models import card_at

    loaded = card_at(scan)
    place = str(loaded.directory) if loaded is not None else scan
    drawn = bool(number or leave_out)
    if (number is None) != (leave_out is None) or (drawn and combinations):
        raise InputError("give -n and --leave-out together, or --combinations, to leave runs out")
    if loaded is None and (drawn or combinations):
        raise InputError(
            f"{scan}: runs are left out of a fit, which needs a card; for a scan alone see `sbitune runcombs`"
        )
    runs = read((place,), weights, bad_runs, bad_bins, reporter.say)
    choice = choose_order(runs, max_order, seed, folds, scale)
    figures: Figures = {
        "runs": len(runs.runs),
        "bins": len(runs.bins),
        "best_order": choice.order,
        "orders": {f"order {score.order}": _without_order(score) for score in choice.scores},
    }
    if loaded is not None:
        orders = [score.order for score in choice.scores if score.order > 0]
        figures |= _fits(loaded, runs, orders, _wanted(runs, number, leave_out, combinations, seed, reporter), reporter)
    return figures


def _without_order(score: Any) -> dict[str, Any]:
    return {key: value for key, value in score._asdict().items() if key != "order"}


def _wanted(
    runs: Any,
    number: int | None,
    leave_out: int | None,
    combinations: str | None,
    seed: int,
    reporter: TerminalReporter,
) -> Any:
    from sbitune.data.formats.combinations import read_combinations
    from sbitune.tuning.studies.jackknife import draw_combinations

    if combinations:
        return read_combinations(combinations, set(runs.runs))
    return draw_combinations(runs, number, leave_out, seed, reporter) if number and leave_out else ()


def _fits(loaded: Any, runs: Any, orders: list[int], wanted: Any, reporter: TerminalReporter) -> Figures:
    from sbitune.tuning.studies import jackknife as library
    from sbitune.tuning.tools.models import matched_with

    matched = matched_with(runs, loaded)
    assert matched is not None
    names = [p.name for p in runs.parameters]
    fits = library.fit_orders(loaded, runs, matched, orders, reporter)
    figures: Figures = {"fits": {refit.name: _spell(refit, names) for refit in fits}}
    if wanted:
        refits = library.fit_combinations(loaded, runs, matched, wanted, reporter)
        for refit in refits:
            if refit.values is None:
                reporter.say(LeftOut(f"{refit.name}: {refit.note}"))
        found = library.stability(refits, *library.independent_sizes(runs, wanted))
        figures |= {"combinations": found.combinations, "failed": found.failed, "stability": {}}
        for i, name in enumerate(names):
            row = {"mean": float(found.mean[i]), "spread": float(found.spread[i])}
            figures["stability"][name] = row if found.error is None else row | {"error": float(found.error[i])}
    return figures


def _spell(refit: Any, names: list[str]) -> dict[str, Any]:
    if refit.values is None:
        return {"failed": refit.note}
    pairs = zip(names, zip(refit.values, refit.errors, strict=True), strict=True)
    return {name: {"value": float(v), "error": float(e)} for name, (v, e) in pairs} | {"chi2_unit": refit.chi2}
