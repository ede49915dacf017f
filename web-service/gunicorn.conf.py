"""gunicorn's configuration: `gunicorn -c web-service/gunicorn.conf.py` from any folder.

What can be set is set by the environment variables of `scoring/settings.py`.
"""

import logging
import os
import sys
from pathlib import Path
from socket import socket
from typing import cast

# The server's threads are the parallelism. BLAS and OpenMP would start one thread a CPU of the
# machine, whatever the container's quota, and threads do not survive the fork below.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_here = Path(__file__).resolve().parent
sys.path.insert(0, str(_here))  # gunicorn adds `chdir` only after this file is read

from flask import Flask  # noqa: E402
from gunicorn import util  # noqa: E402
from gunicorn.arbiter import Arbiter  # noqa: E402
from gunicorn.http.message import Request  # noqa: E402
from gunicorn.workers.gthread import ThreadWorker  # noqa: E402

from scoring import cpus  # noqa: E402
from scoring.api.body import FramedBody  # noqa: E402
from scoring.api.problems import raw_writer  # noqa: E402
from scoring.errors import SettingsError  # noqa: E402
from scoring.settings import Settings  # noqa: E402

try:
    _settings = Settings.from_env(os.environ)
except SettingsError as _error:
    sys.exit(f"prediction-service cannot start: {_error}")

chdir = str(_here)
wsgi_app = "predict:app"
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host  # IPv6
bind = f"{_host}:{_settings.port}"
proc_name = "prediction-service"

# threads answer what they have accepted before a stop; sync resets connections that wait in line
worker_class = "scoring.worker.Worker"
workers = _settings.workers or cpus.available()
threads = _settings.threads
timeout = _settings.timeout
graceful_timeout = _settings.graceful_timeout
keepalive = _settings.keep_alive

# Models are loaded and proved once, before the fork: workers share their pages, start at once,
# and a model that cannot serve stops the start with one line instead of a loop of dying workers.
preload_app = True

# the heartbeat file on a disk that can stall would get healthy workers killed
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
control_socket_disable = True  # it would need a writable home; signals do the same

accesslog = "-" if _settings.access_log == "on" else None
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(M)sms %({x-request-id}o)s'


class _Access(logging.Formatter):
    """One line a request, whatever a path holds that would break it or move a terminal's cursor."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


_LINE = "%(asctime)s %(process)d %(levelname)s %(message)s"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": _LINE}, "access": {"()": _Access, "fmt": _LINE}},
    "handlers": {
        "out": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "access",
        },
        "err": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
            "formatter": "line",
        },
    },
    "root": {"level": _settings.log_level.upper(), "handlers": ["err"]},
    "loggers": {
        "gunicorn.error": {"level": _settings.log_level.upper(), "propagate": True, "handlers": []},
        # with a logconfig_dict, gunicorn logs accesses whatever `accesslog` says
        "gunicorn.access": {
            "level": "INFO" if accesslog else "CRITICAL",
            "propagate": False,
            "handlers": ["out"],
        },
    },
}

# a caller's SCRIPT_NAME or PATH_INFO header would move the routes; no proxy of ours sends one
forwarder_headers = ""


def pre_request(_worker: ThreadWorker, request: Request) -> None:
    """A body that is framed wrongly ends its connection, with one answer."""
    request.body = FramedBody(request.body)  # type: ignore[assignment]  # what read() is asked of


def post_worker_init(worker: ThreadWorker) -> None:
    """What is no HTTP request gets a problem document too, with every answer's headers; and the
    worker serves what the registry calls current, from its first request on."""
    extensions = cast("Flask", worker.wsgi).extensions
    predictors = extensions["predictors"]

    def write_error(client: socket, status: int, reason: str, message: str) -> None:
        headers = {"Model-Version": predictors.default.version}
        raw_writer(headers)(client, status, reason, message)

    util.write_error = write_error  # type: ignore[assignment]  # the same but for one name
    if extensions["following"]:
        extensions["following"].watch()


def on_reload(server: Arbiter) -> None:
    """SIGHUP restarts the workers gracefully, as ever, and has the registry asked now."""
    following = cast("Flask", server.app.callable).extensions["following"]
    if following:
        following.ask()
