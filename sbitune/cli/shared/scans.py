"""What commands that take scans share: reading them, run lists, and which surrogate to train."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sbitune.tuning.surrogates.registry import BUILT_IN

if TYPE_CHECKING:
    from sbitune.data.scan import Scan

_OPTIONS = (
    click.option("--weights", type=click.Path(), help="Professor weight file: use only the bins that it selects."),
    click.option("--bad-runs", type=click.Choice(["stop", "drop"]), default="stop", show_default=True),
    click.option("--bad-bins", type=click.Choice(["stop", "drop"]), default="stop", show_default=True),
)
_KIND_OPTIONS = (
    click.option(
        "--kind",
        type=click.Choice(["auto", *BUILT_IN]),
        help="Kind of surrogate; default: the card's, or auto, the one that predicts held-out runs best.",
    ),
    click.option(
        "--order",
        help="Order of a polynomial, 3 say, or of numerator/denominator of a rational function, 3/1; "
        "`auto` chooses by cross-validation.",
    ),
    click.option("--per-bin", is_flag=True, help="Learn every bin alone, as Professor does, instead of components."),
    click.option("--scale", type=click.Choice(["linear", "log"]), help="Learn contents or their logarithms."),
)


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say how scans are read; `read` takes them."""
    return functools.reduce(lambda f, option: option(f), reversed(_OPTIONS), function)


def kind_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what surrogate to train; `surrogate_config` takes them."""
    return functools.reduce(lambda f, option: option(f), reversed(_KIND_OPTIONS), function)


def read(places: tuple[str, ...], weights: str | None, bad_runs: Any, bad_bins: Any, tell: Callable) -> "Scan":
    """Read scans and join them."""
    from sbitune.data.errors import naming
    from sbitune.data.formats.professor import Reading
    from sbitune.data.formats.selection import read_weights
    from sbitune.data.scan import join_scans
    from sbitune.workflow.runs.scanning import load_scan

    with naming("--weights"):
        rules = read_weights(weights) if weights else ()
    reading = Reading(rules, bad_runs, bad_bins, tell=tell)
    scans = [load_scan(place, reading) for place in places]
    return scans[0] if len(scans) == 1 else join_scans(scans)


def card_at(places: tuple[str, ...]) -> Any:
    """The card of a tune whose scan is meant, if the place is its directory; else None: cards of other families have a
    scan, and say nothing of surrogates.
    """
    from sbitune.tuning.card import LoadedCard
    from sbitune.workflow.opening import open_scan_card

    one = Path(places[0])
    loaded = open_scan_card(one) if len(places) == 1 and (one / "card.yaml").is_file() else None
    return loaded if isinstance(loaded, LoadedCard) else None


def surrogate_config(loaded: Any, kind: str | None, order: str | None, per_bin: bool, scale: Any) -> Any:
    """What the options describe, else the card's surrogate, else the automatic choice.

    Raises `InputError` for options that do not fit together.
    """
    from sbitune.data.errors import InputError
    from sbitune.tuning.surrogates.config import CONFIGS, AutoConfig

    if kind is None and loaded is not None:
        if order is not None or per_bin or scale:
            raise InputError(
                "--order, --per-bin, --scale: the card says which surrogate; name a --kind for another one"
            )
        return loaded.card.surrogate
    if kind is None:
        kind = "auto" if order is None and not per_bin and not scale else "polynomial"
    if kind == "auto":
        if order is not None:
            raise _without_order(kind)
        if per_bin or scale:
            raise InputError("--per-bin, --scale: the automatic choice decides; name a --kind with them")
        return AutoConfig()
    config = CONFIGS[kind]()
    if order is not None and not config.ORDERS:
        raise _without_order(kind)
    if config.ORDERS:
        config = config.with_orders(*_orders(order, config.ORDERS))
    config = config.bin_by_bin() if per_bin else config
    return config.on_scale(scale) if scale else config


def _without_order(kind: str) -> Exception:
    from sbitune.data.errors import InputError
    from sbitune.tuning.surrogates.config import CONFIGS

    names = [name for name, config in CONFIGS.items() if config.ORDERS]
    return InputError(
        "--order: only polynomials and rational functions have one; take it away or choose --kind "
        f"{' or '.join(names)}, not {kind}"
    )


def _orders(text: str | None, count: int) -> list[Any]:
    """So many orders, divided by slashes, or `auto` for all of them."""
    from sbitune.data.errors import InputError
    from sbitune.data.text.names import shorten

    if text in (None, "auto"):
        return ["auto"] * count
    parts = str(text).split("/")
    if len(parts) != count or not all(part.isascii() and part.isdigit() and len(part) < 3 for part in parts):
        wanted = "a whole number up to 99" if count == 1 else "numerator/denominator as whole numbers, 3/1 say,"
        raise InputError(f"--order {shorten(text)}: give {wanted} or `auto`")
    return [int(part) for part in parts]


def _trained_on(places: tuple[str, ...], held: "Scan | None" = None) -> str:
    """Name a scan, and what is left of it to train on, for messages."""
    return f"scan {', '.join(places)}" + (f" without the {len(held.runs)} runs held out" if held is not None else "")


def run_names(path: str, option: str = "--holdout") -> dict[str, str]:
    """Run names from a file: one a line, or JSON, a list or an object with the key `holdout`.

    Returns:
        name -> where it stands, `runs.txt:3`.

    Raises:
        InputError: naming the option, for a file that cannot be read or names nothing.
    """
    import json

    from sbitune.data.errors import InputError, naming
    from sbitune.data.storage.files import read_lines, read_text
    from sbitune.data.text.names import shorten

    with naming(option):
        lines = read_lines(path, "run list")
        text = read_text(path, "run list")
    if text.lstrip()[:1] in ("[", "{"):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{option}: {path}: not valid JSON: {error}") from error
        listed = content.get("holdout", []) if isinstance(content, dict) else content
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            found = shorten(json.dumps(listed))
            raise InputError(f"{option}: {path}: expected a list of names of runs, not {found}")
        names = list(listed)
        found = {name: next((n for n, line in lines if f'"{name}"' in line), 1) for name in names}
    else:
        found = {word: n for n, line in reversed(lines) for word in line.split("#")[0].split()}
    if not found:
        raise InputError(f"{option}: {path}: no run is named in this file")
    return {name: f"{path}:{n}" for name, n in sorted(found.items(), key=lambda item: item[1])}


def known_runs(scan: "Scan", named: dict[str, str]) -> list[str]:
    """The names of `run_names`. Raises `InputError` with file and line for one that the scan has not."""
    from sbitune.data.errors import InputError
    from sbitune.data.text.names import shorten

    unknown = [name for name in named if name not in scan.runs]
    if unknown:
        others = f" (nor {len(unknown) - 1} others of this file)" if len(unknown) > 1 else ""
        few = ", ".join(scan.runs[:5]) + (f", ... ({len(scan.runs)} in all)" if len(scan.runs) > 5 else "")
        told = f"the scan has no run {shorten(unknown[0])}{others}"
        raise InputError(f"{named[unknown[0]]}: {told}; the runs are {few}")
    return list(named)


def parted(
    places: tuple[str, ...],
    config: Any,
    holdout: str | None,
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
    tell: Callable,
) -> tuple["Scan", "Scan", "Scan | None"]:
    """The scan at the given places, the runs of it to learn from and those that the file `holdout` names, None without
    a file. Raises `InputError` for what cannot be read, and too few runs for the surrogate.
    """
    from sbitune.data.blocks import left_to_learn
    from sbitune.data.checks.examination import settle
    from sbitune.tuning.checks.run_requirements import check_run_requirements

    named = run_names(holdout) if holdout else None
    whole, _ = settle(read(places, weights, bad_runs, bad_bins, tell), tell, _trained_on(places))
    used, held = whole.split(known_runs(whole, named)) if named else (whole, None)
    for words in left_to_learn(used):
        tell(words)
    check_run_requirements(config, len(used.runs), len(used.parameters), _trained_on(places, held), "add runs")
    return whole, used, held


def of_combination(scan: "Scan", place: str, config: Any) -> "Scan":
    """The runs that line N, counted from 0, of a file of run combinations names: `FILE:N`, as prof2-ipol takes it."""
    from sbitune.data.errors import InputError, naming
    from sbitune.data.formats.combinations import read_combinations
    from sbitune.tuning.checks.run_requirements import check_run_requirements

    path, _, number = place.rpartition(":")
    if not path or not (number.isascii() and number.isdigit() and len(number) < 10):
        raise InputError(f"--combination {place}: give a file and a line, counted from 0: runcombs.dat:0")
    with naming("--combination"):
        lines = read_combinations(path, set(scan.runs))
    if int(number) >= len(lines):
        raise InputError(f"--combination {place}: {path} has {len(lines)} combinations, 0 to {len(lines) - 1}")
    chosen = scan.take_runs(lines[int(number)])
    check_run_requirements(
        config, len(chosen.runs), len(chosen.parameters), f"combination {place}", "leave fewer runs out"
    )
    return chosen
