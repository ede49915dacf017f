"""Keep the one poller of a service running, whichever of its processes starts it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
import time
from typing import Final, Protocol

from scoring.registry.cache import RegistryCache
from scoring.registry.settings import RegistrySettings
from scoring.registry.subprocess_env import FOLDER, command, environment

RESPAWN_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Poller(Protocol):
    """What keeps the registry polled."""

    def keep_running(self, *, now: bool = False) -> None:
        """Start the poller where none runs; unless `now`, not right after its last start."""

    def exit_status(self) -> int | None:
        """Return the exit status of the poller that this process started, if it has ended."""

    def close(self) -> None:
        """End the poller, where this process started it."""


class PollerProcess:
    """The poller as a process of its own.

    Whoever holds the lock is the poller: it inherits the lock, so that no other can start in
    between, and its standard input ends with the process that started it.
    """

    def __init__(self, settings: RegistrySettings, models: list[str], cache: RegistryCache) -> None:
        self._settings = settings
        self._models = models
        self._cache = cache
        self._process: subprocess.Popen[bytes] | None = None
        self._status: int | None = None

    def keep_running(self, *, now: bool = False) -> None:
        """Start the poller where none runs; unless `now`, not within 5 s of its last start."""
        if self._process and self._process.poll() is not None:
            # ended, or that of the process we were forked from, which holds the pipe as well
            self._status = self._process.returncode
            if self._process.stdin:
                self._process.stdin.close()
            self._process = None
        if not self._cache.is_complete(self._models):
            self._cache.prepare(self._models)  # something cleans up temporary folders
        path = self._cache.lock_path(self._models)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            pause = 0.0 if now else RESPAWN_SECONDS
            if 0 <= time.time() - os.fstat(lock).st_mtime < pause:
                return
            os.utime(lock)
            self._process, self._status = self._start(lock), None
        except BlockingIOError:
            return  # it runs
        except OSError as error:
            _log.warning("the registry poller cannot be started: %s", error.strerror)
        finally:
            os.close(lock)

    def exit_status(self) -> int | None:
        """Return the exit status of the poller that this process started, if it has ended."""
        ended = self._process.poll() if self._process else None
        return self._status if ended is None else ended

    def close(self) -> None:
        """End the poller, where this process started it."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait(30)

    def _start(self, lock: int) -> subprocess.Popen[bytes]:
        names = set(RegistrySettings.model_fields)
        start = {
            "settings": self._settings.model_dump(mode="json", include=names),
            "models": self._models,
        }
        process = subprocess.Popen(  # noqa: S603  # our own words
            command("poller"),
            stdin=subprocess.PIPE,
            env=environment(),
            cwd=FOLDER,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C at the terminal is for gunicorn
        )
        assert process.stdin is not None  # noqa: S101  # for the type checker
        process.stdin.write(json.dumps(start).encode() + b"\n")
        process.stdin.flush()
        return process
