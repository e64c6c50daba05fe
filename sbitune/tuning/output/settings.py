"""`tune.cmnd`: the tune as Pythia reads it."""

from collections.abc import Mapping, Sequence

from sbitune.data.errors import InputError
from sbitune.data.text.names import check_name, shorten
from sbitune.fitting.results import is_lopsided
from sbitune.generators.config import PythiaConfig
from sbitune.generators.pythia8.fixed import fixed_settings
from sbitune.generators.pythia8.printed import pythia_version
from sbitune.tuning.card import Card
from sbitune.tuning.record.types import ResultRecord


def command_file(card: Card, record: ResultRecord, made_with: str | None = None, fixed: bool = True) -> str:
    """Settings file with the tuned values, what the tune rests on beside them, and the process as comments.

    For a generator that is run by a command the same lines `NAME = VALUE` are written.

    Args:
        card: the card of the tune.
        record: its result.
        made_with: the version of Pythia that made the runs, if that is known.
        fixed: write what the tune rests on.
    """
    lines = [
        f"! {' '.join(card.title.split())}",
        f"! tuned by sbitune; chi2 = {record.chi2:.1f} for {record.ndf} degrees of freedom",
    ]
    lines += ["! errors are those of data and surrogate, propagated; in brackets scaled by sqrt(chi2/ndf)"]
    values = {}
    for name, p in record.parameters.items():
        quoted = "fixed" if p.status == "fixed" else f"+- {p.error:.3g} ({p.scaled_error:.3g})"
        if p.minos is not None and p.status == "free" and is_lopsided(p.error, p.minos):
            quoted += f", MINOS {p.minos[0]:+.3g} {p.minos[1]:+.3g}"
        if p.one_sided is not None:
            quoted = f"{p.one_sided[0]:+.3g} {p.one_sided[1]:+.3g}"
        values[name] = (p.value, f"{quoted}{', at its limit' if p.status == 'at limit' else ''}")
    return settings_file(card, lines, values, made_with, fixed)


def settings_file(
    card: Card,
    head: Sequence[str],
    values: Mapping[str, tuple[float, str]],
    made_with: str | None = None,
    fixed: bool = True,
) -> str:
    """Settings file with the lines `head`, which are comments, and every parameter with its (value, remark); for Pythia
    with what `command_file` says.
    """
    for name in values:
        check_name(name)
    lines = [" ".join(line.splitlines()) for line in head]
    width = max(len(name) for name in values)
    for name, (value, remark) in values.items():
        lines.append(f"{name:<{width}} = {value:.10g}" + (f"   ! {remark}" if remark else ""))
    if isinstance(card.generator, PythiaConfig):
        lines += _fixed(card.generator, list(values), made_with) if fixed else []
        lines += ["", "! the process and beams of the tune; take out the '!' to run it as it was tuned"]
        lines += [f"! {line}" for setting in card.generator.settings for line in setting.splitlines()]
    return "\n".join(lines) + "\n"


def _fixed(generator: PythiaConfig, tuned: Sequence[str], made_with: str | None) -> list[str]:
    """What the tune rests on beside its parameters, at its values in the version of Pythia that it belongs to."""
    try:
        version = pythia_version()
    except InputError:
        version = None
    if version is None or made_with not in (None, version):
        told = f"Pythia {shorten(made_with)}" if made_with else "a version of Pythia that is not known here"
        return [
            "",
            f"! The runs were made with {told}, which is not installed where this was written:",
            "! what it has by default is not fixed here, and another version may do something else.",
        ]
    said = f"The tune belongs to Pythia {version}"
    if made_with is None:
        said = f"The runs were made elsewhere; Pythia {version} was there when this was written"
    return [
        "",
        f"! {said}. What the tune rests on beside its parameters,",
        "! at the values there: other versions have other defaults. One that does not know a setting says so and does",
        "! not start; take its line out.",
        *fixed_settings(generator.settings, tuned),
    ]
