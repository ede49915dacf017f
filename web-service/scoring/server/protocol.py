"""gunicorn's ASGI protocol, with what a service in the open needs beside it.

gunicorn 26.2 leaves a request that comes before the answer to the one before unread, closes a
connection whose sender only stopped sending, never closes an idle one, answers malformed requests
in plain text, and resets a connection whose upload it refuses before the caller has read why.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from gunicorn.asgi.protocol import (
    ASGIProtocol,
    _get_cached_date_header,
    _get_cached_status_line,
)

from scoring.server import framing
from scoring.server.progress import Progress

if TYPE_CHECKING:
    from scoring.server.worker import Worker

# Most clients send all of a body before they listen, and would see a broken connection instead of
# the answer that says why. So what nobody reads is thrown away as it comes: this much, so long.
DISCARDED_BYTES: Final = 64 * 1024 * 1024
DISCARDED_S: Final = 5.0

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}

QUIET_S: Final = 1.0  # during a stop, a connection that sends nothing for so long is closed
EARLY_BYTES: Final = 64 * 1024  # of further requests that a connection may send ahead
AT_ONCE: Final = 32  # answers, before other connections have their turn
# The parser gives back no more than 64 KiB of what comes behind a request, and drops the rest.
FED_BYTES: Final = 16 * 1024


class Protocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types for it
    """One connection. `since` is when its state began: idle, sending a head, being answered, or
    ending; the worker looks in every second and has overdue() close what takes too long."""

    worker: Worker

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.since = worker.now
        self._closed: bool = False
        self._current_request: Any = None
        self._begun = False  # a part of a request has come
        self._in_head = True  # but not its whole head
        self._head = b""  # that part of it
        self._held: dict[bytes, bytes] | None = None  # the head of one to be answered at once
        self._parts: list[bytes] = []  # and what has come of its body
        self._at_once = 0  # answered since other connections had their turn
        self._unread = Progress()
        self._early = b""  # of the next request, come while this one is being answered
        self._ended = False  # the other side sends no more
        self._discarded: int | None = None  # bytes thrown away, once that is all we do

    def connection_made(self, transport: Any) -> None:
        """Takes the connection, or says that there are too many."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._peer: str = peer[0] if isinstance(peer, tuple) else ""
        self.worker.connections.add(self)
        if len(self.worker.connections) > self.cfg.worker_connections:
            self._refuse(503, "too many connections; try again in a moment")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, unless the data is of a later request, or nobody's."""
        self._at_once = 0
        for start in range(0, len(data), FED_BYTES):
            part = data[start : start + FED_BYTES]
            while part:
                part = self._take(part)

    def _take(self, data: bytes) -> bytes:
        """Gives what is left to be taken now."""
        if self._discarded is not None:
            self._discarded += len(data)
            if self._discarded > DISCARDED_BYTES:
                self.transport.abort()
            return b""
        if self._closed:
            return b""
        receiver = self._body_receiver
        if receiver is not None and receiver._complete:
            self._early += data
            if len(self._early) > EARLY_BYTES:
                self._pause_reading()
            return b""
        if not (self._feed_head(data) if self._in_head else self._feed_callback_parser(data)):
            return b""
        parser = self._callback_parser
        if parser.is_complete:
            self._early = parser.remaining()
            if self._held is not None and self._answer_held(self._held):
                early, self._early = self._early, b""
                return early
        return b""

    def _feed_head(self, data: bytes) -> bool:
        if not self._begun:
            self._begun = True
            self.since = self.worker.now
        self._head += data
        if not self._feed_callback_parser(data):
            return False
        if not self._in_head:
            head, self._head = self._head, b""
            if not framing.is_strict(head):
                self._current_request = self._held = None  # nor is it one
                self._in_head = True
                self._refuse(400, "a line of the head is folded, or does not end in CR LF")
                return False
        return True

    def _answer_held(self, headers: dict[bytes, bytes]) -> bool:
        """Answers a whole request here and now, if the front does: that takes less than waking the
        connection's task up for it, and the same bytes go out."""
        body = b"".join(self._parts)
        answer = None
        if not self._ended:
            answer = self.app.at_once(self._callback_parser.path, headers, body, self._peer)
        if answer is None:
            self._hand_over()
            return False
        status, answered, content = answer
        parts = [_get_cached_status_line((1, 1), status, _REASONS[status])]
        parts += [b"%b: %b\r\n" % header for header in answered]
        parts += (_get_cached_date_header(), b"\r\n", content)
        self._safe_write(b"".join(parts))
        self._held = None
        self._at_once += 1
        self._callback_parser.reset()
        self._begin_anew()
        return True

    def _hand_over(self) -> None:
        """Gives a request that was held to the connection's task, like any other."""
        self._held = None
        super()._on_headers_complete()
        self._body_receiver.feed(b"".join(self._parts))
        if self._callback_parser.is_complete:
            self._body_receiver.set_complete()

    def _begin_anew(self) -> None:
        self.since = self.worker.now
        self._begun = False
        self._in_head = True

    def eof_received(self) -> bool:
        """Answers what has come to whoever only stopped sending."""
        if self._discarded is not None or self._closed or self._in_head:
            return False
        self._ended = True
        if self._held is not None:
            self._hand_over()
        if not self._body_receiver._complete:
            self._body_receiver.signal_disconnect()
        return not self._is_ssl  # TLS closes both ways at once

    def overdue(self, now: float, stopping_since: float | None) -> None:
        """Ends the connection if it has been in its state for too long. Of a stop it learns when
        that began: what is idle then may have a request on its way to us."""
        waited = now - self.since
        unsent = self.transport.get_write_buffer_size()
        if self._unread.stalled_s(unsent, now) > self.cfg.timeout:
            self.transport.abort()  # an answer that nobody reads
        elif self._discarded is not None:
            if waited > DISCARDED_S:
                self.transport.abort()
        elif self._current_request is None and not self._closed:
            if self._begun and waited > self.cfg.timeout:
                self._refuse(408, f"the request did not come within {self.cfg.timeout} seconds")
            elif not self._begun and (
                waited > self.cfg.keepalive
                or (stopping_since and now - max(self.since, stopping_since) > QUIET_S)
            ):
                self.transport.close()

    def _on_headers_complete(self) -> bool:
        parser = self._callback_parser
        headers = {name.lower(): value for name, value in parser.headers}
        framing.check(headers, chunked=parser.is_chunked)
        self._in_head = False
        if (
            self.app.is_plain(parser.method, parser.path, headers)
            and len(headers) == len(parser.headers)  # none of them twice
            and parser.http_version == (1, 1)
            and parser.should_keep_alive
            and self.worker.alive
            and self._at_once < AT_ONCE
            and not self._flow_control.write_paused  # who does not read gets no more to read
        ):
            self._held = headers
            self._parts = []
            return False
        return bool(super()._on_headers_complete())

    def _on_body(self, chunk: bytes) -> None:
        if self._held is None:
            super()._on_body(chunk)
        else:
            self._parts.append(chunk)

    def _handle_h1c_exception(self, exc: Exception) -> bool:
        """Is given what the parser raises. Whatever it is, the request cannot be read."""
        if not super()._handle_h1c_exception(exc):
            self._refuse(400, str(exc))
        return True

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        return False  # nothing here speaks it: the request is answered as what it is else

    def _arm_keepalive_timer(self) -> None:
        """Is called when an answer is out and the parser set back: goes on with what came early."""
        self._begin_anew()
        if self._early:
            data, self._early = self._early, b""
            self.data_received(data)
        if self._ended and self._in_head:
            self._close_transport()

    def _is_last(self, request: Any) -> bool:
        receiver = self._body_receiver
        unread = receiver is not None and not receiver._complete
        leaving = not self.worker.alive or (self._ended and not self._early)
        return unread or leaving or bool(request.should_close())

    async def _handle_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Is called with each request; says whether the connection is kept. Every answer of our app
        is whole and knows its length, which makes this a third of what gunicorn does for any app's.
        """
        scope = self._build_http_scope(request, sockname, peername)
        head: list[bytes] = []

        async def send(message: dict[str, Any]) -> None:
            if self._closed:
                return  # nobody listens any more
            if message["type"] == "http.response.start":
                head.append(self._head_of(message, request))
            elif message["type"] == "http.response.body":
                body = b"" if request.method == "HEAD" else message["body"]
                self._safe_write(head[0] + body)
                await self._flow_control.drain()
            else:
                self._send_informational(message["status"], message["headers"], request)

        try:
            await self.app(scope, self._body_receiver.receive, send)
        except Exception:
            self.log.exception("The front failed")
            if not head:
                self._send_error_response(500, "")
            return False
        return not self._is_last(request)

    def _head_of(self, message: dict[str, Any], request: Any) -> bytes:
        status = message["status"]
        parts = [_get_cached_status_line(request.version, status, _REASONS[status])]
        parts += [b"%b: %b\r\n" % header for header in message["headers"]]
        if self._is_last(request):
            parts.append(b"Connection: close\r\n")
        elif request.version < (1, 1):
            parts.append(b"Connection: keep-alive\r\n")
        parts += (_get_cached_date_header(), b"\r\n")
        return b"".join(parts)

    def _refuse(self, status: int, message: str) -> None:
        if not self._in_head:
            message = f"the body cannot be read to its end: {message}"
        self._send_error_response(status, message)
        self._close_transport()

    def _send_error_response(self, status: int, message: str) -> None:
        status, headers, body = self.app.of_no_request(status, message)
        lines = [b"HTTP/1.1 %d %b" % (status, _REASONS[status].encode())]
        lines += [name + b": " + value for name, value in headers]
        self._safe_write(b"\r\n".join([*lines, b"Connection: close", b"", body]))

    def _close_transport(self) -> None:
        """Closes; where more may be on its way, only our side at first."""
        receiver = self._body_receiver
        read_all = receiver is not None and receiver._complete and not self._early
        if self._closed or self._ended or read_all or not self.transport:
            super()._close_transport()
            return
        self._closed = True
        self._discarded = 0
        self.since = self.worker.now
        self._resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
