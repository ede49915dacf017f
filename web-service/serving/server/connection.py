"""One connection: HTTP/1.1 over gunicorn's request parser.

A request's bytes arrive in data_received() and go to the parser, which calls _on_head() when the
head is whole and _on_body() with each part of the body. Then it is answered in one of two ways:

    a small record for /predict:  AsgiApp.try_fast_path, here in the event loop
    anything else, and what that cannot answer:  _delegate(), a task that calls AsgiApp

Either way _write_answer() sends the whole answer in one write. Pipelining is not supported: bytes
behind a request are ignored, and its answer says that the connection closes.

gunicorn's own connection (26.2) costs twice the CPU time for a record. It also never closes an idle
connection before its first request, closes one whose sender only stopped sending, takes lines that
end in a bare LF, answers malformed requests in plain text, resets a connection whose upload it
refuses before the caller has read why, and closes kept connections at a stop without saying so.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any, Final

from serving.server import framing, gunicorn_api, messages
from serving.server.host import Host
from serving.server.messages import Headers, Version
from serving.server.progress import Progress
from serving.server.request_body import RequestBody

# Most clients send all of a body before they listen, and would see a broken connection instead of
# the answer that says why. So what nobody reads is thrown away as it comes: this much, so long.
DISCARDED_BYTES: Final = 64 * 1024 * 1024
DISCARDED_S: Final = 5.0

QUIET_S: Final = 1.0  # during a stop, a connection that sends nothing for so long is closed
_UNSENT_BYTES: Final = 64 * 1024  # whoever leaves more unread is not read from
_REPEATED_BYTES: Final = 2048  # of a head that is kept, to tell whether it comes again


class _State(Enum):
    IDLE = "nothing of a request has come"
    HEAD = "a part of a head has come"
    BUFFERING = "the head is whole; the body is gathered for the fast path"
    DELEGATED = "a task answers"
    LINGERING = "the last answer is out; what still comes is thrown away"
    CLOSED = "nothing is read or written any more"


class Connection(asyncio.Protocol):
    """A client's connection; `since` is when its state began, in seconds of the monotonic clock."""

    def __init__(self, host: Host) -> None:
        """Make a connection that `host` is about to accept."""
        self._host = host
        self._service = host.service
        self._cfg = host.cfg
        self._keeps = host.cfg.keepalive > 0
        # where none is kept, an idle connection is one whose first request has not come yet
        self._idle_s = host.cfg.keepalive if self._keeps else host.cfg.timeout
        self.since = host.now
        self._state = _State.IDLE
        self._parser = gunicorn_api.new_parser(host.cfg, self._on_head, self._on_body)
        self._transport: Any = None
        self._peer: tuple[str, int] | None = None
        self._head = b""  # the bytes of the head, as long as it is not whole
        self._headers: dict[bytes, bytes] = {}  # of the last head that the fast path took
        self._plain_head = b""  # that head
        self._buffered: list[bytes] = []
        self._body: RequestBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._progress = Progress()
        self._pipelined = False  # bytes have come behind the request
        self._half_closed = False  # the client sends no more, and still reads
        self._discarded = 0  # bytes

    def connection_made(self, transport: Any) -> None:
        """Take the connection, or answer that there are too many."""
        self._transport = transport
        transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        self._peer = messages.address(transport.get_extra_info("peername"))
        self._host.connections.add(self)
        if len(self._host.connections) > self._cfg.worker_connections:
            self._refuse(503, "too many connections; try again in a moment")

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the connection; a task that answers it may finish within a grace period."""
        self._state = _State.CLOSED
        self._host.connections.discard(self)
        if self._body:
            self._body.break_off()
        if self._task and not self._task.done():
            grace_s = self._cfg.asgi_disconnect_grace_period
            self._host.loop.call_later(grace_s, self._task.cancel)
        # the parser in C is invisible to the garbage collector: with it, all of this would stay
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless nobody will read the data."""
        if self._state is _State.LINGERING:
            self._discarded += len(data)
            if self._discarded > DISCARDED_BYTES:
                self._transport.abort()
        elif self._parser.is_complete:
            self._pipelined = self._pipelined or bool(data.strip(b"\r\n"))
        elif self._state is not _State.CLOSED:
            self._feed(data)

    def eof_received(self) -> bool:
        """Answer a request that has begun: its sender may only have stopped sending."""
        if self._state not in (_State.BUFFERING, _State.DELEGATED):
            return False
        self._half_closed = True
        if self._state is _State.BUFFERING:
            self._delegate()
        if self._body and not self._parser.is_complete:
            self._body.break_off()
        return self._transport.get_extra_info("sslcontext") is None  # TLS closes both ways at once

    def pause_writing(self) -> None:
        """Read no more from a client that does not read (backpressure)."""
        self._pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._resume_reading()

    def overdue(self, now: float, stopping_since: float | None) -> None:
        """End the connection if it has been in its state for too long.

        During a stop, which began at `stopping_since`, an idle one may still have a request
        on its way.
        """
        waited = now - self.since
        if (
            self._progress.stalled_s(self._transport.get_write_buffer_size(), now)
            > self._cfg.timeout
        ):
            self._transport.abort()  # an answer that nobody reads
        elif self._state is _State.LINGERING:
            if waited > DISCARDED_S:
                self._transport.abort()
        elif self._state is _State.IDLE:
            stopped_s = now - max(self.since, stopping_since) if stopping_since else 0.0
            if waited > self._idle_s or stopped_s > QUIET_S:
                self._transport.close()
        elif self._state in (_State.HEAD, _State.BUFFERING) and waited > self._cfg.timeout:
            self._refuse(408, f"the request did not come within {self._cfg.timeout} seconds")

    def _feed(self, data: bytes) -> None:
        if self._state is _State.IDLE:
            self._state, self.since = _State.HEAD, self._host.now
        if self._state is _State.HEAD:
            self._head += data
        try:
            self._parser.feed(data)
        except gunicorn_api.LINE_TOO_LONG as error:
            self._refuse(414, str(error))
        except gunicorn_api.HEADERS_TOO_LARGE as error:
            self._refuse(431, str(error))
        except gunicorn_api.UNREADABLE as error:
            self._refuse(400, str(error))
        else:
            if self._parser.is_complete:
                self._on_request()

    def _on_head(self) -> bool:
        """Choose the way of a request whose head is whole; say whether it has no body (HEAD)."""
        parser = self._parser
        head, self._head = self._head, b""
        end = head.find(b"\r\n\r\n")
        if end > 0 and head[:end] == self._plain_head:
            # most clients repeat their heads: what these bytes were proved to be, they still are
            self._state, self._buffered = _State.BUFFERING, []
            return False
        pairs = gunicorn_api.lowered(parser)
        headers = dict(pairs)
        framing.check(head, headers, chunked=parser.is_chunked)
        if (
            self._service.is_fast_path_candidate(parser.method, parser.path, headers)
            and len(headers) == len(pairs)  # none of them twice
            and parser.http_version == (1, 1)
        ):
            self._state, self._headers, self._buffered = _State.BUFFERING, headers, []
            self._plain_head = head[:end] if end <= _REPEATED_BYTES else b""
        else:
            self._delegate()
        return bool(parser.method == b"HEAD")

    def _on_body(self, part: bytes) -> None:
        if self._body:
            self._body.feed(part)
        else:
            self._buffered.append(part)

    def _on_request(self) -> None:
        behind = self._parser.remaining()
        self._pipelined = bool(behind and behind.strip(b"\r\n"))
        if self._state is _State.BUFFERING:
            body = b"".join(self._buffered)
            peer = self._peer[0] if self._peer else ""
            answer = self._service.try_fast_path(self._parser.path, self._headers, body, peer)
            if answer:
                self._write_answer(*answer)
                return
            self._delegate()
        if self._body:
            self._body.finish()

    def _delegate(self) -> None:
        """Have a task answer the request, with what has come of its body."""
        self._state = _State.DELEGATED
        self._body = RequestBody(self._pause_reading, self._resume_reading)
        for part in self._buffered:
            self._body.feed(part)
        self._buffered = []
        scope = messages.scope_of(self._parser, self._transport, self._peer)
        self._task = self._host.loop.create_task(self._respond(scope, self._body))

    async def _respond(self, scope: dict[str, Any], body: RequestBody) -> None:
        start: dict[str, Any] = {}

        async def send(message: dict[str, Any]) -> None:
            if self._state is not _State.DELEGATED:
                return  # nobody listens any more
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":  # AsgiApp sends it in one piece
                self._write_answer(start["status"], start["headers"], message["body"])
            elif scope["http_version"] != "1.0":
                self._transport.write(messages.CONTINUE)

        try:
            await self._service(scope, body.receive, send)
        except Exception:
            self._host.log.exception("the request was not answered")
            if self._state is _State.DELEGATED:
                self._refuse(500, "")

    def _write_answer(self, status: int, headers: Headers, body: bytes) -> None:
        parser = self._parser
        is_old = parser.http_version == (1, 0)
        self._host.count_request()
        last = (
            self._pipelined
            or self._half_closed
            or not (self._keeps and parser.should_keep_alive)
            or not (self._host.alive and parser.is_complete)
        )
        connection = messages.CLOSE if last else messages.KEEP if is_old else b""
        content = b"" if parser.method == b"HEAD" else body
        self._write((1, 0) if is_old else (1, 1), status, headers, connection, content)
        self._body = self._task = None
        if last:
            self._close()
            return
        parser.reset()
        self._buffered = []  # the next request's body is its own
        self._state, self.since = _State.IDLE, self._host.now

    def _write(
        self, version: Version, status: int, headers: Headers, connection: bytes, body: bytes
    ) -> None:
        if not self._transport.is_closing():
            date = self._host.date
            self._transport.write(
                messages.answer_bytes(version, status, headers, connection, date, body)
            )

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is not a request that can be read, and close."""
        scope = None
        if self._state in (_State.BUFFERING, _State.DELEGATED):
            message = f"the body cannot be read to its end: {message}"
            scope = messages.scope_of(self._parser, self._transport, self._peer)
        peer = self._peer[0] if self._peer else ""
        status, headers, body = self._service.refuse(status, message, peer, scope)
        self._write((1, 1), status, headers, messages.CLOSE, body)
        if self._task:
            self._task.cancel()
        self._close()

    def _close(self) -> None:
        """Close; where more may be on its way, our side only at first (lingering close)."""
        read_whole = self._parser.is_complete and not self._pipelined
        if self._half_closed or read_whole:
            self._state = _State.CLOSED
            self._transport.close()
            return
        self._state, self.since = _State.LINGERING, self._host.now
        self._resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
