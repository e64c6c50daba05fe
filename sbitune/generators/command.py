"""Any other generator: a shell command with `{NAME}` replaced, whose output is a YODA file."""

import difflib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.files import read_text, write_text
from sbitune.generators.config import CommandConfig, Place, spell_key

#: what may stand in braces beside the parameters
BUILT_IN = ("SEED", "EVENTS", "RUN", "CARD")
#: `${HOME}` is the shell's
_PLACE = re.compile(r"(?<!\$)\{([A-Za-z_][\w:.\-]*)\}")


def check_command(config: CommandConfig, parameters: Iterable[str], card: Path, place: Place = spell_key) -> None:
    """Check the places in the command and its templates before anything runs.

    Raises:
        InputError: for a missing template, a place that names no parameter, or a parameter that has no place.
    """
    if Path(config.output).name != config.output:
        raise InputError(
            f"{place('generator', 'output')}: {config.output!r} must be the name of a file in the run's own directory, "
            "without a folder: runs are made side by side"
        )
    texts = {place("generator", "command"): config.command}
    copied: dict[str, str] = {}
    for number, name in enumerate(config.templates):
        where = place("generator", "templates", number)
        texts[where] = read_text(card / name, f"{where}:")
        other = copied.setdefault(Path(name).name, name)
        if other != name:
            raise InputError(f"{where}: {name} would overwrite {other} in the run's directory; rename one of them")
    names, used = list(parameters), set()
    known = [*names, *BUILT_IN]
    for name in names:
        if name in BUILT_IN:
            raise InputError(
                f"{place('parameters', name)}: {{{name}}} stands for something else; give the parameter another name"
            )
    for where, text in texts.items():
        for found in _PLACE.findall(text):
            # braces are the shell's and the generator's, too: only what looks like a misspelt name is refused
            if found not in known and difflib.get_close_matches(found, known, n=1, cutoff=0.5):
                raise InputError(f"{where}: {{{found}}} names no parameter; there are {', '.join(known)}")
            used.add(found)
    for name in names:
        if name not in used:
            raise InputError(
                f"{place('parameters', name)}: {{{name}}} stands neither in generator.command nor in a template"
            )


def fill_places(text: str, values: Mapping[str, object]) -> str:
    """Replace every `{NAME}` whose name is known; other braces stay, as shells and generators use them too.

    >>> fill_places("run --alpha={TimeShower:alphaSvalue} ${HOME}", {"TimeShower:alphaSvalue": 0.13})
    'run --alpha=0.13 ${HOME}'
    """
    return _PLACE.sub(lambda m: str(values[m[1]]) if m[1] in values else m[0], text)


def run_command(config: CommandConfig, directory: Path, values: Mapping[str, object], card: Path) -> Path:
    """Run the command in `directory` and give the YODA file it left.

    What it prints goes to `command.log`. Raises `ComputationError` with the end of the log if it fails or leaves no
    file.
    """
    for name in config.templates:
        write_text(directory / Path(name).name, fill_places(read_text(card / name, "template"), values))
    log = directory / "command.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["/bin/sh", "-c", fill_places(config.command, dict(values) | {"CARD": shlex.quote(str(card))})],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            code = process.wait()
        except BaseException:
            os.kill(process.pid, signal.SIGKILL)
            raise
    if code != 0:
        raise ComputationError(f"the command ended with exit code {code}; it printed: {_tail(log)}")
    output = directory / config.output
    if not output.is_file():
        raise ComputationError(f"the command left no file {config.output}; it printed: {_tail(log)}")
    return output


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-5:]) or "nothing"
