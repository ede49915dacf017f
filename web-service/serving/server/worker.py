"""gunicorn's worker for this service: accepts connections, and stops without losing a request.

gunicorn's own worker for ASGI (26.2) goes on for up to a second after SIGTERM as if nothing had
happened, leaves the connections that wait to be accepted in the kernel, which resets them, and
waits the whole grace period for idle ones. This one extends the documented base class of workers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, cast

import uvloop

from serving.server.connection import Connection
from serving.server.gunicorn_api import BaseWorker, LifespanManager

if TYPE_CHECKING:
    from serving.server.asgi import AsgiApp

_TICK_S: Final = 1.0
_STOPPING_TICK_S: Final = 0.05
_MARGIN_S: Final = 0.5  # before gunicorn's master kills whoever has not ended


class Worker(BaseWorker):
    """Accepts what has come, answers it, and closes a kept connection once it is quiet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a worker in the master, as gunicorn does before it forks."""
        super().__init__(*args, **kwargs)
        self.alive: bool
        self.connections: set[Connection] = set()
        self.now = time.monotonic()  # to the second, as connections' ages need no more
        self.date = b""  # of the answers, likewise
        self._was_asked = False  # whether a connection ever came
        self._quick = False

    def init_process(self) -> None:
        """Make the event loop, on which the signals are handled; then serve."""
        new_loop = (
            asyncio.new_event_loop if self.cfg.asgi_loop == "asyncio" else uvloop.new_event_loop
        )
        self._runner = asyncio.Runner(loop_factory=new_loop)
        self.loop = self._runner.get_loop()
        self._stop = asyncio.Event()
        super().init_process()

    def load_wsgi(self) -> None:
        """Take the app, and refuse to serve plain HTTP where TLS was asked for."""
        self.service = cast("AsgiApp", self.app.wsgi())
        if self.cfg.is_ssl and not self.service.tls:
            raise RuntimeError("TLS is asked for, but gunicorn.conf.py's on_starting did not run")

    def init_signals(self) -> None:
        """Have the loop handle what gunicorn's master and people send to a worker."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self.loop.add_signal_handler(signal.SIGTERM, self._stop_gracefully)
        self.loop.add_signal_handler(signal.SIGINT, self._stop_at_once)
        self.loop.add_signal_handler(signal.SIGQUIT, self._stop_at_once)
        self.loop.add_signal_handler(signal.SIGUSR1, self.log.reopen_files)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)  # it is for the master
        signal.signal(signal.SIGABRT, self.handle_abort)  # also where the loop hangs

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            self._runner.run(self._serve())
        except Exception:
            self.log.exception("the worker failed")
            sys.exit(1)
        finally:
            self._runner.close()

    def count_request(self) -> None:
        """Count an answer for --max-requests, at which the worker ends and is replaced."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Restarting after %d requests", self.nr)
            self.alive = False
            self._stop.set()

    def _stop_gracefully(self) -> None:
        self.service.lifetime.stopping = True
        self.alive = False
        self._stop.set()

    def _stop_at_once(self) -> None:
        self._quick = True
        self.alive = False
        self._stop.set()
        self.cfg.worker_int(self)

    async def _serve(self) -> None:
        lifespan = LifespanManager(self.service, self.log)
        await lifespan.startup()
        self._look_around()
        tls = self.service.tls  # made by the master
        servers = [
            await self.loop.create_server(
                self._connect, sock=listener.sock, backlog=self.cfg.backlog,
                ssl=tls.context if tls else None,
                ssl_handshake_timeout=self.cfg.timeout if tls else None,
            )
            for listener in cast("list[Any]", self.sockets)  # gunicorn's wrappers of sockets
        ]  # fmt: skip
        while self.alive:
            self._look_around()
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False
                break
            try:
                await asyncio.wait_for(self._stop.wait(), _TICK_S)
            except TimeoutError:
                continue
        await self._drain(servers)
        await lifespan.shutdown()

    def _connect(self) -> Connection:
        self._was_asked = True
        return Connection(self)

    async def _drain(self, servers: list[asyncio.Server]) -> None:
        """Accept for DRAIN_SECONDS more where a stop is announced, then answer what has come."""
        begun = time.monotonic()
        end = begun + self.cfg.graceful_timeout - _MARGIN_S
        # Meanwhile those who send requests here can learn by asking that they should not. Nobody
        # can have learned of a worker that has just begun: a stop during the start is quick.
        announced = self.service.lifetime.stopping and self._was_asked
        drained = min(begun + self.service.drain_s, end) if announced else begun
        while time.monotonic() < drained and not self._quick:
            self._look_around(begun)
            await asyncio.sleep(_STOPPING_TICK_S)
        for _ in range(3):  # turns of the loop, each of which accepts all that waits
            await asyncio.sleep(_STOPPING_TICK_S / 5)
        for server in servers:
            server.close()  # from here on, a new connection is refused
        while self.connections and not self._quick and time.monotonic() < end:
            self._look_around(begun)
            await asyncio.sleep(_STOPPING_TICK_S)
        if self.connections:
            self.log.warning("Closing %d connections that are not done", len(self.connections))

    def _look_around(self, stopping_since: float | None = None) -> None:
        self.notify()
        self.now = time.monotonic()
        self.date = formatdate(usegmt=True).encode()
        for connection in tuple(self.connections):
            connection.overdue(self.now, stopping_since)
