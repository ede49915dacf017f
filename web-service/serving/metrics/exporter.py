"""GET /metrics on a port of its own (METRICS_PORT), by a process beside the workers.

It answers however busy the workers are, and is out of reach where only the service's port is open.
It is forked from gunicorn's master, so that it has the memory that the numbers are in. The master
has no thread for it, since threads and forks do not go together, and does not look after it: a
second process, which does nothing else, starts it again when it ends. Both end with the master.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterable
from typing import Final

from prometheus_client import start_http_server

from serving.metrics.recorder import Metrics

_LOOK_S: Final = 0.2
_AGAIN_S: Final = 1.0

_log = logging.getLogger(__name__)


def check(host: str, port: int) -> None:
    """Raise OSError where nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def start(metrics: Metrics, host: str, port: int, unneeded: Iterable[socket.socket]) -> None:
    """Fork the two processes; `unneeded` are the service's sockets, which they close."""
    master = os.getpid()
    if os.fork():
        return
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            signal.signal(number, signal.SIG_IGN)
        for listener in unneeded:
            listener.close()
        _keep(metrics, host, port, master)
    except Exception:  # noqa: BLE001  # whatever it is, nobody else would log it
        _log.exception("the process that serves METRICS_PORT=%d failed", port)
    finally:
        os._exit(0)  # what the master would clean up at its exit is the master's


def _keep(metrics: Metrics, host: str, port: int, master: int) -> None:
    keeper, child, ended = os.getpid(), 0, 0.0
    while os.getppid() == master:
        if child and os.waitpid(child, os.WNOHANG) != (0, 0):
            child, ended = 0, time.monotonic()
        if not child and time.monotonic() - ended > _AGAIN_S:
            child = os.fork()
            if not child:
                _serve(metrics, host, port, keeper)
                return
        time.sleep(_LOOK_S)


def _serve(metrics: Metrics, host: str, port: int, keeper: int) -> None:
    try:
        start_http_server(port, host, metrics.collector.registry)
    except OSError as error:
        _log.error("METRICS_PORT=%d: %s; it is tried again", port, error.strerror)
        return
    while os.getppid() == keeper:
        time.sleep(_LOOK_S)
