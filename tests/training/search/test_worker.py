"""Processes that evaluate trials."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from scoring.process.cpus import available
from tests.training.search.support import placed
from tests.training.support import CHURN
from training.search import worker
from training.search.evaluate import Outcome
from training.search.worker import PRUNED, Pool, Start, Task


def start_of(folder: Path, memory: int = 8 << 30) -> Start:
    place = placed(CHURN, folder, "logistic")
    return Start(folder, place.folds, "churn", False, 1, False, memory, 1)


def test_memory_is_shared_by_the_processes(tmp_path: Path) -> None:
    """Of the machine, or of the container where it has less; never nothing."""
    (tmp_path / "memory.max").write_text("4294967296\n")
    (tmp_path / "memory.current").write_text("1073741824\n")
    assert worker.share_of_memory(2, tmp_path) == 3 << 29
    assert worker.share_of_memory(1000, tmp_path) == 512 << 20
    (tmp_path / "memory.max").write_text("max\n")
    assert worker.share_of_memory(1, tmp_path) > 3 << 29


def test_cpus_are_shared_by_the_processes() -> None:
    """At least one each."""
    assert worker.threads_for(1) == available()
    assert worker.threads_for(1000) == 1


@pytest.mark.slow
def test_tasks_are_answered_until_the_parent_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what came out, that it was stopped, or why it failed, in one line."""
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=worker.answer_tasks, args=(theirs, start_of(tmp_path)))
    thread.start()
    ours.send(Task(0, "logistic", {"C": 0.5}, may_stop=False))
    assert isinstance(ours.recv(), Outcome)
    ours.send(Task(1, "logistic", {"C": 0.5}, may_stop=True))
    step, loss = ours.recv()
    assert step == 2
    assert 0 < loss < 1
    ours.send(True)
    assert ours.recv() == PRUNED
    ours.send(Task(2, "logistic", {"C": -1}, may_stop=False))
    assert ours.recv().startswith("InvalidParameterError: The 'C' parameter")

    def greedy(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(worker, "evaluate", greedy)
    ours.send(Task(3, "logistic", {}, may_stop=False))
    assert ours.recv() == "more than 8192 MB of memory are needed"
    ours.close()
    thread.join()


@pytest.mark.long
@pytest.mark.slow
def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """Its trial is told to have failed, and the next one is evaluated."""
    start = start_of(tmp_path)
    before = os.environ.get("OMP_NUM_THREADS")
    with Pool(start, 1) as pool:
        [one] = pool.workers
        first = one.process
        pool.give(one, Task(0, "logistic", {}, may_stop=True))
        event = pool.events(120)[0]
        assert isinstance(event.said, tuple)
        assert pool.free() is None
        assert [task.number for task in pool.running()] == [0]
        first.kill()
        first.join()
        pool.answer(one, stop=False)
        event = pool.events(120)[0]
        assert event.said == "the system ended its process, as it does where memory runs out"
        assert pool.free() is one
        pool.give(one, Task(1, "logistic", {}, may_stop=False))
        event = pool.events(120)[0]
        assert isinstance(event.said, Outcome)
        assert event.task.number == 1
        last = one.process
    assert not last.is_alive()
    assert os.environ.get("OMP_NUM_THREADS") == before
