"""Progress where there is no terminal: a line now and then, so that a log file shows life."""

import time
from collections.abc import Callable


class PlainProgress:
    """Writes `runs: 32 of 128, about 3 min left` through `write`, at most one in `every` seconds and one at the end.

    `clock` gives seconds.
    """

    def __init__(
        self, write: Callable[[str], None], every: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._every, self._clock = write, every, clock
        self._started: dict[str, tuple[float, int]] = {}  #: stage -> when it began, and how much was there then
        self._last = clock()

    def show(self, what: str, done: int, total: int, failed: int = 0) -> None:
        """Take note of how far `what` has come; `failed` of the `done` came to nothing."""
        now = self._clock()
        words = f"{what}: {done} of {total}" + (f", {failed} failed" if failed else "")
        begun, before = self._started.setdefault(what, (now, done))
        if done >= total:
            took = f", took {_duration(now - begun)}" if done > before else ""
            self._write(f"{words}{took}")
            del self._started[what]
        elif now - self._last >= self._every:
            # what was there before the start says nothing about the pace
            left = (now - begun) / (done - before) * (total - done) if done > before else None
            self._write(words + (f", about {_duration(left)} left" if left is not None else ""))
        else:
            return
        self._last = now


def _duration(seconds: float) -> str:
    """Seconds in words, two digits at most.

    >>> [_duration(s) for s in (0.2, 59, 61, 3000, 7100, 30000)]
    ['1 s', '59 s', '1 min', '50 min', '2.0 h', '8.3 h']
    """
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 3570:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
