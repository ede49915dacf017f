"""What gunicorn and the app log beside requests: in JSON to the standard output, a line each, or in
words to the standard error for a person."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import orjson
from gunicorn.glogging import Logger as GunicornLogger

from scoring.server.accesslog import is_human, printable
from scoring.settings import Settings


class Json(logging.Formatter):
    """One JSON object a record: time, level, event, message, pid; request_id and exception where
    there are any."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives the line of `record`."""
        found = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "event": "log",
            "message": record.getMessage(),
            "pid": record.process,
        }
        if request_id := getattr(record, "request_id", None):
            found["request_id"] = request_id
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(found, default=str).decode()


class Words(logging.Formatter):
    """Time, process, level and message; a traceback below where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives the lines of `record`; its message is one line whatever it holds."""
        head = f"{timestamp(record.created)} {record.process} {record.levelname}"
        line = f"{head} {printable(record.getMessage())}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def timestamp(seconds: float) -> str:
    """Gives the time in UTC as RFC 3339 writes it, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"


def logger_class(settings: Settings) -> type[GunicornLogger]:
    """Gives gunicorn a logger that logs as `settings` say, and leaves requests to us: the front
    knows their route and model, gunicorn does not."""

    class Logger(GunicornLogger):
        @property
        def access_log_enabled(self) -> bool:
            return False

        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            handler: logging.Handler
            if is_human(settings):
                handler = logging.StreamHandler(sys.stderr)
                handler.setFormatter(Words())
            else:
                handler = logging.StreamHandler(sys.stdout)
                handler.setFormatter(Json())
            logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
            self.error_log.handlers = []
            self.error_log.propagate = True
            self.error_log.setLevel(settings.log_level.upper())

    return Logger
