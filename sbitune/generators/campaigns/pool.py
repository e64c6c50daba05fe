"""Where runs are made: in killable processes of this machine, or on a dask.distributed cluster."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from sbitune.data.errors import ComputationError, InputError
from sbitune.generators.campaigns.runs import Task
from sbitune.generators.children import python_module


class Failure(NamedTuple):
    """Why a run is not there."""

    reason: str
    lasting: bool = True  #: whether the run would fail again; a run that was killed might not
    input: bool = False  #: whether what the user gave is wrong (`InputError`), not the computation
    space: bool = False  #: whether there was no room for its files, which says nothing of the run


class Outcome(NamedTuple):
    """What became of a task."""

    task: Task
    directory: Path | None  #: a temporary directory with the run's files, to be moved; None if the run failed
    failure: Failure | None = None


class Worker:
    """A process that makes runs one after the other and can be killed in the middle of one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, task: Task, directory: Path | None, time_limit: float, job: Literal["run", "probe"] = "run"
    ) -> Failure | None:
        """Make a run in `directory`, or leave the hash of its events there (`probe`); without a directory only start
        the generator. Gives what went wrong, None if nothing did.

        After `time_limit` seconds it is killed.
        """
        process = self._ready()
        timer = threading.Timer(time_limit, self.kill)
        timer.start()
        try:
            where = None if directory is None else str(directory)
            request = {"task": msgspec.to_builtins(task), "directory": where, "job": job}
            answer = _exchange(process, json.dumps(request) + "\n")
        finally:
            expired = not timer.is_alive()
            timer.cancel()
        if answer is None:
            code = self._give_up(process)
            if expired:
                limit = (
                    f"killed after the time limit of {time_limit:g} s (raise scan.time_limit, or ask for fewer events)"
                )
                return Failure(limit, lasting=False)
            return Failure(f"the worker process died ({_death(code)})", lasting=False)
        if answer.get("done"):
            return None
        reason = str(answer.get("trace") or answer.get("error") or "no reason was given")
        full = bool(answer.get("space"))
        return Failure(reason, lasting=not full, input=answer.get("exit_code") == InputError.exit_code, space=full)

    def kill(self) -> None:
        """Kill the process and everything it started."""
        process = self._process
        if process is not None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                process.kill()

    def close(self) -> None:
        """Kill and reap the process."""
        self.kill()
        if self._process is not None:
            self._give_up(self._process)

    def _give_up(self, process: "subprocess.Popen[str]") -> int:
        """Wait for a process that is dead or dying, and forget it."""
        code = process.wait()
        self._process = None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        return code

    def _ready(self) -> "subprocess.Popen[str]":
        if self._process is None:
            # one thread per worker: the workers are the parallelism
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                python_module("sbitune.generators.campaigns.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=True,
            )
            if _exchange(self._process, "") is None:
                code = self._give_up(self._process)
                raise ComputationError(f"a worker process could not start ({_death(code)}); its messages stand above")
        return self._process


def _exchange(process: "subprocess.Popen[str]", request: str) -> dict[str, Any] | None:
    """Send a line and wait for the answer; None if the process died."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
        line = process.stdout.readline()
    except (BrokenPipeError, ValueError):
        return None
    return json.loads(line) if line.endswith("\n") else None


def _death(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def try_starts(tasks: Iterable[Task], time_limit: float) -> Failure | None:
    """Start the generator at the tasks' points in turn, in a process that can be killed.

    Gives None as soon as it starts at one of them, else why it did not at the last.
    """
    worker, failure = Worker(), None
    try:
        for task in tasks:
            failure = worker.run(task, None, time_limit)
            if failure is None:
                break
    finally:
        worker.close()
    return failure


def run_here(tasks: Iterable[Task], scratch: Path, workers: int, time_limit: float) -> Iterator[Outcome]:
    """Make runs in `workers` processes of this machine; outcomes come as they are ready.

    Leaving the iterator early kills what is under way.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    count = 0
    for task in tasks:
        waiting.put(task)
        count += 1
    outcomes: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    crew = [Worker() for _ in range(min(workers, count))]
    stop = threading.Event()
    threads = [
        threading.Thread(target=_work, args=(worker, waiting, outcomes, scratch, time_limit, stop), daemon=True)
        for worker in crew
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count):
            outcome = outcomes.get()
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome
    finally:
        stop.set()
        for worker in crew:
            worker.kill()
        for thread in threads:
            thread.join()
        for worker in crew:
            worker.close()


def _work(
    worker: Worker,
    waiting: "queue.SimpleQueue[Task]",
    outcomes: "queue.SimpleQueue[Outcome | BaseException]",
    scratch: Path,
    time_limit: float,
    stop: threading.Event,
) -> None:
    try:
        while not stop.is_set():
            task = waiting.get_nowait()
            directory = Path(tempfile.mkdtemp(prefix=f".tmp-{task.name}-", dir=scratch))
            failure = worker.run(task, directory, time_limit)
            if failure:
                shutil.rmtree(directory, ignore_errors=True)
            outcomes.put(Outcome(task, None if failure else directory, failure))
    except queue.Empty:
        return
    except BaseException as error:
        outcomes.put(error)


def run_on_dask(tasks: Iterable[Task], scratch: Path, scheduler: str, time_limit: float) -> Iterator[Outcome]:
    """Make runs on a dask.distributed cluster; no shared disk is needed, the files come back through the scheduler.

    Raises:
        InputError: if `distributed` is not installed or the scheduler does not answer.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise InputError('scan.scheduler needs dask.distributed; run: pip install "sbitune[cluster]"') from error
    try:
        client = Client(scheduler, timeout=20)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"scan.scheduler: no answer from {scheduler}: {error}") from error
    with client:
        by_key, futures = {}, []
        for task in tasks:
            encoded = msgspec.json.encode(task)
            future = client.submit(make_remotely, encoded, time_limit, pure=False, retries=2)
            by_key[future.key] = task
            futures.append(future)
        for future in as_completed(futures):
            yield _received(by_key[future.key], future, scratch)


def make_remotely(encoded: bytes, time_limit: float) -> tuple[Failure | None, dict[str, bytes]]:
    """Make a run on a cluster node, in a killable process as here. Gives what went wrong, or the files."""
    worker = Worker()
    with tempfile.TemporaryDirectory() as name:
        try:
            failure = worker.run(msgspec.json.decode(encoded, type=Task), Path(name), time_limit)
        finally:
            worker.close()
        files = () if failure else (file for file in Path(name).iterdir() if file.is_file())
        return failure, {file.name: file.read_bytes() for file in files}


def _received(task: Task, future: Any, scratch: Path) -> Outcome:
    try:
        failure, files = future.result()
    except Exception as error:  # whatever the cluster raises, the run has failed and the others go on
        return Outcome(task, None, Failure(f"the cluster lost the run: {error}", lasting=False))
    if failure:
        return Outcome(task, None, failure)
    directory = Path(tempfile.mkdtemp(prefix=f".tmp-{task.name}-", dir=scratch))
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return Outcome(task, directory)
