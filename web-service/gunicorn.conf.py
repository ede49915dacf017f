"""gunicorn's configuration: `gunicorn -c web-service/gunicorn.conf.py` from any folder.

What can be set is set by the environment variables of `serving/settings.py`.
"""

import os
import signal

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def _stop_start(_number: int, _frame: object) -> None:
    """End the process, before it serves anybody, with the status of every other stop."""
    os._exit(0)  # an exception could be swallowed by whatever is being imported or loaded


# The kernel drops a signal to a container's first process that has no handler for it, and gunicorn
# installs its own only after the models are loaded: until then these are ours. The image's command
# blocks the signals from its first millisecond; those that came meanwhile arrive when unblocked.
if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # not at a reload
    for _number in _STOPS:
        signal.signal(_number, _stop_start)
signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

import gc  # noqa: E402  # what takes time comes after the handlers
import logging  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, cast  # noqa: E402

# The server's threads are the parallelism. BLAS and OpenMP would start one thread a CPU of the
# machine, whatever the container's quota, and threads do not survive the fork below.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_here = Path(__file__).resolve().parent
sys.path.insert(0, str(_here))  # gunicorn adds `chdir` only after this file is read

from scoring.errors import StartError  # noqa: E402
from scoring.process.logs import refuse_start  # noqa: E402

try:
    from serving.metrics import exporter
    from serving.server import gunicorn_api, logs, options, tls
    from serving.server.asgi import AsgiApp
    from serving.settings import Settings

    gunicorn_api.check()
    # gunicorn moves into `chdir` before it loads the app; what is set is meant from where it starts
    os.environ.update(Settings.anchored(os.environ))
    _settings = Settings.from_env(os.environ)
except StartError as _error:
    refuse_start(_error)

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

    from serving.server.worker import Worker

chdir = str(_here)
wsgi_app = "predict:asgi_app"
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host  # IPv6
bind = f"{_host}:{_settings.port}"
proc_name = "prediction-service"

# an event loop that answers small requests itself, ten times as fast as gunicorn's threads do
worker_class = "serving.server.worker.Worker"
workers = _settings.worker_processes
http_parser = "auto"  # the one in C where the group `fast` of the Pipfile is installed
worker_connections = _settings.max_connections
timeout = _settings.timeout
graceful_timeout = _settings.graceful_timeout
keepalive = _settings.keep_alive

# Models are loaded and proved once, before the fork: workers share their pages, start at once,
# and a model that cannot serve stops the start with one line instead of a loop of dying workers.
preload_app = True

# the heartbeat file on a disk that can stall would get healthy workers killed
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
control_socket_disable = True  # it would need a writable home; signals do the same

logger_class = logs.logger_class(_settings)


def on_starting(server: "Arbiter") -> None:
    """Check gunicorn's options and make the TLS context that the workers inherit.

    What cannot be had stops the start.
    """
    try:
        for warning in options.check(server.cfg, _settings, os.environ):
            logging.getLogger("serving").warning("%s", warning)
        _app(server).take_tls(tls.make(server.cfg))
    except StartError as error:
        refuse_start(error)


def when_ready(server: "Arbiter") -> None:
    """Serve GET /metrics on METRICS_PORT, where that is set.

    A taken port stops the start, but for that of a new master beside its old one (SIGUSR2),
    which waits until it is free.
    """
    if _settings.metrics_port is None:
        return
    try:
        if not server.master_pid:
            exporter.check(_settings.host, _settings.metrics_port)
    except OSError as error:
        where = f"METRICS_PORT={_settings.metrics_port}"
        refuse_start(f"{where}: {error.strerror}")
    metrics = _app(server).metrics
    sockets = [listener.sock for listener in server.LISTENERS]
    exporter.start(metrics, _settings.host, _settings.metrics_port, sockets)


def pre_fork(_server: "Arbiter", _worker: "Worker") -> None:
    """Keep the collector from what is loaded by now.

    It need not look at it again, nor touch its pages, which would make each worker's own copy
    of them.
    """
    gc.collect()
    gc.freeze()


def post_fork(server: "Arbiter", _worker: "Worker") -> None:
    """End a worker that was told to stop before it has begun.

    Until it listens to signals itself, it has its master's handlers, which note them for a loop
    that it never runs.
    """
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get() in _STOPS:
            sys.exit()


def on_reload(server: "Arbiter") -> None:
    """Restart the workers gracefully at SIGHUP, with the TLS files of now.

    Where those cannot be used, the context of before goes on. The registry is asked, too.
    """
    app = _app(server)
    try:
        app.take_tls(tls.make(server.cfg))
    except tls.TlsError as error:
        app.keep_tls(error)
    if app.reloader:
        app.reloader.ask()


def _app(server: "Arbiter") -> AsgiApp:
    return cast(AsgiApp, server.app.callable)
