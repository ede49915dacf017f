"""Every name of gunicorn's that its documentation does not promise, in this one file.

gunicorn manages the processes: the master, reloads, the listening sockets. Its documented base
class for workers is extended in worker.py. Beyond that the service takes gunicorn's request parser,
in C (gunicorn_h1c, where the Pipfile's group `fast` is installed) or in Python, its TLS context and
its logger, all from here. check() proves them at every start, so that an upgrade that renames one,
or that reads a request in another way, ends in one line instead of a service which checks less.

To upgrade gunicorn: change the pin in the Pipfile, lock, and run tests/serving/server and
tests/test_hostile_requests.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import gunicorn

from scoring.errors import StartError


def _changed(what: str) -> StartError:
    return StartError(
        f"gunicorn {gunicorn.__version__} is not the one that this service was made for: {what} "
        "(see serving/server/gunicorn_api.py)"
    )


try:
    from gunicorn.asgi import LifespanManager
    from gunicorn.asgi.parser import (
        LimitRequestHeaders,
        LimitRequestLine,
        ParseError,
        PythonProtocol,
    )
    from gunicorn.config import Config
    from gunicorn.glogging import Logger
    from gunicorn.sock import ssl_context
    from gunicorn.workers.base import Worker as BaseWorker
except ImportError as _error:
    raise _changed(str(_error)) from _error
try:
    import gunicorn_h1c as _h1c  # type: ignore[import-untyped]  # it has no types
except ImportError:
    _h1c = None

_parsers: list[Any] = [PythonProtocol]
_line_too_long: list[type[Exception]] = [LimitRequestLine]
_headers_too_large: list[type[Exception]] = [LimitRequestHeaders]
# also what gunicorn_h1c 0.6.9 raises for a number that does not fit
_unreadable: list[type[Exception]] = [ParseError, ValueError, OverflowError]
if _h1c:
    try:
        _parsers.insert(0, _h1c.H1CProtocol)
        _line_too_long.append(_h1c.LimitRequestLine)
        _headers_too_large.append(_h1c.LimitRequestHeaders)
        _unreadable.append(_h1c.ParseError)
    except AttributeError as _error:
        raise _changed(str(_error)) from _error

PARSERS: Final = tuple(_parsers)  # the fastest first
LINE_TOO_LONG: Final = tuple(_line_too_long)
HEADERS_TOO_LARGE: Final = tuple(_headers_too_large)
UNREADABLE: Final = tuple(_unreadable)

__all__ = ["BaseWorker", "Config", "LifespanManager", "Logger", "ParseError", "ssl_context"]

_LIMITS: Final = (
    "limit_request_line", "limit_request_fields", "limit_request_field_size",
    "permit_unconventional_http_method", "permit_unconventional_http_version",
)  # fmt: skip
_PARAMETERS: Final[dict[Callable[..., Any], tuple[str, ...]]] = {
    LifespanManager: ("app", "logger"),
    PythonProtocol: ("on_headers_complete", "on_body", *_LIMITS),
    Logger: ("cfg",),
    ssl_context: ("conf",),
    BaseWorker: ("age", "ppid", "sockets", "app", "timeout", "cfg", "log"),
}
_MEMBERS: Final[dict[Any, tuple[str, ...]]] = {
    LifespanManager: ("startup", "shutdown"),
    Logger: ("setup", "access_log_enabled", "reopen_files"),
    BaseWorker: (
        "SIGNALS", "init_process", "init_signals", "load_wsgi", "run", "notify", "handle_abort",
    ),
}  # fmt: skip
SETTINGS: Final = (
    *_LIMITS, "asgi_disconnect_grace_period", "asgi_loop", "backlog", "bind", "ca_certs",
    "cert_reqs", "certfile", "chdir", "ciphers", "control_socket_disable", "graceful_timeout",
    "http_parser", "keepalive", "keyfile", "logger_class", "max_requests", "on_reload",
    "on_starting", "post_fork", "pre_fork", "preload_app", "proc_name", "ssl_version", "timeout",
    "when_ready", "worker_class", "worker_connections", "worker_int", "worker_tmp_dir", "workers",
    "wsgi_app",
)  # fmt: skip

_REQUEST: Final = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
# What no parser may take for a request: two lengths, a chunk without a size, a name with a space.
_MALFORMED: Final = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
)


def check() -> None:
    """Prove that gunicorn's names take what they are given, and that its parsers read as they did.

    Raises StartError with one line that names what is missing or different.
    """
    for found, wanted in _PARAMETERS.items():
        taken = inspect.signature(found).parameters
        if missing := [name for name in wanted if name not in taken]:
            raise _changed(f"{found.__name__} takes no {missing[0]}")
    for owner, members in _MEMBERS.items():
        if missing := [name for name in members if not hasattr(owner, name)]:
            raise _changed(f"{owner.__name__} has no {missing[0]}")
    settings = Config().settings
    if missing := [name for name in SETTINGS if name not in settings]:
        raise _changed(f"it has no setting {missing[0]}")
    for parser_class in PARSERS:
        _check_parser(parser_class)


def _check_parser(parser_class: Any) -> None:
    name = parser_class.__name__
    body: list[bytes] = []
    try:
        parser = parser_class(on_headers_complete=lambda: False, on_body=body.append)
        parser.feed(_REQUEST + b"GET")
        read = (
            parser.method, parser.path, parser.http_version, lowered(parser), parser.is_chunked,
            parser.should_keep_alive, parser.is_complete, parser.remaining(), b"".join(body),
        )  # fmt: skip
        parser.reset()
        complete_again = parser.is_complete
    except (AttributeError, TypeError) as error:
        raise _changed(f"{name}: {error}") from error
    headers = [(b"host", b"x"), (b"content-length", b"2")]
    if complete_again or read != (
        b"POST", b"/a?b", (1, 1), headers, False, True, True, b"GET", b"{}",
    ):  # fmt: skip
        raise _changed(f"{name} reads a request in another way")
    for malformed in _MALFORMED:
        try:
            parser_class(on_headers_complete=lambda: False).feed(malformed)
        except UNREADABLE:
            continue
        raise _changed(f"{name} takes {malformed!r} for a request")


def new_parser(cfg: Any, on_head: Callable[[], bool], on_body: Callable[[bytes], None]) -> Any:
    """Return a parser with gunicorn's limits.

    It calls `on_head` when a head is whole, whose answer says whether the body is to be
    skipped, and `on_body` with each part of a body.
    """
    parser_class = PythonProtocol if cfg.http_parser == "python" else PARSERS[0]
    limits = {name: getattr(cfg, name) for name in _LIMITS}
    if not limits["limit_request_line"]:
        limits["limit_request_line"] = 1024 * 1024  # 0: no limit, which the parser in C lacks
    return parser_class(on_headers_complete=on_head, on_body=on_body, **limits)


def lowered(parser: Any) -> list[tuple[bytes, bytes]]:
    """Return the headers of a head that was read, in order, their names in lower case."""
    found: list[tuple[bytes, bytes]]
    found = parser.headers if type(parser) is PythonProtocol else parser.asgi_headers
    return found
