"""The process that reads HepMC, started by `files` as `python -m sbitune.generators.hepmc.child REQUEST`.

pyhepmc ends the whole process on some files, damaged and sound ones: it must not be ours. Messages go to standard
output: a line of JSON, and behind it the bytes of the arrays that the line announces. How far it has come stands in a
file that both processes see, as a dead process tells nothing.
"""

import json
import mmap
import os
import struct
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np

from sbitune.data.errors import InputError
from sbitune.generators.batch import EventBatch
from sbitune.generators.hepmc.events import HepmcEvent, Reading, read_hepmc
from sbitune.generators.hepmc.stream import HepmcText

#: the field of a batch that holds no array
_OTHERS = "other_weights"
#: events and bytes so far
PROGRESS = struct.Struct("=qq")
#: a batch is sent when its records take so many bytes, however few events they are
_MOST_BYTES = 64 << 20
#: memory beside what the process takes at its start: a damaged line can declare a billion particles
_MOST_MEMORY = 2 << 30


def main() -> None:
    """Serve the request in the first argument."""
    request = json.loads(sys.argv[1])
    messages = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever C++ code prints goes elsewhere
    threading.Thread(target=_end_with, args=(request["parent"],), daemon=True).start()
    with mmap.mmap(request["progress"], PROGRESS.size) as progress:
        try:
            _limit_memory()
            _serve(request, messages, progress)
            _send(messages, {"kind": "end"})
        except InputError as error:
            _send(messages, {"kind": "error", "text": str(error)})
        except MemoryError:
            text = "its next event takes too much memory: a number in it is damaged; make or copy the file again"
            _send(messages, {"kind": "error", "text": f"{request['reading'][0]}: {text}"})
        except OSError as error:
            text = f"{request['reading'][0]}: cannot be read: {error.strerror or error}"
            _send(messages, {"kind": "error", "text": text})
    os._exit(0)  # destructors of C++ could still end it with an error


def _end_with(parent: int) -> None:
    """End when the parent does, which holds the other end of a pipe: this one may wait for a pipe that never comes."""
    os.read(parent, 1)
    os._exit(1)


def _serve(request: dict[str, Any], messages: BinaryIO, progress: mmap.mmap) -> None:
    reading = Reading(*request["reading"])
    counted = [0, 0]

    def note(events: int, size: int) -> None:
        counted[:] = events, size
        progress[:] = PROGRESS.pack(events, size)

    text = HepmcText(reading.path, lambda size: note(counted[0], size))
    events: list[HepmcEvent] = []
    size, said = 0, set()
    for event in read_hepmc(text, reading, np.inf if request["most"] is None else request["most"]):
        note(counted[0] + 1, counted[1])
        if event.note and event.note not in said:
            said.add(event.note)
            _send(messages, {"kind": "note", "text": event.note})
        if events and event.other_weights.keys() != events[0].other_weights.keys():  # of one batch all have the same
            _send_batch(messages, events)
            events, size = [], 0
        events.append(event)
        size += sum(column.nbytes for column in event.record.values())
        if len(events) == request["size"] or size > _MOST_BYTES:
            _send_batch(messages, events)
            events, size = [], 0
    if events:
        _send_batch(messages, events)


def join(records: Sequence[dict[str, np.ndarray]]) -> EventBatch:
    """Make a batch of the records of events."""
    columns: dict[str, Any] = {name: np.concatenate([record[name] for record in records]) for name in records[0]}
    integers = ("id", "status", "mother1", "mother2", "daughter1", "daughter2")
    columns |= {name: columns[name].astype(np.int32) for name in integers}
    offsets = np.concatenate([[0], np.cumsum([len(record["id"]) for record in records])]).astype(np.int64)
    return EventBatch(**columns, offsets=offsets)


def _send_batch(messages: BinaryIO, events: Sequence[HepmcEvent]) -> None:
    batch = {name: array for name, array in vars(join([event.record for event in events])).items() if name != _OTHERS}
    names = list(events[0].other_weights)
    others = np.array([[event.other_weights[name] for name in names] for event in events], float)
    section = next((event.cross_section for event in reversed(events) if event.cross_section), None)
    columns = [[name, array.dtype.str, len(array)] for name, array in batch.items()]
    message = {"kind": "batch", "columns": columns, "cross_section": section, "other_weights": names}
    _send(messages, message, [*batch.values(), *others.T])


def _send(messages: BinaryIO, message: dict[str, Any], arrays: Iterable[np.ndarray] = ()) -> None:
    for part in (json.dumps(message).encode() + b"\n", *(array.tobytes() for array in arrays)):
        left = memoryview(part)
        while left:
            left = left[messages.write(left) :]


def _limit_memory() -> None:
    """Let the process take so much more than it has, where the system tells how much that is."""
    try:
        import resource

        with open("/proc/self/statm") as told:
            now = int(told.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = now + _MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    except (ImportError, OSError, ValueError):
        return


if __name__ == "__main__":
    main()
