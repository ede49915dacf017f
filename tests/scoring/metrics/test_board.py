"""Versions: each gets a cell, the newest are shown, and nothing that was counted is lost."""

from __future__ import annotations

from scoring.metrics.board import CELLS, SHOWN, Board, shown, size
from scoring.metrics.store import Store

MODELS = {"ride": ["trip_distance"]}


def made() -> Board:
    return Board(Store(1, gauges=0, rows=1, board_bytes=size(MODELS)))


def enter(board: Board, version: str, digest: str = "d") -> tuple[int, int]:
    return board.enter(
        "ride", version, digest * 64, trained=1.0, training={"trip_distance": (1.0, 2.0)}
    )


def names(board: Board) -> list[str]:
    return [found["version"] for found in shown(board.read()["ride"])]


def test_a_version_has_one_cell_whoever_loads_it() -> None:
    """Each worker loads it at its own time."""
    board = made()
    assert enter(board, "1") == enter(board, "1")
    assert enter(board, "2") != enter(board, "1")
    assert names(board) == ["1", "2"]


def test_a_number_that_means_another_file_is_another_version() -> None:
    """A registry can be made anew, and count from 1 again."""
    board = made()
    assert enter(board, "1", "a") != enter(board, "1", "b")


def test_the_newest_are_shown_and_cells_come_back() -> None:
    """After months of versions there are as many cells as ever; none that is shown is taken."""
    board = made()
    for number in range(500):
        cell, _ = enter(board, str(number))
        assert 0 <= cell < CELLS
        cells = [found["cell"] for found in board.read()["ride"]["versions"]]
        assert len(set(cells)) == len(cells)
    assert names(board) == [str(number) for number in range(499, 499 - SHOWN, -1)]


def test_a_version_that_comes_back_is_new_again() -> None:
    """A rollback within the shown ones goes on counting; one long after begins anew."""
    board = made()
    first = enter(board, "old")
    for number in range(SHOWN - 1):
        enter(board, str(number))
    assert enter(board, "old") == first
    assert names(board)[0] == "old"
    for number in range(SHOWN):
        enter(board, f"new {number}")
    assert enter(board, "old") != first


def test_the_longest_names_find_room() -> None:
    """The memory is made once, for the worst that can come."""
    board = made()
    for number in range(CELLS):
        name = f"{number}" + '\x01\\"é' * 99
        board.enter(
            "ride", name, "d" * 64, trained=1.0, training={"trip_distance": (-1.2e-300,) * 2}
        )
    assert len(board.read()["ride"]["versions"]) == CELLS
