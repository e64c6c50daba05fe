"""The section of regions that are fitted together: what each expects, and counted bins beside their data."""

from sbitune.plots.ratios import plot_counts
from sbitune.plots.style import to_svg
from sbitune.ratios.record import ChannelRecord, RatiosRecord
from sbitune.report.pieces.parts import Figure, Figures, Paragraph, Section, table


def regions_sections(record: RatiosRecord) -> list[Section]:
    """The section, unless the events of the card are all there is."""
    if len(record.channels) < 2:
        return []
    words = (
        "Regions that share parameters by name. P is that of -2 log L of counts, over that of a perfect description, "
        "as if it were a chi2 with as many degrees of freedom as there are bins."
    )
    rows = [row for channel in record.channels for row in _rows(channel)]
    head = ["region", "data", "process", "expected at the nominal parameters", "at the fit", "observed", "P"]
    counted = [channel for channel in record.channels if channel.kind == "counts"]
    figures = [Figure(to_svg(plot_counts(c.observed, c.fitted, c.name)), _caption(c)) for c in counted]
    parts = [table(head, rows, range(3, 7)), Paragraph(words), *([Figures(figures)] if figures else [])]
    return [Section("regions", "Regions", parts)]


def _rows(channel: ChannelRecord) -> list[tuple[str, ...]]:
    found = []
    for i, name in enumerate(channel.fitted):
        first = i == 0
        observed = f"{sum(channel.observed):,.6g}" if first else ""
        p = f"{channel.p_value:.2g}" if first and channel.p_value is not None else ""
        expected = (f"{sum(numbers):.1f}" for numbers in (channel.nominal[name], channel.fitted[name]))
        found.append((channel.name if first else "", channel.data if first else "", name, *expected, observed, p))
    return found


def _caption(channel: ChannelRecord) -> str:
    size = f"-2 log L = {channel.statistic:.1f} of {len(channel.observed)} bins"
    return f"{channel.name}: counts, and what the fit expects of each process; {size}."
