"""A small JSON document in memory that processes share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from scoring.shared_memory.store import BOARD, Store

_HEAD_BYTES: Final = 8
_LENGTHS: Final = 2**32

Document = dict[str, Any]


class Board:
    """The document, in two halves of the memory.

    It is written to the half that does not count, which then becomes the one that does: a process
    that is killed while it writes has changed nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._head = store.board[:_HEAD_BYTES].cast("q")  # where the document is, and its length
        self._halves = (_HEAD_BYTES, _HEAD_BYTES + (len(store.board) - _HEAD_BYTES) // 2)

    def read(self) -> Document:
        """Return the document; an empty one before the first change."""
        with self._store.locked(BOARD, shared=True):
            return self._read()

    @contextlib.contextmanager
    def change(self) -> Iterator[Document]:
        """Yield the document to be changed; no other process changes it meanwhile."""
        with self._store.locked(BOARD):
            document = self._read()
            yield document
            self._write(document)

    def _read(self) -> Document:
        start, length = divmod(self._head[0], _LENGTHS)
        document: Document = orjson.loads(self._store.board[start : start + length] or b"{}")
        return document

    def _write(self, document: Document) -> None:
        data = orjson.dumps(document)
        first, second = self._halves
        start = second if self._head[0] // _LENGTHS == first else first
        self._store.board[start : start + len(data)] = data
        self._head[0] = start * _LENGTHS + len(data)
