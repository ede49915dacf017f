"""The names that we take from gunicorn: one that is gone or behaves otherwise stops the start."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import gunicorn
import pytest
from gunicorn.asgi.parser import PythonProtocol
from gunicorn.config import Config

from scoring.errors import StartError
from serving.server import gunicorn_api
from tests.support import ROOT, environment, free_port

h1c = importlib.import_module("gunicorn_h1c")  # it has no types
FILE = Path(inspect.getfile(gunicorn_api))


def fresh() -> ModuleType:
    """Return the module as a start would see it now."""
    spec = importlib.util.spec_from_file_location("gunicorn_api_again", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_gunicorn_is_the_one_that_was_tested() -> None:
    """The names hold for one minor version: the Pipfile pins it, by ==."""
    pin = tomllib.loads((ROOT / "Pipfile").read_text())["packages"]["gunicorn"]
    assert pin.startswith("==26.2.")
    assert gunicorn.__version__ == pin.removeprefix("==")


def test_this_gunicorn_has_every_name() -> None:
    """With the parameters that are passed, and both parsers read requests as they did."""
    gunicorn_api.check()
    assert (h1c.H1CProtocol, PythonProtocol) == gunicorn_api.PARSERS


NAMES = [
    ("gunicorn.asgi", "LifespanManager"),
    ("gunicorn.asgi.parser", "LimitRequestHeaders"),
    ("gunicorn.asgi.parser", "LimitRequestLine"),
    ("gunicorn.asgi.parser", "ParseError"),
    ("gunicorn.asgi.parser", "PythonProtocol"),
    ("gunicorn.config", "Config"),
    ("gunicorn.glogging", "Logger"),
    ("gunicorn.sock", "ssl_context"),
    ("gunicorn.workers.base", "Worker"),
    ("gunicorn_h1c", "H1CProtocol"),
    ("gunicorn_h1c", "ParseError"),
    ("gunicorn_h1c", "LimitRequestLine"),
    ("gunicorn_h1c", "LimitRequestHeaders"),
]
MEMBERS = [
    *((owner, name) for owner, names in gunicorn_api._MEMBERS.items() for name in names),
    *((PythonProtocol, name) for name in ("feed", "remaining", "reset")),
]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda value: value)
def test_a_name_that_is_gone_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    """One line names it, and the file to look into."""
    monkeypatch.delattr(importlib.import_module(module), name)
    with pytest.raises(
        StartError, match=rf"gunicorn {gunicorn.__version__} .*{name}.*gunicorn_api"
    ):
        fresh().check()


@pytest.mark.parametrize(
    ("owner", "name"),
    MEMBERS,
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_member_that_is_gone_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    """So that an override of ours never hangs in the air."""
    monkeypatch.delattr(owner, name)
    with pytest.raises(StartError, match=name):
        fresh().check()


@pytest.mark.parametrize("parameter", ["on_headers_complete", "on_body", "limit_request_line"])
def test_a_parameter_that_is_gone_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    """The parser's constructor is asked for those that it is given."""

    class Renamed(PythonProtocol):  # type: ignore[misc]  # gunicorn has no types for it
        def __init__(self, **more: Any) -> None:
            super().__init__(**more)

    parameters = [
        value
        for name, value in inspect.signature(PythonProtocol).parameters.items()
        if name != parameter
    ]
    Renamed.__signature__ = inspect.Signature(parameters)
    monkeypatch.setattr("gunicorn.asgi.parser.PythonProtocol", Renamed)
    with pytest.raises(StartError, match=f"Renamed takes no {parameter}"):
        fresh().check()


def test_a_setting_that_is_gone_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in its configuration that gunicorn does not know are ignored by it."""

    class Fewer(Config):
        def __init__(self) -> None:
            super().__init__()
            del self.settings["worker_connections"]

    monkeypatch.setattr("gunicorn.config.Config", Fewer)
    with pytest.raises(StartError, match="it has no setting worker_connections"):
        fresh().check()


@pytest.mark.parametrize("parser", [h1c.H1CProtocol, PythonProtocol])
def test_a_parser_that_reads_otherwise_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, parser: Any
) -> None:
    """One that takes a malformed request, and one that skips a body."""

    class Careless(parser):  # type: ignore[misc]  # its base is known at run time only
        def feed(self, data: bytes) -> None:
            super().feed(data.replace(b"Content-Length: 1\r\n", b""))

    class Skips(parser):  # type: ignore[misc]  # its base is known at run time only
        def feed(self, data: bytes) -> None:
            super().feed(data.replace(b"{}", b"xx"))

    for changed, problem in ((Careless, "for a request"), (Skips, "in another way")):
        monkeypatch.setattr(f"{parser.__module__.partition('._')[0]}.{parser.__name__}", changed)
        with pytest.raises(StartError, match=problem):
            fresh().check()


@pytest.mark.slow
def test_a_start_with_another_gunicorn_ends_with_one_line(models_dir: Path, tmp_path: Path) -> None:
    """Before a port is open."""
    (tmp_path / "sitecustomize.py").write_text(
        "import gunicorn.asgi.parser\ndel gunicorn.asgi.parser.ParseError\n"
    )
    more = {"PYTHONPATH": str(tmp_path), "PORT": str(free_port()), "MODELS_DIR": str(models_dir)}
    found = subprocess.run(
        [Path(sys.executable).with_name("gunicorn"), "-c", "web-service/gunicorn.conf.py"],
        cwd=ROOT, env=environment(HOST="127.0.0.1", **more), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert found.returncode == 1
    [line] = found.stderr.splitlines()
    assert line.startswith("prediction-service cannot start: gunicorn ")
    assert "ParseError" in line
