"""What all commands share: words to standard error, figures to standard output, errors to exit codes."""

import contextlib
import functools
import json
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeGuard

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sbitune.cli.shared.progress import PlainProgress
from sbitune.data.errors import SbituneError, SpaceError
from sbitune.data.reporting import Reporter
from sbitune.data.storage.space import lack_of_space

Figures = dict[str, Any]
#: seeds of random numbers: what a signed integer of 64 bits holds
SEEDS = click.IntRange(0, 2**63 - 1)


def counted(least: int, most: int = 1_000_000) -> click.IntRange:
    """A number of things that a machine can serve: more is refused before anything is allocated or run."""
    return click.IntRange(least, most)


#: `-o` of commands whose results are a table, a picture, or both
table_or_picture = click.option(
    "-o", "--output", multiple=True, type=click.Path(dir_okay=False), help="Table (.csv) or picture (.svg), or both."
)


def check_table_or_picture(output: Sequence[str]) -> None:
    """Raise `InputError` for a file of `-o` that is neither."""
    from sbitune.data.storage.files import check_suffix

    for place in output:
        check_suffix(place, (".csv", ".svg"))


def visible(text: str) -> str:
    r"""Text as a terminal may show it: what is not printed is spelt out, as names and titles come from files of others.

    >>> visible("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


class Said(dict[str, Any]):
    """Figures of one thing: numbers for `--json`, and the words that stand for them on a terminal."""

    def __init__(self, words: str, **figures: Any) -> None:
        super().__init__(figures)
        self.words = words


class TerminalReporter(Reporter):
    """Shows words and progress bars on standard error; without a terminal words and a line of progress now and then."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._plain = PlainProgress(self.say)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(visible(text), markup=False)

    def progress(self, what: str, done: int, total: int, failed: int = 0) -> None:
        """Move the bar of `what`; it goes when all is done."""
        if not self.console.is_terminal:
            self._plain.show(what, done, total, failed)
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), console=self.console, transient=True,
            )  # fmt: skip
            self._progress.start()
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        words = f"{what}, {failed} failed" if failed else what
        self._progress.update(self._tasks[what], completed=done, total=total, description=words)
        if done >= total:
            self._progress.remove_task(self._tasks.pop(what))
            if not self._tasks:
                self.close()

    def close(self) -> None:
        """Take the bars away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()


class _Terminated(KeyboardInterrupt):
    """SIGTERM came, as from a batch system: work ends as it does for Ctrl-C, with the exit code of that signal."""


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Let SIGTERM end the block as SIGINT does. Signals are a matter of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def reports(function: Callable[..., Figures]) -> Callable[..., None]:
    """Make a function into the body of a command.

    It gets `reporter` as its first argument and returns its figures. `--json` prints them as one object on standard
    output. A `SbituneError` becomes one message, with the code of the fault at its end, and its exit code.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object on standard output.")
    @functools.wraps(function)
    def body(*args: Any, as_json: bool, **kwargs: Any) -> None:
        reporter = TerminalReporter()
        try:
            with _told_to_stop():
                figures = function(reporter, *args, **kwargs)
        except SbituneError as error:
            reporter.close()
            code = f" [{error.code}]" if error.code else ""
            click.echo(f"sbitune: {visible(str(error))}{code}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:  # a full disk, a place that cannot be written to
            reporter.close()
            lack = lack_of_space(error)
            click.echo(f"sbitune: {error}{'' if lack is None else '; make space and start again'}", err=True)
            sys.exit(2 if lack is None else SpaceError.exit_code)
        except KeyboardInterrupt as stop:
            reporter.close()
            click.echo("sbitune: stopped; what is finished is kept, start again to go on", err=True)
            sys.exit(128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT))
        finally:
            reporter.close()
        if as_json:
            click.echo(json.dumps(_plain(figures), allow_nan=False))
        else:
            _show(figures)

    return body


def _plain(value: Any) -> Any:
    """Turn figures into what JSON knows; numbers that are not finite become null, which JSON has no other word for."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _show(figures: Figures) -> None:
    width = max((len(key) for key in figures), default=0)
    for key, value in figures.items():
        if isinstance(value, float):
            value = f"{value:.6g}"
        if isinstance(value, dict | list) and not value:
            value = "none"
        if _is_table(value):
            click.echo(f"{key}:")
            for line in _table(value):
                click.echo(visible(f"  {line}"))
        elif isinstance(value, dict | list):
            click.echo(f"{key}:")
            items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
            for name, item in items:
                click.echo(visible("  " + (f"{name}: " if name is not None else "") + _short(item)))
        else:
            click.echo(visible(f"{key:<{width}}  {value}"))


def _is_table(value: Any) -> TypeGuard[dict[str, dict[str, Any]]]:
    """Whether figures are rows of the same numbers: they are shown in columns."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    rows = list(value.values())
    if not all(isinstance(row, dict) and row and not isinstance(row, Said) for row in rows):
        return False
    first = set(rows[0])
    cells = [cell for row in rows for cell in row.values()]
    return all(set(row) <= first for row in rows) and all(_is_cell(cell) for cell in cells)


def _is_cell(value: Any) -> bool:
    return (
        value is None or isinstance(value, str | int | float) or (isinstance(value, list | tuple) and len(value) == 2)
    )


def _table(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Lines with the names of the rows flush left and everything else flush right."""
    head = list(next(iter(rows.values())))
    cells = [["", *head], *([str(name), *(_cell(row.get(key)) for key in head)] for name, row in rows.items())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        f"{line[0]:<{widths[0]}}  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(line[1:], widths[1:], strict=True))
        for line in cells
    ]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, list | tuple):
        return " ".join(_cell(part) for part in value)
    return _short(value)


def _short(item: Any) -> str:
    if isinstance(item, float):
        return f"{item:.6g}"
    if isinstance(item, Said):
        return item.words
    if isinstance(item, dict):
        return ", ".join(f"{key} {_short(value)}" for key, value in item.items() if value is not None)
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(_short, item))}]"
    return str(item)
