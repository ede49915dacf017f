"""Processes that evaluate trials: what one takes is bounded, and ends with it.

parent -> Task        the next trial
worker -> step, loss  the mean loss so far; the parent answers whether to stop
worker -> Outcome, or the text of what went wrong, or PRUNED
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import psutil

from scoring.models import discover
from scoring.process.cpus import available
from training.search.evaluate import Outcome, Place, Pruned, evaluate

PRUNED: Final = "pruned"
_KILLED: Final = "the system ended its process, as it does where memory runs out"
_CGROUP: Final = Path("/sys/fs/cgroup")
_LEAST_MB: Final = 512  # of memory for one process


class Task(NamedTuple):
    """A trial to evaluate; the first ones, of default parameters, are never told to stop."""

    number: int
    estimator: str
    parameters: dict[str, Any]
    may_stop: bool


class Start(NamedTuple):
    """What a process is started with: where it finds the folds, how much memory it may take, and
    how many threads."""

    folder: Path
    folds: int
    model: str
    sparse: bool
    seed: int
    timed: bool
    memory: int  # bytes
    threads: int


def share_of_memory(jobs: int, cgroup: Path = _CGROUP) -> int:
    """Return the bytes that each of `jobs` processes may take: its part of what is free now, in the
    machine and in the container's quota."""
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no quota: "max", or no file
        most = int((cgroup / "memory.max").read_text())
        free = min(free, most - int((cgroup / "memory.current").read_text()))
    return max(_LEAST_MB << 20, int(free) // jobs)


def serve(connection: Connection, start: Start) -> None:
    """Evaluate what comes until the connection ends; the target of each process."""
    from threadpoolctl import threadpool_limits

    held = psutil.Process().memory_info().rss
    most = start.memory + held
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))
    with threadpool_limits(start.threads):
        answer_tasks(connection, start)


def answer_tasks(connection: Connection, start: Start) -> None:
    """Evaluate what comes until the connection ends, within the limits of the process."""
    place = Place(start.folder, start.folds, discover()[start.model], start.sparse, start.seed,
                  start.timed)  # fmt: skip

    def report(step: int, loss: float) -> bool:
        connection.send((step, loss))
        return bool(connection.recv())

    with contextlib.suppress(EOFError, OSError):  # the parent has ended
        while True:
            task: Task = connection.recv()
            answer: Outcome | str
            try:
                answer = evaluate(place, task.estimator, task.parameters,
                                  report if task.may_stop else None)  # fmt: skip
            except Pruned:
                answer = PRUNED
            except MemoryError:
                answer = f"more than {start.memory >> 20} MB of memory are needed"
            except Exception as error:  # noqa: BLE001  # an estimator may raise anything
                answer = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            connection.send(answer)


@dataclass
class Worker:
    """A process and what it is at."""

    process: BaseProcess
    connection: Connection
    task: Task | None = None


class Event(NamedTuple):
    """What a worker said of its task."""

    worker: Worker
    task: Task
    said: tuple[int, float] | Outcome | str


@dataclass
class Pool:
    """The processes of a search. They start at once and import while the features are made."""

    start: Start
    jobs: int
    workers: list[Worker] = field(default_factory=list)

    def __enter__(self) -> Pool:
        self.workers = [self._started() for _ in range(self.jobs)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            self._end(worker)

    def free(self) -> Worker | None:
        """Return a worker without a task."""
        return next((worker for worker in self.workers if worker.task is None), None)

    def give(self, worker: Worker, task: Task) -> None:
        """Let a worker begin."""
        worker.task = task
        with contextlib.suppress(OSError):  # it is dead, which `events` will say
            worker.connection.send(task)

    def answer(self, worker: Worker, *, stop: bool) -> None:
        """Answer a loss: stop, or go on."""
        with contextlib.suppress(OSError):
            worker.connection.send(stop)

    def events(self, timeout_s: float) -> list[Event]:
        """Return what was said within the time; of a worker that is dead, why. It is replaced."""
        busy = {worker.connection: worker for worker in self.workers if worker.task}
        found = []
        for connection in wait(list(busy), timeout_s):
            worker = busy[connection]  # type: ignore[index]
            task = worker.task
            assert task is not None  # noqa: S101  # for the type checker
            try:
                said = worker.connection.recv()
            except (EOFError, OSError):
                said = self._replaced(worker)
            if not isinstance(said, tuple):
                worker.task = None
            found.append(Event(worker, task, said))
        return found

    def running(self) -> list[Task]:
        """Return the tasks that are not done."""
        return [worker.task for worker in self.workers if worker.task]

    def _replaced(self, worker: Worker) -> str:
        worker.process.join()
        code = worker.process.exitcode
        worker.connection.close()
        fresh = self._started()
        worker.process, worker.connection = fresh.process, fresh.connection
        return _KILLED if code == -signal.SIGKILL else f"its process ended with status {code}"

    def _started(self) -> Worker:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=serve, args=(theirs, self.start), daemon=True)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child's too: the parent decides
        try:
            with _threads(self.start.threads):
                process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        theirs.close()
        return Worker(process, ours)

    def _end(self, worker: Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


# A fork would copy the locks of OpenMP, held by threads that the child has not.
_SPAWN: Final = multiprocessing.get_context("spawn")
_Variable = Literal["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
_VARIABLES: Final[tuple[_Variable, ...]] = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextlib.contextmanager
def _threads(count: int) -> Any:
    """Let a process that is started within the block have so many threads."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def threads_for(jobs: int) -> int:
    """Return how many threads each of `jobs` processes gets: the CPUs that there are, shared."""
    return max(1, available() // jobs)
