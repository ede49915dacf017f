"""gunicorn's threaded worker, with a stop that loses nothing and waits for nobody.

At SIGTERM gunicorn's own worker (26.2) leaves the connections that wait to be accepted in the
kernel, which resets them; closes a connection whose answer has just promised to keep it, perhaps
with the next request on its way; and waits the whole grace period for connections that are idle.
"""

from __future__ import annotations

import selectors
import time
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from gunicorn.workers import gthread
from gunicorn.workers.gthread import TConn, ThreadWorker

QUIET_S: Final = 1.0  # a connection that sends nothing for so long holds no thread and no stop


class Worker(ThreadWorker):
    """Accepts what has come, answers it, and closes a kept connection once it is quiet."""

    def handle(self, conn: TConn) -> Any:
        """Answers a request; a connection that says nothing soon goes back to the poller."""
        if conn.initialized or conn.wait_for_data(QUIET_S):
            return super().handle(conn)
        return gthread._DEFER  # type: ignore[attr-defined]  # the stubs leave it out

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Ends accepting, at a stop only after everything that waits has been accepted."""
        stopping = not (enabled or self.alive)
        if stopping:
            for listener in self.sockets:
                before = -1
                while before != self.nr_conns:
                    before = self.nr_conns
                    self.accept(listener)
            quiet = time.monotonic() + QUIET_S
            for conn in (*self.keepalived_conns, *self.pending_conns):
                conn.timeout = min(conn.timeout or quiet, quiet)
        super().set_accept_enabled(enabled)
        if stopping:
            for listener in self.sockets:
                listener.close()  # from here on, a new connection is refused

    def wait_for_and_dispatch_events(self, timeout: float | None) -> None:
        """Looks up often enough during a stop to see that a connection is quiet."""
        super().wait_for_and_dispatch_events(timeout if self.alive else 0.1)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keeps a connection, also during a stop, whose answer said that it is kept."""
        if self.alive or fs.cancelled() or fs.exception() or fs.result() is not True:
            super().finish_request(conn, fs)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + QUIET_S
        self.keepalived_conns.append(conn)
        callback = partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)
