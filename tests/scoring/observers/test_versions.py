"""Versions: each gets a cell, the newest are shown, and nothing that was counted is lost."""

from __future__ import annotations

import pytest

from scoring.observers import versions
from scoring.observers.versions import CELLS, SHOWN, shown
from scoring.shared_memory.board import Board
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Store


@pytest.fixture
def board() -> Board:
    layout = Layout()
    layout.document(versions.document_bytes("ride", ["trip_distance"]))
    return Board(Store(layout, rows=1))


def enter(board: Board, version: str, digest: str = "d") -> tuple[int, int]:
    training = {"trip_distance": (1.0, 2.0)}
    return versions.enter(board, "ride", version, digest * 64, trained=1.0, training=training)


def names(board: Board) -> list[str]:
    return [version["version"] for version in shown(board.read()["ride"])]


def test_a_version_has_one_cell_whoever_loads_it(board: Board) -> None:
    """Each worker loads it at its own time."""
    assert enter(board, "1") == enter(board, "1")
    assert enter(board, "2") != enter(board, "1")
    assert names(board) == ["1", "2"]


def test_a_number_that_means_another_file_is_another_version(board: Board) -> None:
    """A registry can be made anew, and count from 1 again."""
    assert enter(board, "1", "a") != enter(board, "1", "b")


def test_the_newest_are_shown_and_cells_come_back(board: Board) -> None:
    """After months of versions there are as many cells as ever; none that is shown is taken."""
    for number in range(500):
        cell, _ = enter(board, str(number))
        assert 0 <= cell < CELLS
        cells = [version["cell"] for version in board.read()["ride"]["versions"]]
        assert len(set(cells)) == len(cells)
    assert names(board) == [str(number) for number in range(499, 499 - SHOWN, -1)]


def test_a_version_that_comes_back_is_new_again(board: Board) -> None:
    """A rollback within the shown ones goes on counting; one long after begins anew."""
    first = enter(board, "old")
    for number in range(SHOWN - 1):
        enter(board, str(number))
    assert enter(board, "old") == first
    assert names(board)[0] == "old"
    for number in range(SHOWN):
        enter(board, f"new {number}")
    assert enter(board, "old") != first


def test_the_longest_names_find_room(board: Board) -> None:
    """The memory is made once, for the worst that can come."""
    for number in range(CELLS):
        name = f"{number}" + '\x01\\"é' * 99
        training = {"trip_distance": (-1.2e-300,) * 2}
        versions.enter(board, "ride", name, "d" * 64, trained=1.0, training=training)
    assert len(board.read()["ride"]["versions"]) == CELLS
