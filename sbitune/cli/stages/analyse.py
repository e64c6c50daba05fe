"""`sbitune analyse`: histograms and columns of stored events."""

import contextlib
from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, counted, reports


@click.command("analyse")
@click.argument("events", nargs=-1, required=True)
@click.option("-a", "--analysis", "names", multiple=True, help="Analysis to run; may be repeated.")
@click.option("-c", "--columns", multiple=True, help="Set of columns to compute (ls columns); may be repeated.")
@click.option("--analysis-file", "files", multiple=True, help="Python file with an analysis or columns of your own.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="YODA file to write (.yoda[.gz]), for -a.")
@click.option("-t", "--table", type=click.Path(dir_okay=False), help="Parquet file to write, for -c.")
@click.option(
    "--yoda-version",
    type=click.Choice(["1", "2"]),
    default="1",
    show_default=True,
    help="That of Rivet 3 or 4.",
)
@click.option("--cross-section", type=float, help="Cross-section in pb, if the events do not carry one.")
@click.option("--nominal-weight", help="Name of the weight of HepMC to take; otherwise chosen as Rivet does.")
@click.option(
    "--beams",
    type=(int, int, float),
    metavar="CODE CODE ENERGY",
    help="PDG codes of the beams and their energy in GeV, whatever the events say, as 11 -11 91.2.",
)
@click.option("--max-events", type=counted(1, 10**15), help="Stop after this many events.")
@reports
def command(
    reporter: TerminalReporter,
    events: tuple[str, ...],
    names: tuple[str, ...],
    columns: tuple[str, ...],
    files: tuple[str, ...],
    output: str | None,
    table: str | None,
    yoda_version: str,
    cross_section: float | None,
    max_events: int | None,
    nominal_weight: str | None,
    beams: tuple[int, int, float] | None,
) -> Figures:
    """Fill the histograms of analyses from stored EVENTS, or compute columns of every event. Events are .npz as sbitune
    keeps them, or HepMC (needs sbitune[hepmc]), from a pipe or, as -, standard input, too. A table of columns has all
    weights of the events by their names (needs sbitune[parquet]).

    Example: sbitune analyse events.hepmc.gz -a ALEPH_1996_S3486095 -a PDG_HADRON_MULTIPLICITIES -o out.yoda

    Example: sbitune analyse events.hepmc.gz -c LEP_EVENT_SHAPES -t shapes.parquet
    """
    from sbitune.data import yoda
    from sbitune.generators.columns import register_file
    from sbitune.generators.eventfiles import analyse
    from sbitune.generators.hepmc.statedbeams import StatedBeams
    from sbitune.generators.observables import as_rivet4

    _check_outputs(names, columns, output, table)
    for file in files:
        register_file(file)
    count = 0

    def keep(batch: Any) -> None:
        nonlocal count
        count += len(batch)
        write(batch)

    with _table(events, columns, table) as write:
        objects = analyse(
            list(events),
            list(names),
            cross_section=None if cross_section is None else (cross_section, 0.0),
            max_events=max_events,
            nominal_weight=nominal_weight,
            beams=None if beams is None else StatedBeams(beams[:2], beams[2]),
            keep=keep,
        )
    figures: Figures = {"events": count}
    if output is not None:
        yoda.write(output, as_rivet4(objects) if yoda_version == "2" else objects, version=int(yoda_version))
        figures |= {"objects": len(objects), "output": output}
    return figures | ({} if table is None else {"columns": list(columns), "table": table})


def _check_outputs(names: tuple[str, ...], columns: tuple[str, ...], output: str | None, table: str | None) -> None:
    """Refuse what cannot be written, before anything is read."""
    from sbitune.data.errors import InputError
    from sbitune.data.formats.recognition import YODA
    from sbitune.data.storage.files import check_suffix

    if not names and not columns:
        raise InputError("nothing is asked for: name analyses with -a, or columns with -c")
    for asked, file, option, what in ((names, output, "-a", "-o FILE.yoda"), (columns, table, "-c", "-t FILE.parquet")):
        if bool(asked) != (file is not None):
            raise InputError(f"{option} and {what} belong together; give both or none")
    if output is not None:
        check_suffix(output, YODA)
    if table is not None:
        check_suffix(table, (".parquet", ".pq"))


def _table(events: tuple[str, ...], columns: tuple[str, ...], table: str | None) -> Any:
    """What takes a batch and writes its columns; nothing if there are none to write."""
    from pathlib import Path

    from sbitune.data.events import Origin
    from sbitune.data.text.names import list_names
    from sbitune.generators.columns import keeping_columns

    if table is None:
        return contextlib.nullcontext(lambda batch: None)
    return keeping_columns(Path(table), columns, Origin(list_names(events)))
