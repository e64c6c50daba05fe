"""`sbitune sample`: run directories of a design, without running anything."""

from pathlib import Path

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("sample")
@click.argument("source")
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False), help="Directory to write; not there yet."
)
@click.option("-n", "--runs", type=counted(1, 100_000), help="Number of runs; needed with a limits file.")
@click.option("--design", type=click.Choice(["sobol", "latin", "uniform", "grid"]), help="For a limits file: sobol.")
@click.option("--seed", type=SEEDS, help="For a limits file: 1.")
@click.option("--events", type=counted(1, 1_000_000_000), help="What {EVENTS} stands for, with a limits file.")
@click.option(
    "-t", "--template", multiple=True, type=click.Path(), help="File to copy into every run, {NAME} filled in."
)
@click.option(
    "--template-rule",
    type=click.Choice(["auto", "plain", "professor", "mcnntunes"]),
    default="auto",
    show_default=True,
    help="Whose templates: {NAME} is replaced and nothing else (plain); {{ and }} are braces, as for Professor and "
    "Apprentice; {{NAME}} is replaced, as for MCNNTunes; auto: as their braces tell.",
)
@reports
def command(
    reporter: TerminalReporter,
    source: str,
    output: str,
    runs: int | None,
    design: str | None,
    seed: int | None,
    events: int | None,
    template: tuple[str, ...],
    template_rule: str,
) -> Figures:
    """Write the runs of SOURCE, a card, a limits file (NAME low high, or NAME value) or a table of points as `sbitune
    propose` writes it, as directories with params.dat and filled templates, for somebody else to run. Of a card there
    is run.sh (a command) or run.cmnd (Pythia), too.

    {NAME} is replaced by a parameter's value, {SEED}, {EVENTS}, {RUN} as in a card; {N} is the run, too. Templates of
    Professor, Apprentice and MCNNTunes are filled as these fill them. Histograms that the runs leave beside params.dat
    make the directory a scan.

    Example: sbitune sample limits.dat -o scan -n 100 -t run.in
    """
    from sbitune.data.errors import InputError
    from sbitune.data.formats.parameters import is_table
    from sbitune.generators.templates import RULES
    from sbitune.tuning.tools.sampling import (
        check_own,
        design_in_limits,
        design_of_card,
        design_of_table,
        read_own,
        refuse_ranges_of_others,
        write_design,
    )
    from sbitune.workflow.opening import is_card, open_scan_card

    refuse_ranges_of_others(source)
    if is_card(source):
        loaded = open_scan_card(source)
        if runs or design or seed is not None or events:
            raise InputError("--runs, --design, --seed, --events: the card says them, in its section `scan`")
        points, templates, events = design_of_card(loaded)
        own = read_own(template, points.names, template_rule)
        script = getattr(loaded.card.generator, "command", None)
        made = write_design(output, points, [*templates, *own], events, loaded.directory, script)
    elif is_table(source):
        if runs or design:
            raise InputError("--runs, --design: the table has its points")
        points = design_of_table(source, 1 if seed is None else seed)
        own = read_own(template, points.names, template_rule)
        check_own(own, points.names)
        made = write_design(output, points, own, events, Path(source).parent)
    else:
        if runs is None:
            raise InputError("--runs: say how many runs to place in the limits")
        points = design_in_limits(source, runs, design or "sobol", 1 if seed is None else seed)
        own = read_own(template, [*points.names, *points.fixed], template_rule)
        check_own(own, [*points.names, *points.fixed])
        made = write_design(output, points, own, events, Path(source).parent)
    for one in own:
        if one.rule != "plain":
            reporter.say(f"{one.name}: {RULES[one.rule]} (--template-rule for another)")
    return {"runs": len(made), "parameters": len(points.names), "fixed": len(points.fixed), "output": output}
