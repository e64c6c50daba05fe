"""The `sbitune` command. Commands are imported when they are called, so that `--help` answers at once."""

import importlib

import click

from sbitune import __version__
from sbitune.workflow.families import FAMILIES, resolve

#: command -> folder that it stands in, in the order of `--help`
COMMANDS = {
    "tune": "stages",
    "infer": "stages",
    "scan": "stages",
    "train": "stages",
    "fit": "stages",
    "closure": "trust",
    "coverage": "trust",
    "validate": "stages",
    "report": "stages",
    "propose": "stages",
    "analyse": "stages",
    "sample": "stages",
    "runcombs": "stages",
    "envelopes": "trust",
    "residuals": "trust",
    "sensitivities": "trust",
    "jackknife": "trust",
    "eigentunes": "trust",
    "bootstrap": "trust",
    "posterior": "trust",
    "inverse": "trust",
    "profile": "trust",
    "limit": "trust",
    "neyman": "trust",
    "impacts": "trust",
    "plan": "trust",
    "predict": "files",
    "export": "files",
    "ls": "files",
    "convert": "files",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(name for name, family in FAMILIES.items() if family.command and name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            command = FAMILIES[cmd_name].command if cmd_name in FAMILIES else None
            return None if command is None else resolve(command)
        return importlib.import_module(f"sbitune.cli.{COMMANDS[cmd_name]}.{cmd_name}").command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="sbitune")
def main() -> None:
    """Tune Monte Carlo generators to measured data, and fit parameters to events by learned likelihood ratios.

    The whole lines are `sbitune tune CARD` and `sbitune infer CARD`; the other commands are their stages.
    Exit codes: 0 done, 1 the computation failed, 2 the input is wrong.
    """
