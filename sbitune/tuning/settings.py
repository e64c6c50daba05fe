"""`tune.cmnd`: the tune as Pythia reads it."""

from collections.abc import Mapping, Sequence

from sbitune.data.names import check_name
from sbitune.generators.config import PythiaConfig
from sbitune.tuning.card import Card
from sbitune.tuning.record import ResultRecord


def command_file(card: Card, record: ResultRecord) -> str:
    """Settings file with the tuned values, and the card's own settings as comments to be switched on.

    For a generator that is run by a command the same lines `NAME = VALUE` are written.
    """
    lines = [
        f"! {' '.join(card.title.split())}",
        f"! tuned by sbitune; chi2 = {record.chi2:.1f} for {record.ndf} degrees of freedom",
    ]
    lines += ["! errors are those of data and surrogate, propagated; in brackets scaled by sqrt(chi2/ndf)"]
    values = {}
    for name, p in record.parameters.items():
        quoted = "fixed" if p.status == "fixed" else f"+- {p.error:.3g} ({p.scaled_error:.3g})"
        if p.one_sided is not None:
            quoted = f"{p.one_sided[0]:+.3g} {p.one_sided[1]:+.3g}"
        values[name] = (p.value, f"{quoted}{', at its limit' if p.status == 'at limit' else ''}")
    return settings_file(card, lines, values)


def settings_file(card: Card, head: Sequence[str], values: Mapping[str, tuple[float, str]]) -> str:
    """Settings file with the lines `head`, which are comments, and every parameter with its (value, remark)."""
    for name in values:
        check_name(name)
    lines = [" ".join(line.splitlines()) for line in head]
    width = max(len(name) for name in values)
    for name, (value, remark) in values.items():
        lines.append(f"{name:<{width}} = {value:.10g}" + (f"   ! {remark}" if remark else ""))
    if isinstance(card.generator, PythiaConfig):
        lines += ["", "! the process and beams of the tune; take out the '!' to run it as it was tuned"]
        lines += [f"! {line}" for setting in card.generator.settings for line in setting.splitlines()]
    return "\n".join(lines) + "\n"
