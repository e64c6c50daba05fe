"""Points of a design as run directories with filled templates, for runs that somebody else makes: `prof2-sample`.

Every run gets `params.dat`, which Professor, Apprentice and sbitune read beside its histograms, and its templates with
values of the parameters and `{SEED}`, `{EVENTS}`, `{RUN}`, `{CARD}` in their places, by the rule of the tool that they
were written for (`generators.templates`). Of a card with a command there is `run.sh` too, of one with Pythia
`run.cmnd`, which Pythia reads.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import read_limits, read_points, write_values
from sbitune.data.formats.professor import PARAMETER_FILES
from sbitune.data.storage.directories import whole_directory
from sbitune.data.storage.files import read_text, write_text
from sbitune.data.text.names import repeated
from sbitune.generators.command import Template, check_command, fill_command, read_template
from sbitune.generators.config import CommandConfig, PythiaConfig
from sbitune.generators.designs import run_names, run_seed, stretch, unit_points
from sbitune.generators.templates import BUILT_IN, RULES, Piece, split
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.runs.checking import check_scan
from sbitune.workflow.runs.tasks import design

#: the command of a card in the directory of a run
_SCRIPT = "run.sh"


class Design(NamedTuple):
    """Runs that are to be made."""

    names: tuple[str, ...]  #: of the parameters that vary
    points: np.ndarray  #: (n_runs, n_parameters) in the generator's units
    fixed: Mapping[str, float]  #: parameter -> value in every run
    seed: int  #: from which the runs' own seeds follow

    def values(self, run: int) -> dict[str, float]:
        """All parameters of a run."""
        return {name: float(x) for name, x in zip(self.names, self.points[run], strict=True)} | dict(self.fixed)


def design_in_limits(path: str | Path, runs: int, kind: str = "sobol", seed: int = 1) -> Design:
    """Place runs in the ranges of a limits file; its fixed parameters get their value in every run.

    Raises:
        InputError: for a file that cannot be read or has no range, or a grid that the number of runs does not fit.
    """
    ranges, fixed = read_limits(path)
    if not ranges:
        raise InputError(f"{path}: no parameter has a range; write lines such as 'StringZ:aLund 0.2 1.2'")
    u = unit_points(kind, runs, len(ranges), seed)
    columns = [stretch(u[:, i], *ends) for i, ends in enumerate(ranges.values())]
    return Design(tuple(ranges), np.stack(columns, axis=1), fixed, seed)


def refuse_ranges_of_others(path: str | Path) -> None:
    """Say what is expected in place of the ranges of Apprentice (JSON) and of MCNNTunes (YAML). Raises `InputError`."""
    suffix = Path(path).suffix
    if suffix not in (".json", ".yaml", ".yml") or not Path(path).is_file():
        return
    lines = [line for line in read_text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if suffix == ".json" or all(re.match(r"[^\s\[]+\s*:\s*\[", line) for line in lines):
        raise InputError(
            f"{path}: ranges are read from a card or from a limits file, with a line 'NAME low high' for each parameter"
        )


def design_of_table(path: str | Path, seed: int = 1) -> Design:
    """The points of a table, as `sbitune propose` writes it. Raises `InputError` for one that cannot be read."""
    table = read_points(path)
    return Design(table.names, table.points, {}, seed)


def design_of_card(loaded: ScanCardFile) -> tuple[Design, list[Template], int]:
    """The design of a card, its templates (the generator's own among them) and the events of a run.

    Raises:
        InputError: for a card that cannot work, or whose scan exists.
    """
    card = loaded.card
    loaded.need_scan()
    if card.scan.directory is not None or card.generator is None:
        raise InputError(f"{loaded.place('scan', 'directory')}: this card has a scan; there are no points to be made")
    check_scan(loaded)
    found = Design(tuple(card.parameters), design(loaded), {}, card.scan.seed)
    return found, _templates_of(loaded), card.scan.events


def _templates_of(loaded: ScanCardFile) -> list[Template]:
    generator, names = loaded.card.generator, list(loaded.card.parameters)
    if isinstance(generator, PythiaConfig):
        varied = [f"{name} = {{{name}}}" for name in names]
        events = ["Main:numberOfEvents = {EVENTS}", "Random:setSeed = on", "Random:seed = {SEED}"]
        lines = [Piece("".join(f"{setting}\n" for setting in generator.settings))]
        pieces = split("\n".join([*varied, *events]) + "\n", [*names, *BUILT_IN], "plain", "run.cmnd")
        return [Template("run.cmnd", (*lines, *pieces), "plain")]
    assert isinstance(generator, CommandConfig)
    return check_command(generator, names, loaded.directory, loaded.place)


def read_own(paths: Sequence[str | Path], names: Sequence[str], rule: str = "auto") -> list[Template]:
    """Read template files, filled by a rule of `generators.templates`, or as their braces tell; each goes into every
    run under its own name.

    Raises:
        InputError: for a file that cannot be read, or a place that names no parameter.
    """
    return [read_template(Path(path), names, rule, f"--template {path}", "with --template-rule") for path in paths]


def check_own(templates: Sequence[Template], names: Sequence[str]) -> None:
    """Raise `InputError` for a parameter that stands in no template, if there are any."""
    used = {piece.name for template in templates for piece in template.pieces}
    for name in names:
        if templates and name not in used:
            rules = "; ".join(f"{template.name}: {RULES[template.rule]}" for template in templates)
            raise InputError(
                f"parameter {name} has no place in the templates ({rules}); give it one, or take another rule with "
                "--template-rule"
            )


def write_design(
    directory: str | Path,
    design: Design,
    templates: Sequence[Template] = (),
    events: int | None = None,
    card: str | Path = ".",
    command: str | None = None,
) -> list[str]:
    """Write the run directories, all or nothing; gives their names.

    Args:
        directory: must not be there, or be empty.
        design: the runs.
        templates: files of every run.
        events: for `{EVENTS}`; None: no template may ask for them.
        card: for `{CARD}`.
        command: of a card, for `run.sh`.

    Raises:
        InputError: the directory is not empty, two files of a run have one name, or a template asks for a number of
            events that is not known.
    """
    place = str(Path(card).resolve())
    files = [PARAMETER_FILES[0], *(template.name for template in templates), *([_SCRIPT] if command else [])]
    twice = repeated(files)
    if twice:
        raise InputError(f"two files of a run would be called {twice[0]}; rename a template")
    asking = [template.name for template in templates if any(piece.name == "EVENTS" for piece in template.pieces)]
    if events is None and asking:
        raise InputError(f"{asking[0]}: {{EVENTS}} stands there, and nothing says how many; give --events")
    names = run_names(len(design.points))
    with whole_directory(directory) as temporary:
        for number, name in enumerate(names):
            values = design.values(number)
            seed = run_seed(design.seed, number)
            places = values | {"SEED": seed, "EVENTS": events, "RUN": name, "CARD": place}
            write_values(temporary / name / PARAMETER_FILES[0], values)
            for template in templates:
                template.write(temporary / name, places)
            if command is not None:
                _write_script(temporary / name / _SCRIPT, command, places)
    return list(names)


def _write_script(path: Path, command: str, places: Mapping[str, object]) -> None:
    """The command of a run, to be started in its directory."""
    card = str(places["CARD"])
    head = f"#!/bin/sh\nCARD={shlex.quote(card)}\nexport CARD\n"
    write_text(path, f"{head}{fill_command(command, places, card)}\n")
    path.chmod(path.stat().st_mode | 0o111)
