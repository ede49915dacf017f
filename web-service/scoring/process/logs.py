"""How every process of ours logs: a line each, JSON or text, with secrets taken out.

JSON goes to the standard output, text to the standard error for a person. Exceptions that nobody
caught, in any thread, and warnings become lines too.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, NoReturn

import orjson

from scoring.process.secret_values import of_environment
from scoring.process.settings import ModelSettings

HIDDEN: Final = "(not shown)"

_log = logging.getLogger(__name__)


class _Formatter(logging.Formatter):
    """A formatter that knows which texts must not appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = sorted(secrets, key=len, reverse=True)  # one may be a part of another

    def hide(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


class Json(_Formatter):
    """One JSON object a record.

    It has time, level, event, message and pid; request_id and exception where there are any.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "event": "log",
            "message": self.hide(record.getMessage()),
            "pid": record.process,
        }
        if request_id := getattr(record, "request_id", None):
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.hide(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


class Words(_Formatter):
    """Time, process, level and message; a traceback below where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of `record`; its message is one line whatever it holds."""
        head = f"{timestamp(record.created)} {record.process} {record.levelname}"
        line = f"{head} {printable(self.hide(record.getMessage()))}"
        if record.exc_info:
            line += "\n" + self.hide(self.formatException(record.exc_info))
        return line


def configure(settings: ModelSettings) -> None:
    """Log as `settings` say from now on, in this process and those that it forks."""
    secrets = {*settings.secrets(), *of_environment(os.environ)}
    handler: logging.Handler
    if is_human(settings):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Words(secrets))
    else:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(Json(secrets))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold addresses
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def refuse_start(error: object) -> NoReturn:
    """End the process with status 1 and one line that says why the service cannot start.

    It goes to the standard error, for a person; with LOG_FORMAT=json to the standard output, as
    the log's own lines do. The settings themselves may be what is wrong, so none are asked for.
    """
    line = f"prediction-service cannot start: {error}"
    if os.environ.get("LOG_FORMAT", "").strip().lower() != "json":
        sys.exit(line)
    record = logging.LogRecord(__name__, logging.CRITICAL, __file__, 0, line, None, None)
    sys.stdout.write(Json(of_environment(os.environ)).format(record) + "\n")
    sys.exit(1)


def is_human(settings: ModelSettings) -> bool:
    """Return whether a person reads the standard output."""
    if settings.log_format == "auto":
        return sys.stdout.isatty()
    return settings.log_format == "text"


def printable(text: str) -> str:
    """Return `text` with an escape for whatever would break a line or move a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def timestamp(seconds: float) -> str:
    """Return seconds since 1970 as RFC 3339 writes them, in UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("the process ends: %s", kind.__name__, exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "unknown"
    error = args.exc_value or args.exc_type()
    _log.error("the thread '%s' ends: %s", name, args.exc_type.__name__, exc_info=error)
