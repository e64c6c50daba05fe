"""`sbitune analyse`: histograms of stored events."""

import click

from sbitune.cli.common import Figures, TerminalReporter, counted, reports


@click.command("analyse")
@click.argument("events", nargs=-1, required=True)
@click.option("-a", "--analysis", "names", multiple=True, required=True, help="Analysis to run; may be repeated.")
@click.option("--analysis-file", "files", multiple=True, help="Python file with an analysis of your own.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="YODA file to write (.yoda[.gz]).")
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
    files: tuple[str, ...],
    output: str,
    yoda_version: str,
    cross_section: float | None,
    max_events: int | None,
    nominal_weight: str | None,
    beams: tuple[int, int, float] | None,
) -> Figures:
    """Fill the histograms of analyses from stored EVENTS: .npz as sbitune keeps them, or HepMC (needs sbitune[hepmc]),
    from a pipe or, as -, standard input, too.

    Example: sbitune analyse events.hepmc.gz -a ALEPH_1996_S3486095 -a PDG_HADRON_MULTIPLICITIES -o out.yoda
    """
    from sbitune.data import yoda
    from sbitune.data.formats import YODA
    from sbitune.generators.eventfiles import analyse
    from sbitune.generators.observables import as_rivet4, register
    from sbitune.generators.statedbeams import StatedBeams
    from sbitune.tuning.tables import check_suffix

    check_suffix(output, YODA)
    for file in files:
        register(file)
    section = None if cross_section is None else (cross_section, 0.0)
    objects = analyse(
        list(events),
        list(names),
        cross_section=section,
        max_events=max_events,
        nominal_weight=nominal_weight,
        beams=None if beams is None else StatedBeams(beams[:2], beams[2]),
    )
    yoda.write(output, as_rivet4(objects) if yoda_version == "2" else objects, version=int(yoda_version))
    count = next((o.entries for o in objects if o.path == "/RAW/_EVTCOUNT" and isinstance(o, yoda.Counter)), 0)
    return {"events": int(count), "objects": len(objects), "output": output}
