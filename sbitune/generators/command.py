"""Any other generator: a shell command with `{NAME}` replaced, whose output is a YODA file."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.storage.files import read_text, write_bytes, write_text
from sbitune.data.text.numbers import quoted
from sbitune.generators.commandlog import fault_of, run_shell, tail_of
from sbitune.generators.config import CommandConfig, Place, spell_key
from sbitune.generators.templates import BUILT_IN, RUN_NUMBER, Piece, Rule, fill, rule_of, split

#: characters of a directory's name that a shell would take for its own, were they pasted into a file that it reads
_SHELLS = re.compile(r"[$`\"'\\;&|<>\n]")


class Template(NamedTuple):
    """A file that every run gets, with values in its places."""

    name: str  #: in the run's directory
    pieces: tuple[Piece, ...]  #: its text
    rule: Rule  #: by which it is filled
    executable: int = 0  #: its bits of permission to execute

    def write(self, directory: Path, values: Mapping[str, object]) -> None:
        """Fill it and write it into the directory of a run. Raises `InputError` for values that it cannot have."""
        if any(piece.name == "CARD" for piece in self.pieces):
            check_directory(str(values["CARD"]), self.name)
        path = directory / self.name
        write_text(path, fill(self.pieces, {RUN_NUMBER: values["RUN"]} | dict(values)))
        path.chmod(path.stat().st_mode | self.executable)


def check_directory(card: str, where: str) -> None:
    """Refuse a directory whose name a shell script could run. Raises `InputError`."""
    odd = _SHELLS.search(card)
    if odd:
        raise InputError(
            f"{where}: {{CARD}} stands for a directory with {odd[0]!r} in its name, which a shell would take for its "
            "own; rename the directory, or use the variable CARD of the environment",
            code="command-card-directory",
        )


def read_template(path: Path, names: Iterable[str], rule: str, where: str, remedy: str) -> Template:
    """Read a template.

    Args:
        path: the file.
        names: parameters that may stand in it.
        rule: by which it is filled; `auto`: as its braces tell.
        where: its place, for messages.
        remedy: where the rule can be said, for messages.

    Raises:
        InputError: for a file that cannot be read, a place that names no parameter, or braces of two tools.
    """
    text = read_text(path, f"{where}:")
    known = [*names, *BUILT_IN, RUN_NUMBER]
    chosen: Rule = rule_of(text, known, where, remedy) if rule == "auto" else rule  # type: ignore[assignment]
    return Template(path.name, tuple(split(text, known, chosen, where)), chosen, path.stat().st_mode & 0o111)


def read_templates(
    config: CommandConfig, names: Iterable[str], card: Path, place: Place = spell_key, remedy: str = ""
) -> list[Template]:
    """Read the templates of a command. Raises `InputError` as `read_template`, and for two files of one name."""
    names, found = list(names), []
    copied: dict[str, str] = {}
    remedy = remedy or f"as generator.template_rule in {card}"
    for number, name in enumerate(config.templates):
        where = place("generator", "templates", number)
        found.append(read_template(card / name, names, config.template_rule, where, remedy))
        other = copied.setdefault(Path(name).name, name)
        if other != name:
            raise InputError(
                f"{where}: {name} would overwrite {other} in the run's directory; rename one of them",
                code="command-overwritten-file",
            )
    return found


def check_command(
    config: CommandConfig, parameters: Iterable[str], card: Path, place: Place = spell_key, remedy: str = ""
) -> list[Template]:
    """Check the places in the command and its templates before anything runs; gives the templates.

    Raises:
        InputError: for a missing template, a place that names no parameter, or a parameter that has no place.
    """
    if Path(config.output).name != config.output:
        raise InputError(
            f"{place('generator', 'output')}: {quoted(config.output)} must be the name of a file in the run's own "
            "directory, without a folder: runs are made side by side",
            code="command-output",
        )
    names = list(parameters)
    for name in names:
        if name in BUILT_IN:
            raise InputError(
                f"{place('parameters', name)}: {{{name}}} stands for something else; give the parameter another name",
                code="command-reserved-name",
            )
    where = place("generator", "command")
    _command_text(config.command, names, str(card), where)
    templates = read_templates(config, names, card, place, remedy)
    pieces = [*split(config.command, [*names, *BUILT_IN], "plain", where), *(p for t in templates for p in t.pieces)]
    used = {piece.name for piece in pieces}
    for number, template in enumerate(templates):
        if any(piece.name == "CARD" for piece in template.pieces):
            check_directory(str(card), place("generator", "templates", number))
    for name in names:
        if name not in used:
            raise InputError(
                f"{place('parameters', name)}: {{{name}}} stands neither in generator.command nor in a template",
                code="command-unused-parameter",
            )
    return templates


def fill_command(command: str, values: Mapping[str, object], card: str) -> str:
    """What the shell is given: values in their places, the card's directory so that nothing in its name is run.

    The shell must have the directory as its variable CARD. Raises `InputError` for `{CARD}` in single quotes where the
    name has characters that mean something to a shell.

    >>> fill_command("run --alpha={TimeShower:alphaSvalue} ${HOME}", {"TimeShower:alphaSvalue": 0.13}, "/tmp")
    'run --alpha=0.13 ${HOME}'
    >>> fill_command('{CARD}/run "{CARD}/in"', {}, "/my cards")
    '"$CARD"/run "${CARD}/in"'
    """
    return _command_text(command, list(values), card, "the command", values)


def _command_text(
    command: str, names: Iterable[str], card: str, where: str, values: Mapping[str, object] | None = None
) -> str:
    known = [*names, *BUILT_IN]
    doubled = re.search(r"\{\{([^{}]*)\}\}", command)
    if doubled and doubled[1] in known:
        raise InputError(
            f"{where}: {doubled[0]} stands in double braces; write {{{doubled[1]}}} in a command",
            code="template-bad-place",
        )
    text = ""
    for piece in split(command, known, "plain", where):
        if piece.name == "CARD":
            text += _directory(text, card, where)
        else:
            text += fill([piece], {piece.name: ""} if values is None and piece.name else values or {})
    return text


def _directory(before: str, card: str, where: str) -> str:
    """How a shell is told the card's directory after the text `before`, which may have opened quotes."""
    if shlex.quote(card) == card:
        return card  # nothing in it means anything to a shell
    quote = _open_quote(before)
    if quote == "'":
        raise InputError(
            f"{where}: {{CARD}} stands in single quotes, and the directory has characters in its name that mean "
            'something to a shell; take the quotes away, or write "$CARD"',
            code="command-card-directory",
        )
    return "${CARD}" if quote else '"$CARD"'


def _open_quote(text: str) -> str:
    """The quote that a shell's text leaves open, if any."""
    quote, letters = "", iter(text)
    for letter in letters:
        if letter == "\\" and quote != "'":
            next(letters, "")
        elif letter == quote:
            quote = ""
        elif letter in "'\"" and not quote:
            quote = letter
    return quote


def run_command(config: CommandConfig, directory: Path, values: Mapping[str, object], card: Path) -> Path:
    """Run the command in `directory` and give the YODA file it left, as a plain file.

    What it prints goes to `command.log`; in its environment CARD is the card's directory. Raises `ComputationError`
    with the end of the log if it fails or leaves no file, and `SpaceError` if it fails where there is no room left.
    """
    own = [name for name in values if name not in BUILT_IN]
    for template in read_templates(config, own, card):
        template.write(directory, values)
    log = directory / "command.log"
    run_shell(fill_command(config.command, values, str(card)), log, os.environ | {"CARD": str(card)})
    output = directory / config.output
    if not output.is_file():
        raise fault_of(directory, f"the command left no file {config.output}; it printed: {tail_of(log)}")
    if output.is_symlink():  # what a run is made of lies in its own directory
        write_bytes(output, output.read_bytes())
    return output
