"""Which versions of each model there are, in memory that processes share.

Each worker loads a version at its own time. The first one to do so gives the version a cell, a part
of every row for what it answers; the others find it there. There are CELLS of them a model: the
versions loaded last are shown, and a new version takes a cell only from one that has long not been
shown.

A cell of a row is three numbers, which only the row's process writes:

    generation   which use of the cell the row counts for; each has a number of its own
    base         what the count was when that use began
    count        everything that was ever counted here

A count is never set back, so that the sum over all cells is the number of all predictions,
whatever happens to a process at whatever moment; and count - base is that of the version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from scoring.shared_memory.board import Board

CELLS: Final = 32
SHOWN: Final = 16  # versions a model; those before are shown together
CELL_WIDTH: Final = 3
GENERATION, BASE, COUNT = range(CELL_WIDTH)

_NAME_LENGTH: Final = 64
_VERSION_BYTES: Final = 6 * _NAME_LENGTH + 64 + 128  # a name's escapes, a digest, the words between
_FIELD_BYTES: Final = 64  # two numbers

# As JSON, by model: {"loads": 7, "trained": 1.7e9, "training": {"trip_distance": [4.2, 4.5]},
# "versions": [{"version": "3", "digest": "ab..", "cell": 0, "generation": 5, "order": 7}, ...]}
Entry = dict[str, Any]


def document_bytes(model: str, fields: Iterable[str]) -> int:
    """Return the most bytes that the entry of a model with these numeric fields takes."""
    size = 6 * len(model) + 128 + CELLS * _VERSION_BYTES
    return size + sum(6 * len(field) + _FIELD_BYTES for field in fields)


def enter(
    board: Board,
    model: str,
    version: str,
    digest: str,
    *,
    trained: float | None,
    training: Mapping[str, tuple[float, float]],
) -> tuple[int, int]:
    """Return cell and generation of the version of `model` that was just loaded.

    `trained` is when it was trained, in seconds since 1970, None where nobody knows; `training` has
    the mean and standard deviation of its training data by field.
    """
    version = version[:_NAME_LENGTH]
    with board.change() as document:
        entry = document.setdefault(model, {"loads": 0, "versions": []})
        entry["loads"] += 1
        entry |= {"trained": trained, "training": training}
        versions = entry["versions"]
        order = {"order": entry["loads"]}
        for known in shown(entry):
            if known["version"] == version and known["digest"] == digest:
                known.update(order)
                return known["cell"], known["generation"]
        if len(versions) == CELLS:
            cell = versions.pop(versions.index(min(versions, key=_order)))["cell"]
        else:
            cell = len(versions)
        new = {"version": version, "digest": digest, "cell": cell}
        versions.append(new | {"generation": entry["loads"]} | order)
        return cell, entry["loads"]


def shown(entry: Entry) -> list[Entry]:
    """Return the versions that are shown by name, those loaded last first."""
    return sorted(entry["versions"], key=_order, reverse=True)[:SHOWN]


def _order(version: Entry) -> int:
    order: int = version["order"]
    return order
