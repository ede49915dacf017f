"""A real redis-server on a free port."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import free_port, skip_or_fail, wait_for
from tests.support.programs import installed


def client(port: int, **options: Any) -> Any:
    """Return redis-py's client; skip the test where the package is not installed."""
    try:
        import redis
    except ImportError:
        skip_or_fail("redis is not installed: pipenv sync --categories redis")
    return redis.Redis(port=port, **options)


class RedisServer:
    """A redis-server that writes all it has to its folder, and can be stopped and started."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.client = client(self.port)
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [installed("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
                   "--dir", str(self._folder), "--appendonly", "yes", "--save", "",
                   *self._options]  # fmt: skip
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self._answers, "redis-server to answer")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def url(self, stream: str) -> str:
        return f"redis://127.0.0.1:{self.port}/{stream}"

    def values(self, stream: str) -> list[bytes]:
        """Return the values of a stream's entries, in order."""
        return [fields[b"value"] for _, fields in self.client.xrange(stream)]

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self.client.ping())
        return False


@contextlib.contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a redis-server until the block ends."""
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.client.close()
