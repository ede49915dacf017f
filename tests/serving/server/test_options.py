"""Options of gunicorn: honoured, or refused with a line that says what to do instead."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.config import Config

from scoring.errors import SettingsError
from serving.server import logs, options
from serving.settings import Settings

SETTINGS = Settings(host="127.0.0.1")

# Options that do what gunicorn's documentation says, those of TLS (test_tls.py) among them, and
# those that say nothing without one that is refused.
HONOURED = set("""
    asgi_disconnect_grace_period asgi_loop backlog bind ca_certs cert_reqs certfile chdir
    check_config ciphers config control_socket control_socket_disable control_socket_mode daemon
    dirty_graceful_timeout dirty_threads dirty_timeout disable_redirect_access_to_syslog
    do_handshake_on_connect enable_stdio_inheritance graceful_timeout group
    http2_initial_window_size http2_max_concurrent_streams http2_max_frame_size
    http2_max_header_list_size http_parser initgroups keepalive keyfile limit_request_field_size
    limit_request_fields limit_request_line max_requests max_requests_jitter
    permit_unconventional_http_method permit_unconventional_http_version pidfile preload_app
    print_config proc_name proxy_allow_ips pythonpath reload_engine reuse_port sendfile spew
    ssl_version statsd_prefix suppress_ragged_eofs syslog_addr syslog_facility syslog_prefix umask
    user uwsgi_allow_ips worker_connections worker_tmp_dir workers
""".split())  # fmt: skip


def configured(**more: Any) -> Config:
    """Return gunicorn's configuration as our file sets it, and `more`."""
    cfg = Config()
    ours = {
        "worker_class": "serving.server.worker.Worker",
        "logger_class": logs.logger_class(SETTINGS),
        "timeout": SETTINGS.timeout,
    }
    for name, value in {**ours, **more}.items():
        cfg.set(name, value)
    return cfg


def test_our_own_configuration_has_nothing_to_refuse() -> None:
    """Nor anything to warn of."""
    assert options.check(configured(), SETTINGS, {}) == []


def test_every_option_of_gunicorn_is_honoured_or_refused() -> None:
    """An upgrade with a new option has to say which."""
    named = {name for name, setting in Config().settings.items() if setting.cli}
    assert named == HONOURED | set(options.NOT_HONOURED)
    assert not HONOURED & set(options.NOT_HONOURED)


OTHER: dict[str, Any] = {
    "dirty_apps": ["a:b"],
    "dirty_workers": 2,
    "enable_backlog_metric": True,
    "forwarded_allow_ips": "*",
    "header_map": "dangerous",
    "http2_cleartext": "prior-knowledge",
    "http_protocols": "h2,h1",
    "logger_class": "gunicorn.glogging.Logger",
    "loglevel": "debug",
    "protocol": "uwsgi",
    "proxy_protocol": "auto",
    "raw_env": ["A=b"],
    "raw_paste_global_conf": ["a=b"],
    "reload_extra_files": [__file__],
    "statsd_host": "localhost:8125",
    "threads": 8,
    "timeout": 31,
    "worker_class": "sync",
    "asgi_lifespan": "off",
    "forwarder_headers": "X-USER",
}


@pytest.mark.parametrize("name", sorted(options.NOT_HONOURED))
def test_an_option_that_would_not_do_what_it_says_is_refused(name: str) -> None:
    """With its own name and what to do instead."""
    setting = Config().settings[name]
    other = OTHER.get(name, True if setting.default is False else "other")
    with pytest.raises(SettingsError) as caught:
        options.check(configured(**{name: other}), SETTINGS, {})
    line = str(caught.value)
    option, instead = (setting.cli or [""])[-1], options.NOT_HONOURED[name]
    assert line == f"gunicorn's option {option} is not honoured: {instead}"


def test_a_fast_parser_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than the one in Python without a word."""
    monkeypatch.setattr("serving.server.gunicorn_api.PARSERS", (object,))
    with pytest.raises(SettingsError, match="needs the package gunicorn_h1c"):
        options.check(configured(http_parser="fast"), SETTINGS, {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"worker_tmp_dir": "/nowhere"}, "--worker-tmp-dir /nowhere: no folder"),
        ({"worker_tmp_dir": __file__}, "no folder that can be written"),
        ({"bind": "127.0.0.1:70000"}, "--bind 127.0.0.1:70000: a port is at most 65535"),
    ],
    ids=["no folder", "a file", "port"],
)
def test_a_place_that_cannot_be_had_is_told_in_a_line(given: dict[str, str], words: str) -> None:
    """Instead of a traceback once the models are loaded."""
    with pytest.raises(SettingsError, match=words):
        options.check(configured(**given), SETTINGS, {})


def test_variables_that_do_not_count_are_told() -> None:
    """Those that gunicorn's users set, where another one of ours goes before them."""
    both = Settings(host="127.0.0.1", workers=2, web_concurrency=3)
    assert options.check(configured(), both, {"FORWARDED_ALLOW_IPS": "*"}) == [
        "WORKERS=2 counts, not WEB_CONCURRENCY=3",
        "FORWARDED_ALLOW_IPS is not read: the service believes X-Forwarded-For from "
        "TRUSTED_PROXIES, and nothing else",
    ]
    same = Settings(host="127.0.0.1", workers=3, web_concurrency=3)
    assert options.check(configured(), same, {}) == []


@pytest.mark.parametrize(
    ("host", "environ", "words"),
    [
        ("x86_64-conda-linux-gnu", {}, "conda sets HOST"),
        ("nobody.invalid", {"CONDA_PREFIX": "/opt/conda"}, "conda sets HOST"),
        ("192.0.2.1", {}, "0.0.0.0"),
        ("a" * 70, {}, "0.0.0.0"),
    ],
    ids=["compiler", "other, in conda", "another machine", "no name"],
)
def test_a_host_that_is_not_ours_is_told_with_where_it_came_from(
    host: str, environ: dict[str, str], words: str
) -> None:
    """An activated conda environment sets HOST to its compilers' platform."""
    with pytest.raises(SettingsError) as caught:
        options.check(configured(), Settings(host=host), environ)
    line = str(caught.value)
    assert line.startswith(f"HOST={host!r} of the environment: ")
    assert words in line
    assert ("conda" in line) == ("conda" in words)
