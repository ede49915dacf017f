"""Whatever a process says or raises is a line of our log, without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from scoring.process.secret_values import is_secret, of_environment
from scoring.registry.settings import RegistrySettings
from tests.support import ROOT, environment

SCRIPT = """
import logging, sys, threading, warnings
from scoring.process import logs
from scoring.registry.settings import RegistrySettings
logs.configure(RegistrySettings.from_env(dict(__import__("os").environ)))
{work}
"""


def said(work: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Return what a process says that logs as ours do."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(work=work)],
        env=environment(PYTHONPATH=str(ROOT / "web-service"), **environ),
        capture_output=True,
        text=True,
        timeout=60,
    )


def lines(work: str, **environ: str) -> list[dict[str, Any]]:
    """Return the JSON lines of the standard output; nothing else may have been said."""
    done = said(work, LOG_FORMAT="json", **environ)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


RAISE = 'raise ValueError("no header may hold example-token")'
THREAD = f"def fail(): {RAISE}\nt = threading.Thread(target=fail, name='mine'); t.start(); t.join()"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "level", "message"),
    [
        ("logging.getLogger('a').info('ready\\nnow')", "info", "ready\nnow"),
        (RAISE, "critical", "the process ends: ValueError"),
        (THREAD, "error", "the thread 'mine' ends: ValueError"),
        ("warnings.warn('old')", "warning", "old"),
    ],
    ids=["a record", "an exception", "a thread's exception", "a warning"],
)
def test_everything_is_one_json_line(work: str, level: str, message: str) -> None:
    """Also what nobody caught."""
    [line] = lines(work, MLFLOW_TRACKING_TOKEN="example-token")
    assert (line["level"], line["event"]) == (level, "log")
    assert message in line["message"]
    assert "example-token" not in json.dumps(line)
    if "raise" in work:
        assert "no header may hold (not shown)" in line["exception"]


@pytest.mark.slow
def test_as_text_a_message_stays_on_its_line() -> None:
    """A person reads a traceback below it, without the secret as well."""
    done = said(RAISE, LOG_FORMAT="text", MLFLOW_TRACKING_TOKEN="example-token")
    assert done.stdout == ""
    assert done.returncode == 1
    first, second, *_ = done.stderr.splitlines()
    assert first.endswith("CRITICAL the process ends: ValueError")
    assert second == "Traceback (most recent call last):"
    assert "example-token" not in done.stderr
    [line] = said("logging.error('a\\nb')", LOG_FORMAT="text").stderr.splitlines()
    assert line.endswith("ERROR a\\nb")


@pytest.mark.slow
def test_a_keyboard_interrupt_is_no_failure_of_ours() -> None:
    """It ends the process as ever."""
    assert said("raise KeyboardInterrupt", LOG_FORMAT="json").stdout == ""


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("AWS_SECRET_ACCESS_KEY", "abc/def+gh", ["abc/def+gh", "abc%2Fdef%2Bgh"]),
        ("HTTP_PROXY", "http://me:p%40ss@proxy:3128", ["p%40ss", "p@ss", "bWU6cEBzcw=="]),
        ("MLFLOW_TRACKING_PASSWORD", "it's", ["it's", "it%27s"]),
        ("SOME_API_KEY", "line\\one", ["line\\one", "line\\\\one"]),
    ],
)
def test_a_secret_is_hidden_in_every_form(name: str, value: str, hidden: list[str]) -> None:
    """As it is, in a URL, in Python's words, in a header."""
    assert set(hidden) <= of_environment({name: value})


def test_what_is_no_secret_is_shown() -> None:
    """Words of every day would tear holes into lines."""
    shown = {"PATH": "/bin", "PREDICTION_LOG_SECRET": "abc", "URL": "http://h/", "EMPTY_TOKEN": ""}
    assert of_environment(shown) == set()
    assert not is_secret("API_KEYS_FILE")


def test_a_login_is_hidden_as_the_header_has_it() -> None:
    """Name and password in one."""
    settings = RegistrySettings(mlflow_tracking_username="me", mlflow_tracking_password="p@ss")
    assert {"p@ss", "bWU6cEBzcw=="} <= settings.secrets()
