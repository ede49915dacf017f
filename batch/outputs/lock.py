"""One run a place: a lock that the operating system lets go of when the process ends, however it
ends; in an object store, a small object that is written again every few seconds."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import IO, Final

from batch.errors import UsageError
from batch.outputs.storage import Storage

_NAME: Final = "lock"
_STALE_S: Final = 60.0


class Lock:
    """Held from `take` to `release`."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage = storage
        self._name = f"{folder}/{_NAME}"
        self._me = f"process {os.getpid()} on {socket.gethostname()}"
        self._token = secrets.token_hex(8)
        self._file: IO[str] | None = None
        self._written = 0.0

    def take(self) -> None:
        """Raise UsageError where another run has it."""
        if self._storage.local:
            self._take_local(self._storage.local / self._name)
            return
        found = json.loads(self._storage.read(self._name) or b"{}")
        if found and time.time() - found["time"] < _STALE_S:
            raise self._taken(found["who"])
        self._write()
        if json.loads(self._storage.read(self._name) or b"{}").get("token") != self._token:
            raise self._taken("another process")

    def keep(self) -> None:
        """Say that the run goes on; to be called more often than once a minute."""
        if self._file is None and time.time() - self._written > _STALE_S / 4:
            self._write()

    def release(self) -> None:
        """Let go of the place."""
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError):
                Path(self._file.name).unlink()
            self._file.close()
            self._file = None
        else:
            self._storage.delete(self._name)

    def _take_local(self, path: Path) -> None:
        while self._file is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                who = file.read().strip()
                file.close()
                raise self._taken(who or "another process") from None
            # a run that just ended took the file with it: then this is nobody's lock
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                self._file = file
            else:
                file.close()
        self._file.truncate(0)
        self._file.write(self._me)
        self._file.flush()

    def _write(self) -> None:
        self._written = time.time()
        text = {"who": self._me, "token": self._token, "time": self._written}
        self._storage.write(self._name, json.dumps(text).encode())

    def _taken(self, who: str) -> UsageError:
        return UsageError(
            f"another run writes to {self._storage.uri} ({who}); wait for it, or name another place"
        )
