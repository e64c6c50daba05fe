"""What commands that take scans share: reading them, run lists, and which surrogate to train."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
        type=click.Choice(["auto", "polynomial", "gaussian", "network"]),
        help="Kind of surrogate; default: the card's, or auto, the one that predicts held-out runs best.",
    ),
    click.option("--order", help="Polynomial order, or `auto` to choose it by cross-validation."),
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
    from sbitune.data.professor import Reading
    from sbitune.data.scan import join_scans
    from sbitune.data.selection import read_weights
    from sbitune.tuning.scanning import load_scan

    reading = Reading(read_weights(weights) if weights else (), bad_runs, bad_bins, tell=tell)
    scans = [load_scan(place, reading) for place in places]
    return scans[0] if len(scans) == 1 else join_scans(scans)


def card_at(places: tuple[str, ...]) -> Any:
    """The card whose scan is meant, if the place is a card's directory; else None."""
    from sbitune.tuning.card import load_card

    one = Path(places[0])
    return load_card(one) if len(places) == 1 and (one / "card.yaml").is_file() else None


def surrogate_config(loaded: Any, kind: str | None, order: str | None, per_bin: bool, scale: str | None) -> Any:
    """What the options describe, else the card's surrogate, else the automatic choice.

    Raises `InputError` for options that do not fit together.
    """
    from msgspec.structs import replace

    from sbitune.data.errors import InputError
    from sbitune.tuning.surrogates.config import AutoConfig, GaussianConfig, NetworkConfig, PolynomialConfig

    if kind is None and loaded is not None:
        if order is not None or per_bin or scale:
            raise InputError(
                "--order, --per-bin, --scale: the card says which surrogate; name a --kind for another one"
            )
        return loaded.card.surrogate
    if kind is None:
        kind = "auto" if order is None and not per_bin and not scale else "polynomial"
    if order is not None and kind != "polynomial":
        raise InputError(f"--order: only polynomials have one; take it away or choose --kind polynomial, not {kind}")
    if kind == "auto":
        if per_bin or scale:
            raise InputError("--per-bin, --scale: the automatic choice decides; name a --kind with them")
        return AutoConfig()
    if order not in (None, "auto") and not str(order).isdigit():
        raise InputError(f"--order {order}: give a whole number or `auto`")
    wanted: dict[str, Any] = {"scale": scale} if scale else {}
    if kind == "network":
        return replace(NetworkConfig(), **wanted, **({"sharing": "per_bin"} if per_bin else {}))
    wanted["components"] = not per_bin
    if kind == "gaussian":
        return replace(GaussianConfig(), **wanted)
    return replace(PolynomialConfig(), order=int(order) if order not in (None, "auto") else "auto", **wanted)


def trained_on(places: tuple[str, ...], held: "Scan | None" = None) -> str:
    """Name a scan, and what is left of it to train on, for messages."""
    return f"scan {', '.join(places)}" + (f" without the {len(held.runs)} runs held out" if held is not None else "")


def run_names(path: str) -> list[str]:
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
