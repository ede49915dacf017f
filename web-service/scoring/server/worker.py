"""gunicorn's ASGI worker, with a stop that loses nothing and waits for nobody.

At SIGTERM gunicorn's own worker (26.2) goes on for up to a second as if nothing had happened, but
for closing connections after an answer that did not say so; leaves the connections that wait to be
accepted in the kernel, which resets them; and waits the whole grace period for idle ones.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Final

from gunicorn.asgi.lifespan import LifespanManager
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from scoring.server.protocol import Protocol

_TICK_S: Final = 1.0
_STOPPING_TICK_S: Final = 0.05
_MARGIN_S: Final = 0.5  # before gunicorn's master kills whoever has not ended


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types for it
    """Accepts what has come, answers it, and closes a kept connection once it is quiet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alive: bool
        self.connections: set[Protocol] = set()
        self.now = time.monotonic()  # to the second, as connections' ages need no more
        self._stop = asyncio.Event()

    def handle_exit_signal(self) -> None:
        """SIGTERM: is not ready any more, and stops when all is answered."""
        self.asgi.lifetime.stopping = True
        super().handle_exit_signal()
        self._stop.set()

    def handle_quit_signal(self) -> None:
        """SIGINT, SIGQUIT: stops at once."""
        super().handle_quit_signal()
        self._stop.set()

    async def _serve(self) -> None:
        # found out by the class that is asked, and looked up at this one: ask this one first
        ASGIProtocol._check_h1c_protocol_available()
        self.lifespan = LifespanManager(self.asgi, self.log, self.state)
        await self.lifespan.startup()
        context = self._get_ssl_context()
        for listener in self.sockets:
            server = await self.loop.create_server(
                lambda: Protocol(self), sock=listener.sock, ssl=context, backlog=self.cfg.backlog
            )
            self.servers.append(server)
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
        await self._shutdown()

    async def _shutdown(self) -> None:
        begun = time.monotonic()
        end = begun + self.cfg.graceful_timeout - _MARGIN_S
        # for as long, those who send requests here may learn by asking that they should not; then
        # some turns of the loop, each of which accepts all that waits
        drained = min(begun + self.asgi.drain_s, end)
        while time.monotonic() < drained and not self._quick_shutdown:
            self._look_around(begun)
            await asyncio.sleep(_STOPPING_TICK_S)
        for _ in range(3):
            await asyncio.sleep(_STOPPING_TICK_S / 5)
        for server in self.servers:
            server.close()  # from here on, a new connection is refused
        while self.connections and not self._quick_shutdown and time.monotonic() < end:
            self._look_around(begun)
            await asyncio.sleep(_STOPPING_TICK_S)
        if self.connections:
            self.log.warning("Closing %d connections that are not done", len(self.connections))
        await self.lifespan.shutdown()

    def _look_around(self, stopping_since: float | None = None) -> None:
        self.notify()
        self.now = time.monotonic()
        for connection in tuple(self.connections):
            connection.overdue(self.now, stopping_since)
