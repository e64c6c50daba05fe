"""`sbitune train`: learn how every bin responds to the parameters."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from sbitune.cli.common import Figures, TerminalReporter, reports

if TYPE_CHECKING:
    from sbitune.data.scan import Scan


@click.command("train")
@click.argument("scan", nargs=-1, required=True)
@click.option("--kind", type=click.Choice(["polynomial", "network"]), help="Kind of surrogate; default: polynomial.")
@click.option("--order", help="Polynomial order, or `auto` to choose it by cross-validation.")
@click.option("--holdout", type=click.Path(), help="File with the names of runs to hold out, one a line (or JSON).")
@click.option("--weights", type=click.Path(), help="Professor weight file: train only the bins that it selects.")
@click.option("--bad-runs", type=click.Choice(["stop", "drop"]), default="stop", show_default=True)
@click.option("--bad-bins", type=click.Choice(["stop", "drop"]), default="stop", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the trained surrogate (.npz).")
@reports
def command(
    reporter: TerminalReporter,
    scan: tuple[str, ...],
    kind: str | None,
    order: str | None,
    holdout: str | None,
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
    seed: int,
    output: str | None,
) -> Figures:
    """Train a surrogate on SCAN: a card's directory, a directory of runs (Professor's layout), a scan.npz or an
    Apprentice HDF5 file; several are joined.

    With --holdout the named runs are predicted, not trained on: rms_pull is the rms of (prediction - MC)/MC error over
    held-out runs and bins, pull_width the same with the surrogate's own error in quadrature.

    Example: sbitune train my-scan --kind polynomial --order 3 --holdout runs.txt
    """
    import jax

    from sbitune.data.errors import InputError
    from sbitune.data.professor import Reading
    from sbitune.data.selection import read_weights
    from sbitune.tuning.line import train_stage
    from sbitune.tuning.scanning import load_scan
    from sbitune.tuning.surrogates.evaluation import evaluate
    from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate
    from sbitune.tuning.surrogates.storage import save_surrogate
    from sbitune.tuning.surrogates.training import train

    rules = read_weights(weights) if weights else ()
    reading = Reading(rules, bad_runs, bad_bins, tell=reporter.say)
    whole = _join([load_scan(place, reading) for place in scan])
    card, path = _card_of(scan, kind)
    if card is not None and order is not None:
        raise InputError("--order: the card says which surrogate; name a --kind to train another one")
    config = card.surrogate if card is not None else _config(kind, order)
    used, held = whole.split(_names(holdout)) if holdout else (whole, None)
    clock = time.process_time()
    if path is not None and held is None:
        surrogate = train_stage(path, used, reporter)  # kept in work/, where `sbitune fit` finds it
    else:
        surrogate = train(jax.random.key(seed), used, config)
    figures: Figures = {
        "kind": config.kind,
        "runs": len(used.runs),
        "parameters": len(used.parameters),
        "bins": len(used.bins),
        "cpu_seconds": time.process_time() - clock,
    }
    if isinstance(surrogate, PolynomialSurrogate):
        figures["order"] = surrogate.order
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
        save_surrogate(Path(output), cast(Any, surrogate))
        figures["output"] = output
    return figures


def _join(scans: "list[Scan]") -> "Scan":
    from sbitune.data.scan import join_scans

    return scans[0] if len(scans) == 1 else join_scans(scans)


def _card_of(scan: tuple[str, ...], kind: str | None) -> tuple[Any, Any]:
    from sbitune.tuning.card import load_card

    if len(scan) == 1 and kind is None and (Path(scan[0]) / "card.yaml").is_file():
        loaded = load_card(scan[0])
        return loaded.card, loaded
    return None, None


def _config(kind: str | None, order: str | None) -> Any:
    from sbitune.data.errors import InputError
    from sbitune.tuning.surrogates.config import NetworkConfig, PolynomialConfig

    if kind == "network":
        if order is not None:
            raise InputError("--order: a network has no order; take it away or choose --kind polynomial")
        return NetworkConfig()
    if order is None or order == "auto":
        return PolynomialConfig()
    if not order.isdigit():
        raise InputError(f"--order {order}: give a whole number or `auto`")
    return PolynomialConfig(order=int(order))


def _names(path: str) -> list[str]:
    """Run names from a file: one a line, or JSON, a list or an object with the key `holdout`."""
    import json

    from sbitune.data.errors import InputError
    from sbitune.data.files import read_text

    text = read_text(path, "run list")
    if text.lstrip()[:1] in ("[", "{"):
        try:
            content = json.loads(text)
        except ValueError as error:
            raise InputError(f"{path}: not valid JSON: {error}") from error
        names = content.get("holdout", []) if isinstance(content, dict) else content
    else:
        names = [word for line in text.splitlines() for word in line.split("#")[0].split()]
    if not names:
        raise InputError(f"{path}: no run is named in this file")
    return [str(name) for name in names]
