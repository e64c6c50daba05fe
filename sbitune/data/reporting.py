"""How long work speaks: through an object that is silent unless somebody listens."""

from collections.abc import Callable


class LeftOut(str):
    """A line that says that a run, bin or parameter was left out: an event that readers and listeners can tell from
    other lines.

    >>> line = LeftOut("run 0003 failed")
    >>> line, line.what
    ('left out: run 0003 failed', 'run 0003 failed')
    """

    what: str  #: what was left out, and why

    def __new__(cls, what: str) -> "LeftOut":
        """Spell the line."""
        line = super().__new__(cls, f"left out: {what}")
        line.what = what
        return line


class Reporter:
    """Receives words and progress. This base class is silent: what Python callers get by default."""

    def say(self, text: str) -> None:
        """Receive a line for the user."""

    def progress(self, what: str, done: int, total: int, failed: int = 0) -> None:
        """Receive how far `what` has come; `failed` are those of the `done` that came to nothing."""


class Telling(Reporter):
    """Hands words to a function, and no progress."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def say(self, text: str) -> None:
        """Hand a line on."""
        self._tell(text)


QUIET = Reporter()
