"""The two ways in which sbitune fails. The command line turns them into exit codes 2 and 1.

A fault that has a kind of its own has a code, `card-all-fixed` say, by which it is found in documentation, in threads
and by tests, whatever its words are. Each package lists its codes in its module `codes`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class SbituneError(Exception):
    """Base of every error that sbitune raises on purpose; `exit_code` is what the command line returns.

    Args:
        message: what is wrong, where, and what to do.
        code: what kind of fault it is; without one, it is that of the error from which this one is raised.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        self._code = code

    @property
    def code(self) -> str | None:
        """The stable name of the fault; None for one without."""
        if self._code is None and isinstance(self.__cause__, SbituneError):
            return self.__cause__.code
        return self._code

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the code on the way from a process of a worker, on which the cause is lost."""
        return type(self), self.args, self.__dict__ | {"_code": self.code}


class InputError(SbituneError):
    """What the user gave is wrong: the message says where (file and line, card key, run) and what to do."""

    exit_code = 2


class EmptySelectionError(InputError):
    """A selector finds no bin: the fault is the selector's, not that of what was read."""


class ArgumentError(InputError):
    """An argument of a function is wrong; the message begins with its name, `limits.x: ...`. A caller that has it from
    a section of a card puts the section before it, see `from_section`.
    """


@contextlib.contextmanager
def from_section(name: str) -> Iterator[None]:
    """Put the section of a card before the name of an argument that an `ArgumentError` tells of: `fit.limits.x: ..`."""
    try:
        yield
    except ArgumentError as error:
        raise InputError(f"{name}.{error}") from error


@contextlib.contextmanager
def naming_file(path: str | Path) -> Iterator[None]:
    """Put a file before the message of an `InputError` of what is read from it, unless the message has it already."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error


@contextlib.contextmanager
def naming(place: str, remedy: str = "") -> Iterator[None]:
    """Put a place, of a card say, before the message of an `InputError`, and a remedy after it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}{remedy}") from error


class ComputationError(SbituneError):
    """The input was sound and the computation failed: a run died, a fit did not converge, a number is not finite."""

    exit_code = 1


class SpaceError(ComputationError):
    """There is no room left for a file: the message names it. Nothing is wrong with what was to be written."""
