"""Rows in shared memory: claimed, left behind by a death, taken over, and shared at the last."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Row, Store
from tests.support import wait_for

COUNTER, GAUGE, WIDTH = 0, 1, 4


def made(rows: int = 3) -> Store:
    layout = Layout()
    layout.slots(1)
    layout.gauge("gauge", "A gauge.")
    layout.slots(2)
    return Store(layout, rows=rows)


def add(row: Row, place: int, more: float = 1.0) -> None:
    with row.lock:
        row.values[place] += more


def total(store: Store, place: int) -> float:
    return sum(values[place] for values, _ in store.rows())


def gauge(store: Store) -> float:
    return sum(values[GAUGE] for values, alive in store.rows() if alive)


def living(store: Store) -> int:
    """Return how many processes have a row of their own."""
    return sum(alive for _, alive in store.rows())


class Child:
    """A process, forked as gunicorn forks its workers, that does `work` and then waits for its
    end."""

    def __init__(self, work: Callable[[], None]) -> None:
        done, told = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            status = b"!"
            try:
                work()
                status = b"."
            finally:
                os.write(told, status)
                signal.pause()
                os._exit(0)
        os.close(told)
        well = os.read(done, 1) == b"."
        os.close(done)
        if not well:
            self.kill()
        assert well

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def open_files() -> set[tuple[int, int]]:
    """Return what tells each open file of this process from the others: its device and number."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            status = path.stat()
            found.add((status.st_dev, status.st_ino))
    return found


def counts(store: Store, times: int = 1) -> Callable[[], None]:
    """Return work that counts, and begins something that it does not end."""

    def work() -> None:
        for _ in range(times):
            add(store.row, COUNTER)
        add(store.row, GAUGE)

    return work


@pytest.mark.slow
def test_processes_count_in_rows_of_their_own() -> None:
    """What each counts is in the sum; all that live are seen to."""
    store = made()
    children = [Child(counts(store, times)) for times in (1, 10)]
    add(store.row, COUNTER, 100)
    assert total(store, COUNTER) == 111
    assert gauge(store) == 2
    assert living(store) == 3
    for child in children:
        child.kill()


@pytest.mark.slow
def test_what_a_killed_process_counted_stays_and_its_gauge_does_not() -> None:
    """Its row is taken over by the next process, which goes on adding: there are no more rows."""
    store = made(rows=1)
    for generation in range(1, 4):
        child = Child(counts(store))
        assert total(store, COUNTER) == generation
        assert gauge(store) == 1  # the one before ended in the middle: its gauge is forgotten
        child.kill()
        assert gauge(store) == 0
        assert living(store) == 0
        assert total(store, COUNTER) == generation
    assert len(list(store.rows())) == 1


def test_a_forked_process_does_not_write_into_the_row_of_its_parent() -> None:
    """Also where the parent had one."""
    store = made()
    mine = store.row
    child = Child(counts(store))
    assert list(mine.values) == [0, 0, 0, 0]
    assert total(store, COUNTER) == 1
    child.kill()


@pytest.mark.slow
def test_more_processes_than_rows_share_one(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost where they write at the same time; who reads sees no gauges of theirs."""
    store = made(rows=1)
    add(store.row, COUNTER)
    children = [Child(counts(store, 2000)) for _ in range(3)]
    wait_for(lambda: total(store, COUNTER) == 6001, "all to be counted")
    assert gauge(store) == 0
    assert living(store) == 1
    for child in children:
        child.kill()


def test_who_shares_a_row_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """One warning, and it counts all the same."""
    store = made(rows=0)
    add(store.row, COUNTER)
    add(store.row, COUNTER)
    assert total(store, COUNTER) == 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_threads_of_one_process_lose_nothing() -> None:
    """The event loop and Flask's threads write to the same row."""
    store = made()

    def work() -> None:
        for _ in range(20_000):
            add(store.row, COUNTER)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(store, COUNTER) == 80_000


def test_a_row_that_nobody_used_is_not_looked_at() -> None:
    """Reading it would take memory for it."""
    store = made(rows=1000)
    assert list(store.rows()) == []
    add(store.row, COUNTER)
    assert len(list(store.rows())) == 1


def test_reading_does_not_take_a_row_from_its_owner() -> None:
    """Locks are a process's, not a thread's: looking must not give back what is held."""
    store = made(rows=1)
    add(store.row, COUNTER)
    list(store.rows())

    def reads_and_claims() -> None:
        assert living(store) == 1
        assert store.row.number is None

    Child(reads_and_claims).kill()


def test_a_store_that_is_gone_is_not_missed_at_a_fork() -> None:
    """Its file is closed; what was to be done after a fork has nothing to do."""
    before = open_files()
    store = made()
    its = open_files() - before
    assert its
    del store
    Child(lambda: None).kill()
    assert not its & open_files()


@pytest.mark.slow
def test_where_there_are_no_memory_files_a_temporary_file_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On systems other than Linux."""
    monkeypatch.delattr(os, "memfd_create")
    store = made()
    child = Child(counts(store, 3))
    assert total(store, COUNTER) == 3
    child.kill()


_AT_EXIT = """
import atexit
atexit.register(lambda: late())  # runs after what was registered later
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import BOARD, Store
store = Store(Layout(), rows=1)
def late():
    with store.locked(BOARD):
        print("locked")
"""


@pytest.mark.slow
def test_a_process_that_ends_can_count_to_the_last() -> None:
    """A thread that still works while the interpreter ends meets no closed memory."""
    ran = subprocess.run([sys.executable, "-c", _AT_EXIT], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("locked\n", "")
