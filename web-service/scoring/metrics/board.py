"""Which versions of each model there are: one small document, in memory that processes share.

Each worker loads a version at its own time. The first one to do so gives the version a cell, a
place in every row for what it answers; the others find it there. There are CELLS of them a model:
the versions loaded last are shown, and a cell is taken for a new version only from one that has
long not been shown.

A cell of a row is three numbers, which only the row's process writes:

    generation   which use of the cell the row counts for; each has a number of its own
    base         what the count was when that began
    count        everything that was ever counted here

A count is never set back, so that the sum over all cells is the number of all predictions,
whatever happens to a process at whatever moment; and count - base is that of the version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from scoring.metrics.store import BOARD, Store

CELLS: Final = 32
SHOWN: Final = 16  # versions a model; those before are shown together
CELL_WIDTH: Final = 3
GENERATION, BASE, COUNT = range(CELL_WIDTH)

_NAME_LENGTH: Final = 64
_HEAD_BYTES: Final = 8
_VERSION_BYTES: Final = 6 * _NAME_LENGTH + 64 + 128  # a name's escapes, a digest, the words between
_FIELD_BYTES: Final = 64  # two numbers
_LENGTHS: Final = 2**32

# As JSON: {"loads": 7, "trained": 1.7e9, "training": {"trip_distance": [4.2, 4.5]},
# "versions": [{"version": "3", "digest": "ab..", "cell": 0, "generation": 5, "order": 7}, ...]}
Document = dict[str, Any]


def size(models: Mapping[str, Iterable[str]]) -> int:
    """Gives the bytes that a board takes: `models` are the names of each one's numeric fields."""
    half = 0
    for name, fields in models.items():
        half += 6 * len(name) + 128 + CELLS * _VERSION_BYTES
        half += sum(6 * len(field) + _FIELD_BYTES for field in fields)
    return _HEAD_BYTES + 2 * half


class Board:
    """The document, by model. It is written aside and then made the one that counts, so that
    a process that ends while it writes has changed nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._head = store.board[:_HEAD_BYTES].cast("q")  # where the document is, and its length
        self._halves = (_HEAD_BYTES, _HEAD_BYTES + (len(store.board) - _HEAD_BYTES) // 2)

    def read(self) -> Mapping[str, Document]:
        """Gives the document of each model that was loaded."""
        with self._store.locked(BOARD, shared=True):
            return self._read()

    def enter(
        self,
        model: str,
        version: str,
        digest: str,
        *,
        trained: float,
        training: Mapping[str, tuple[float, float]],
    ) -> tuple[int, int]:
        """Gives (cell, generation) of the version of `model` that was just loaded. `trained` is
        when it was, in seconds since 1970; `training` has the mean and standard deviation of its
        training data, by field."""
        version = version[:_NAME_LENGTH]
        with self._store.locked(BOARD):
            whole = self._read()
            document = whole.setdefault(model, {"loads": 0, "versions": []})
            document["loads"] += 1
            document |= {"trained": trained, "training": training}
            versions = document["versions"]
            order = {"order": document["loads"]}
            for found in shown(document):
                if found["version"] == version and found["digest"] == digest:
                    found.update(order)
                    self._write(whole)
                    return found["cell"], found["generation"]
            if len(versions) == CELLS:
                cell = versions.pop(versions.index(min(versions, key=_order)))["cell"]
            else:
                cell = len(versions)
            mine = {"version": version, "digest": digest, "cell": cell}
            versions.append(mine | {"generation": document["loads"]} | order)
            self._write(whole)
            return cell, document["loads"]

    def _read(self) -> dict[str, Document]:
        start, length = divmod(self._head[0], _LENGTHS)
        found: dict[str, Document] = orjson.loads(
            self._store.board[start : start + length] or b"{}"
        )
        return found

    def _write(self, whole: Mapping[str, Document]) -> None:
        data = orjson.dumps(whole)
        first, second = self._halves
        start = second if self._head[0] // _LENGTHS == first else first
        self._store.board[start : start + len(data)] = data
        self._head[0] = start * _LENGTHS + len(data)


def shown(document: Document) -> list[Document]:
    """Gives the versions that are shown by name, those loaded last first."""
    return sorted(document["versions"], key=_order, reverse=True)[:SHOWN]


def _order(version: Document) -> int:
    order: int = version["order"]
    return order
