"""A file to which several processes append whole lines, exchanged for a new one when it is full.

predictions.jsonl                               what is written to
predictions.2026-11-21T06-38-00.123456Z.jsonl   full; its name never changes again
.predictions.jsonl.lock                         who holds it writes, exchanges and deletes
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_OPEN: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_TAIL: Final = 1024 * 1024


class Files:
    """Appends to `path`, and keeps `keep` full files of about `max_bytes` beside it."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._keep = keep
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._file: int | None = None

    def check(self) -> None:
        """Raise OSError where nothing can be written."""
        with self._locked():
            self._current()
        self.close()

    def append(self, lines: bytes) -> None:
        """Append whole lines: all of them, or, with an OSError, none."""
        with self._locked():
            file = self._current()
            before = os.fstat(file).st_size
            if before and before + len(lines) > self.max_bytes:
                file, before = self._exchange(), 0
            try:
                rest = memoryview(lines)
                while rest:
                    rest = rest[os.write(file, rest) :]
            except OSError:
                os.ftruncate(file, before)  # nobody else has written: we have the lock
                raise

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._lock_path, _OPEN, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _current(self) -> int:
        """Return the file at `path`, which another process or a person may have moved away."""
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self.path.lstat(), os.fstat(self._file)):
                    return self._file
            self.close()
        self._file = os.open(self.path, _OPEN, 0o600)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            self.close()
            raise OSError(errno.EINVAL, "it is not a regular file")
        _mend(self._file)
        return self._file

    def _exchange(self) -> int:
        when = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        self.path.rename(self.path.with_name(f"{self.path.stem}.{when}{self.path.suffix}"))
        stamp = "[0-9]" * 4 + "-[0-9][0-9]-[0-9][0-9]T*Z"
        full = sorted(self.path.parent.glob(f"{self.path.stem}.{stamp}{self.path.suffix}"))
        for old in full[: -self._keep]:
            old.unlink(missing_ok=True)
        return self._current()


def _mend(file: int) -> None:
    """Cut off a last line without an end: its writer was killed."""
    size = os.fstat(file).st_size
    tail = os.pread(file, _TAIL, max(0, size - _TAIL))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(file, size - len(tail) + tail.rfind(b"\n") + 1)
