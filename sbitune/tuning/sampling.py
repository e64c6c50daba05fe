"""Points of a design as run directories with filled templates, for runs that somebody else makes: `prof2-sample`.

Every run gets `params.dat`, which Professor, Apprentice and sbitune read beside its histograms, and its templates with
`{NAME}` replaced by the value of a parameter and `{SEED}`, `{EVENTS}`, `{RUN}`, `{CARD}` as in a card. Of a card with a
command there is `run.sh` too, of one with Pythia `run.cmnd`, which Pythia reads.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.directories import whole_directory
from sbitune.data.errors import InputError
from sbitune.data.files import read_text, write_text
from sbitune.data.parameters import read_limits, read_points, write_values
from sbitune.data.professor import PARAMETER_FILES
from sbitune.generators.command import check_command, fill_places
from sbitune.generators.config import CommandConfig, PythiaConfig
from sbitune.generators.designs import run_names, run_seed, stretch, unit_points
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.checking import check_scan
from sbitune.tuning.scanning import design


class Design(NamedTuple):
    """Runs that are to be made."""

    names: tuple[str, ...]  #: of the parameters that vary
    points: np.ndarray  #: (n_runs, n_parameters) in the generator's units
    fixed: Mapping[str, float]  #: parameter -> value in every run
    seed: int  #: from which the runs' own seeds follow

    def values(self, run: int) -> dict[str, float]:
        """All parameters of a run."""
        return {name: float(x) for name, x in zip(self.names, self.points[run], strict=True)} | dict(self.fixed)


class Template(NamedTuple):
    """A file of every run."""

    name: str  #: in the run's directory
    text: str  #: with `{NAME}` where values go


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


def design_of_table(path: str | Path, seed: int = 1) -> Design:
    """The points of a table, as `sbitune propose` writes it. Raises `InputError` for one that cannot be read."""
    table = read_points(path)
    return Design(table.names, table.points, {}, seed)


def design_of_card(loaded: LoadedCard) -> tuple[Design, list[Template], int]:
    """The design of a card, its templates (the generator's own among them) and the events of a run.

    Raises:
        InputError: for a card that cannot work, or whose scan exists.
    """
    card = loaded.card
    if card.scan.directory is not None or card.generator is None:
        raise InputError(f"{loaded.place('scan', 'directory')}: this card has a scan; there are no points to be made")
    check_scan(loaded)
    found = Design(tuple(card.parameters), design(loaded), {}, card.scan.seed)
    return found, _templates_of(loaded), card.scan.events


def _templates_of(loaded: LoadedCard) -> list[Template]:
    generator = loaded.card.generator
    if isinstance(generator, PythiaConfig):
        varied = [f"{name} = {{{name}}}" for name in loaded.card.parameters]
        events = ["Main:numberOfEvents = {EVENTS}", "Random:setSeed = on", "Random:seed = {SEED}"]
        return [Template("run.cmnd", "\n".join([*generator.settings, *varied, *events]) + "\n")]
    assert isinstance(generator, CommandConfig)
    files = read_templates([loaded.directory / name for name in generator.templates])
    return [*files, Template("run.sh", f"#!/bin/sh\n{generator.command}\n")]


def read_templates(paths: Sequence[str | Path]) -> list[Template]:
    """Read template files; each goes into every run under its own name."""
    return [Template(Path(path).name, read_text(path, "template")) for path in paths]


def check_templates(paths: Sequence[str | Path], names: Sequence[str]) -> None:
    """Raise `InputError` for a place that names no parameter, or a parameter that stands in no template."""
    if paths:
        config = CommandConfig(command="", output="", templates=tuple(str(path) for path in paths))
        check_command(config, names, Path("."), lambda *steps: _spell(paths, *steps))


def _spell(paths: Sequence[str | Path], *steps: str | int) -> str:
    """Where a fault is, in the words of the command line."""
    if steps[:2] == ("generator", "templates"):
        return f"--template {paths[int(steps[2])]}"
    return f"parameter {steps[1]}" if steps[0] == "parameters" else "--template"


def write_design(
    directory: str | Path, design: Design, templates: Sequence[Template] = (), events: int = 0, card: str | Path = "."
) -> list[str]:
    """Write the run directories, all or nothing; gives their names.

    Args:
        directory: must not be there, or be empty.
        design: the runs.
        templates: files of every run.
        events: for `{EVENTS}`.
        card: for `{CARD}`.

    Raises:
        InputError: the directory is not empty, or two files of a run have one name.
    """
    files = [PARAMETER_FILES[0], *(template.name for template in templates)]
    twice = [name for name in dict.fromkeys(files) if files.count(name) > 1]
    if twice:
        raise InputError(f"two files of a run would be called {twice[0]}; rename a template")
    names = run_names(len(design.points))
    with whole_directory(directory) as temporary:
        for number, name in enumerate(names):
            values = design.values(number)
            seed = run_seed(design.seed, number)
            places = values | {"SEED": seed, "EVENTS": events, "RUN": name, "CARD": shlex.quote(str(card))}
            write_values(temporary / name / PARAMETER_FILES[0], values)
            for template in templates:
                write_text(temporary / name / template.name, fill_places(template.text, places))
    return list(names)
