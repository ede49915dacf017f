"""gunicorn's configuration: `gunicorn -c web-service/gunicorn.conf.py` from any folder.

What can be set is set by the environment variables of `scoring/settings.py`.
"""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import cast

# The server's threads are the parallelism. BLAS and OpenMP would start one thread a CPU of the
# machine, whatever the container's quota, and threads do not survive the fork below.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_here = Path(__file__).resolve().parent
sys.path.insert(0, str(_here))  # gunicorn adds `chdir` only after this file is read

from gunicorn.arbiter import Arbiter  # noqa: E402

from scoring import cpus  # noqa: E402
from scoring.errors import SettingsError  # noqa: E402
from scoring.server import exporter, logs  # noqa: E402
from scoring.server.front import Front  # noqa: E402
from scoring.server.worker import Worker  # noqa: E402
from scoring.settings import Settings  # noqa: E402

try:
    _settings = Settings.from_env(os.environ)
except SettingsError as _error:
    sys.exit(f"prediction-service cannot start: {_error}")

chdir = str(_here)
wsgi_app = "predict:front"
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host  # IPv6
bind = f"{_host}:{_settings.port}"
proc_name = "prediction-service"

# gunicorn's own worker for ASGI, which answers small requests four times as fast as its threads do
worker_class = "scoring.server.worker.Worker"
workers = _settings.workers or cpus.available()
http_parser = "auto"  # the one in C where the group `fast` of the Pipfile is installed
asgi_loop = "uvloop"
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


def when_ready(server: Arbiter) -> None:
    """GET /metrics moves to a port of its own. A taken one stops the start, but for that of a new
    master beside its old one (SIGUSR2), which waits until it is free."""
    if _settings.metrics_port is None:
        return
    try:
        if not server.master_pid:
            exporter.check(_settings.host, _settings.metrics_port)
    except OSError as error:
        where = f"METRICS_PORT={_settings.metrics_port}"
        sys.exit(f"prediction-service cannot start: {where}: {error.strerror}")
    metrics = cast("Front", server.app.callable).metrics
    sockets = [listener.sock for listener in server.LISTENERS]
    exporter.start(metrics, _settings.host, _settings.metrics_port, sockets)


def pre_fork(_server: Arbiter, _worker: Worker) -> None:
    """What is loaded stays: the collector need not look at it again, nor touch its pages, which
    would make each worker's own copy of them."""
    gc.collect()
    gc.freeze()


def post_fork(server: Arbiter, _worker: Worker) -> None:
    """A worker that is told to stop before it has begun stops. Until it listens to signals itself,
    it has its master's way with them: it would note them for a loop that it never runs."""
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    for number in ends:
        signal.signal(number, signal.SIG_DFL)
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get() in ends:
            sys.exit()


def on_reload(server: Arbiter) -> None:
    """SIGHUP restarts the workers gracefully, as ever, and has the registry asked now."""
    following = cast("Front", server.app.callable).following
    if following:
        following.ask()
