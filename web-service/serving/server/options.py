"""Options of gunicorn that this service cannot honour stop the start.

They come from the command line or GUNICORN_CMD_ARGS; a line says what to do instead. The others do
what gunicorn's documentation says: --bind, --workers, --max-requests, --user and so on; tls.py has
those of TLS.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scoring.errors import SettingsError
from serving.server import gunicorn_api, logs
from serving.settings import Settings

_LAST_PORT: Final = 65_535
_SET: Final = "set {} in the environment"
_LOG: Final = "the service writes its own log to the standard output; see ACCESS_LOG and LOG_FORMAT"
_METRICS: Final = "the service has metrics of its own, GET /metrics"
_HTTP_2: Final = "the service speaks HTTP/1.1; put a proxy in front that speaks HTTP/2"
_PROXY: Final = "the service believes X-Forwarded-For from TRUSTED_PROXIES, and nothing else"
_STRICT: Final = "requests that can be read in two ways are refused"
_DIRTY: Final = "the service has nothing for gunicorn's dirty workers"
_ASGI: Final = "the service has a worker of its own"
_PRELOADED: Final = "models and code are loaded before the workers are forked; restart the service"

NOT_HONOURED: Final[dict[str, str]] = {
    "access_log_format": _LOG,
    "accesslog": _LOG,
    "asgi_lifespan": _ASGI,
    "capture_output": _LOG,
    "casefold_http_method": _STRICT,
    "dirty_apps": _DIRTY,
    "dirty_workers": _DIRTY,
    "dogstatsd_tags": _METRICS,
    "enable_backlog_metric": _METRICS,
    "errorlog": _LOG,
    "forwarded_allow_ips": _PROXY,
    "forwarder_headers": _STRICT,
    "header_map": _STRICT,
    "http2_cleartext": _HTTP_2,
    "http_protocols": _HTTP_2,
    "logconfig": _LOG,
    "logconfig_json": _LOG,
    "logger_class": _LOG,
    "loglevel": _SET.format("LOG_LEVEL"),
    "paste": _ASGI,
    "permit_obsolete_folding": _STRICT,
    "protocol": "the service speaks HTTP; have the proxy speak it, too",
    "proxy_protocol": _PROXY,
    "raw_env": "the environment has been read by then; set the variable before the start",
    "raw_paste_global_conf": _ASGI,
    "reload": _PRELOADED,
    "reload_extra_files": _PRELOADED,
    "root_path": _SET.format("SCRIPT_NAME"),
    "statsd_host": _METRICS,
    "strip_header_spaces": _STRICT,
    "syslog": _LOG,
    "threads": _SET.format("THREADS"),
    "timeout": _SET.format("TIMEOUT"),
    "worker_class": _ASGI,
}


def check(cfg: Any, settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Return warnings about gunicorn's configuration `cfg`, a line each.

    Raises SettingsError for an option that would not do what it says, and for a HOST that is not an
    address of this machine.
    """
    logger = cfg.settings["logger_class"].get()
    ours = {
        "timeout": settings.timeout,
        "worker_class": "serving.server.worker.Worker",
        "logger_class": logger if getattr(logger, "__module__", "") == logs.__name__ else None,
    }
    refuse(cfg, ours)
    if cfg.http_parser == "fast" and len(gunicorn_api.PARSERS) == 1:
        raise SettingsError("gunicorn's option --http-parser fast needs the package gunicorn_h1c")
    _check_places(cfg)
    _check_host(settings.host, environ)
    return _warnings(settings, environ)


def refuse(cfg: Any, ours: Mapping[str, Any]) -> None:
    """Raise SettingsError for an option of `cfg` that is not honoured; `ours` are values that the
    service sets itself, by option."""
    defaults = gunicorn_api.Config().settings
    for name, instead in NOT_HONOURED.items():
        setting = cfg.settings[name]
        if setting.get() != ours.get(name, defaults[name].get()):
            raise SettingsError(f"gunicorn's option {setting.cli[-1]} is not honoured: {instead}")


def _warnings(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    found = []
    workers, concurrency = settings.workers, settings.web_concurrency
    if workers and concurrency and workers != concurrency:
        found.append(f"WORKERS={workers} counts, not WEB_CONCURRENCY={concurrency}")
    if environ.get("FORWARDED_ALLOW_IPS"):
        found.append(f"FORWARDED_ALLOW_IPS is not read: {_PROXY}")
    return found


def _check_places(cfg: Any) -> None:
    """Raise SettingsError for what would end the start in a traceback once models are loaded."""
    folder = cfg.worker_tmp_dir
    if folder and not (Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise SettingsError(
            f"gunicorn's option --worker-tmp-dir {folder}: no folder that can be written"
        )
    for address in cfg.address:
        if isinstance(address, tuple) and not 0 <= address[1] <= _LAST_PORT:
            given = f"--bind {address[0]}:{address[1]}"
            raise SettingsError(f"gunicorn's option {given}: a port is at most {_LAST_PORT}")


def _check_host(host: str, environ: Mapping[str, str]) -> None:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "name an address of this machine, such as 0.0.0.0 or 127.0.0.1"
        if environ.get("CONDA_PREFIX") or "conda" in host:
            hint += " (conda sets HOST for its compilers)"
        raise SettingsError(f"HOST={host!r} of the environment: {reason}; {hint}") from None
