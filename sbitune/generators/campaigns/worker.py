"""A worker process: reads one task a line on standard input, makes the run, or only tries to start the generator or
looks at its events, and answers with one line.

Started by `pool.Worker` as `python -m sbitune.generators.campaigns.worker`. It has the standard output of the protocol
to itself: whatever C++ code prints goes elsewhere. It ends when its parent does, even in the middle of a run.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TextIO

import msgspec

from sbitune.data.errors import SbituneError
from sbitune.data.storage.space import lack_of_space
from sbitune.generators.campaigns.runs import Task, execute, probe, try_start


def main() -> None:
    """Serve tasks until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    _answer(answers, {"ready": True})
    while True:
        request = json.loads(lines.get())
        _answer(answers, _serve(request))


def _listen(lines: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    # the parent is gone: nobody wants the run that may be under way, nor what its command started
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _serve(request: dict[str, object]) -> dict[str, object]:
    try:
        task = msgspec.convert(request["task"], Task)
        if request["directory"] is None:
            try_start(task)
        elif request["job"] == "probe":
            probe(task, Path(str(request["directory"])))
        else:
            execute(task, Path(str(request["directory"])))
    except SbituneError as error:
        return {"error": str(error), "exit_code": error.exit_code, "space": lack_of_space(error) is not None}
    except Exception as error:  # a fault of ours must reach the user with its place, not end as a silent worker
        lack = lack_of_space(error)
        if lack is not None:
            return {"error": f"{request['directory']}: {lack}", "exit_code": 1, "space": True}
        return {"error": f"{type(error).__name__}: {error}", "exit_code": 1, "trace": traceback.format_exc()}
    return {"done": True}


def _answer(answers: TextIO, message: dict[str, object]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
