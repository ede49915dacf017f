"""A document that processes share: changed by one at a time, and whole whatever happens."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from scoring.shared_memory.board import Board
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Store


@pytest.fixture
def board() -> Board:
    layout = Layout()
    layout.document(500)
    layout.document(500)
    return Board(Store(layout, rows=1))


def add(board: Board, times: int) -> None:
    for _ in range(times):
        with board.change() as document:
            document["count"] = document.get("count", 0) + 1


@pytest.mark.slow
def test_what_one_process_writes_another_reads(board: Board) -> None:
    """It is empty before; both parts that were declared have room."""
    assert board.read() == {}
    child = os.fork()
    if not child:
        with board.change() as document:
            document["text"] = "x" * 950
        os._exit(0)
    os.waitpid(child, 0)
    assert board.read() == {"text": "x" * 950}


@pytest.mark.slow
def test_no_change_is_lost(board: Board) -> None:
    """Threads of two processes change it at the same time."""
    child = os.fork()
    threads = [threading.Thread(target=add, args=(board, 500)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert board.read() == {"count": 2000}


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_changes_has_changed_nothing(board: Board) -> None:
    """The document is the one before, and the next change is not kept out."""
    add(board, 1)
    child = os.fork()
    if not child:
        with board.change() as document:
            document["count"] = "half"
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert board.read() == {"count": 1}
    add(board, 1)
    assert board.read() == {"count": 2}
