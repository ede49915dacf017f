"""A publisher of one file that fails as a test tells it to, and how tests fetch that file."""

import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import ROOT
from training.data.download import Patience, fetch
from training.data.publishers import months
from training.errors import DownloadError

NAME = "green_tripdata_2021-04.parquet"  # its checksum is not known
QUICK = Patience(connect_s=2, read_s=2, tries=2)
ONCE = replace(QUICK, tries=1)
DEADLINE_S = 20
CUT = 98_304  # where lines break: some whole chunks, so that all that came is kept
HTML = (("Content-Type", "text/html"),)


def parquet(path: Path, seed: int, rows: int = 50_000) -> bytes:
    """The bytes of a parquet file of 400 kB, of noise so that no codec makes it small."""
    numbers = np.random.default_rng(seed).integers(0, 2**63, rows)
    pq.write_table(pa.table({"n": numbers}), path, use_dictionary=False)
    return path.read_bytes()


def holed(body: bytes) -> bytes:
    """The bytes with a stretch of zeros, as a power cut may leave them."""
    return body[:100_000] + bytes(100_000) + body[200_000:]


def read_all(terminal: int) -> str:
    """What was written to the terminal until its last writer closed it."""
    shown = b""
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:  # how Linux says that nobody is left to write
        pass
    os.close(terminal)
    return shown.decode()


@dataclass(frozen=True)
class Answer:
    """How the server answers one request; as it is, the way a good server would."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    etag: str | None = '"one"'
    modified: str | None = "Mon, 04 Jan 2021 10:00:00 GMT"
    cut_at: int | None = None  # offset in the file after which the connection is closed
    stall_at: int | None = None  # offset after which nothing comes until `released`
    reset: bool = False  # with cut_at: the connection is reset instead of closed
    ranges: bool = True
    heeds_if_range: bool = True
    announces: int = 0  # bytes by which Content-Length is wrong
    body: bytes | None = None  # instead of the file
    shift: int = 0  # bytes by which a range begins too late


class Publisher(ThreadingHTTPServer):
    """Serves one file at any path, by `script` first and by `usual` once that is used up."""

    daemon_threads = True

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.usual = Answer()
        self.script: list[Answer] = []
        self.requests: list[Message] = []
        self.errors: list[BaseException | None] = []
        self.released = threading.Event()

    def handle_error(self, *_: object) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):  # clients are killed and lose their patience here
            self.errors.append(error)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def ranges(self) -> list[str | None]:
        return [headers["Range"] for headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Publisher

    def do_GET(self) -> None:
        self.server.requests.append(self.headers)
        answer = self.server.script.pop(0) if self.server.script else self.server.usual
        body = self.server.body if answer.body is None else answer.body
        start = self._start(answer)
        if start >= len(body) > 0:
            self._head(416, answer, [("Content-Range", f"bytes */{len(body)}")], 0)
        elif start:
            start += answer.shift
            told = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._head(206, answer, [("Content-Range", told)], len(body) - start)
        else:
            self._head(answer.status, answer, [], len(body))
        self._send(body, start, answer)

    def _start(self, answer: Answer) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        fresh = condition in {None, answer.etag, answer.modified} or not answer.heeds_if_range
        return int(asked[1]) if asked and answer.ranges and fresh and answer.status == 200 else 0

    def _head(
        self, status: int, answer: Answer, headers: list[tuple[str, str]], length: int
    ) -> None:
        self.send_response(status)
        validators = [("ETag", answer.etag), ("Last-Modified", answer.modified)]
        told = dict([("Content-Type", "binary/octet-stream"), *headers, *answer.headers])
        for name, value in [*told.items(), *validators]:
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length + answer.announces))
        self.end_headers()

    def _send(self, body: bytes, start: int, answer: Answer) -> None:
        stop = answer.cut_at if answer.stall_at is None else answer.stall_at
        try:
            self.wfile.write(body[start:stop])
            if answer.stall_at is not None:
                self.server.released.wait(DEADLINE_S)
                self.wfile.write(body[max(start, answer.stall_at) :])
        finally:
            if answer.reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if answer != Answer():
                self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Child:
    """A process of its own that fetches the month."""

    def __init__(self, cache: Path, base: str, output: Path, setup: str = "") -> None:
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(command(cache, base, setup), stdout=file, stderr=file)

    def said(self) -> str:
        return self.output.read_text()


def command(cache: Path, base: str, setup: str = "") -> list[str]:
    """The command line of a process that fetches the month, after `setup`."""
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from training.data.download import fetch
from training.data.publishers import months
from training.errors import DownloadError
{setup}
try:
    print(*fetch(months(["2021-04"], {base!r}), Path({str(cache.parent)!r})))
except DownloadError as error:
    sys.exit(str(error))
"""
    return [sys.executable, "-c", code]


def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; fail if that takes too long."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def left_in(cache: Path) -> set[str]:
    """What the folder holds apart from locks, named by what follows the month's name."""
    names = {path.name.removeprefix(NAME) for path in cache.iterdir()}
    return names - {".lock"}


def april(
    publisher: Publisher, cache: Path, patience: Patience = ONCE, progress: bool | None = None
) -> Path:
    """The month's file, fetched in this process."""
    files = months(["2021-04"], publisher.base)
    [file] = fetch(files, cache.parent, patience=patience, progress=progress)
    return file


def begin(publisher: Publisher, cache: Path, **how: object) -> None:
    """Have a first try break off after CUT bytes; the next one finds the server well again."""
    publisher.script = [replace(Answer(cut_at=CUT), **how)]  # type: ignore[arg-type]
    with pytest.raises(DownloadError):
        april(publisher, cache)
    publisher.requests.clear()
