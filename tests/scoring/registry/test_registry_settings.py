"""The registry's settings: bad ones stop the start, secrets are never repeated."""

from __future__ import annotations

import base64
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from scoring.errors import SettingsError
from scoring.models import discover
from scoring.registry.cache import RegistryCache
from scoring.registry.client import Client
from scoring.registry.errors import RegistryUnavailable
from scoring.registry.reloader import ModelReloader
from serving.settings import Settings
from tests.scoring.registry.scripted import Registry, send

SERVER = {"MLFLOW_TRACKING_URI": "https://mlflow.example/prefix/"}


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}, "make mlflow"),
        ({"MLFLOW_TRACKING_URI": "http://"}, "http:// or https://"),
        ({"MLFLOW_TRACKING_URI": "http://host:port"}, "its port is none: a number"),
        ({"MLFLOW_TRACKING_URI": "https://host:99999/x"}, "its port is none: a number"),
        ({"MODEL_ALIAS": "a b"}, "MODEL_ALIAS"),
        ({"MODEL_VERSION": "3"}, "ride:3"),
        ({"MODEL_VERSION": "ride:0"}, "ride:3"),
        ({"MODEL_FALLBACK": "maybe"}, "'image'"),
        ({"REGISTRY_POLL_SECONDS": "0"}, "REGISTRY_POLL_SECONDS"),
        ({"MLFLOW_WEBHOOK_SECRET": "short"}, "at least 16"),
    ],
    ids=str,
)
def test_a_bad_value_names_itself(environ: dict[str, str], reason: str) -> None:
    """And says what would do."""
    with pytest.raises(SettingsError, match=reason):
        Settings.from_env(environ)


def test_a_secret_is_not_repeated() -> None:
    """Neither in an error nor in the settings' text."""
    secret = {"MLFLOW_WEBHOOK_SECRET": "hidden"}
    with pytest.raises(SettingsError) as error:
        Settings.from_env(secret | {"MLFLOW_TRACKING_URI": "ftp://me:hidden@host"})
    assert "hidden" not in str(error.value)
    names = ("USERNAME", "PASSWORD", "TOKEN")
    login = {f"MLFLOW_TRACKING_{name}": "hidden" for name in names}
    settings = Settings.from_env(login | {"MLFLOW_TRACKING_USERNAME": "me"} | SERVER)
    assert "hidden" not in repr(settings)


def test_what_is_asked_for_is_the_alias_or_the_pin() -> None:
    """Several pins by commas; an unpinned model follows the alias."""
    settings = Settings.from_env(
        {
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "MODEL_VERSION": "ride:3, churn:12",
            "MODEL_ALIAS": "canary",
        }
    )
    assert [settings.selector(name) for name in ("ride", "churn", "tips")] == [
        "v3",
        "v12",
        "canary",
    ]
    with pytest.raises(SettingsError, match="MODEL_VERSION pins 'churn'"):
        settings.check_pins(["ride"])


class Sent:
    """A registry that keeps the Authorization of each request."""

    def __init__(self, registry: Registry) -> None:
        self.headers: list[str | None] = []
        registry.instead = self._answer
        self._registry = registry

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.headers.append(handler.headers["Authorization"])
        send(handler, 503, {})

    def by(self, **environ: str) -> str | None:
        settings = Settings.from_env({"MLFLOW_TRACKING_URI": self._registry.url, **environ})
        with pytest.raises(RegistryUnavailable):
            Client(settings).find("ride-duration", "champion")
        return self.headers[-1]


def test_credentials_go_the_way_mlflow_s_do(registry: Registry) -> None:
    """Name and password, in any alphabet, or a token."""
    sent = Sent(registry)
    assert sent.by() is None
    login = {"MLFLOW_TRACKING_USERNAME": "jürgen", "MLFLOW_TRACKING_PASSWORD": "hasło"}
    encoded = base64.b64encode("jürgen:hasło".encode()).decode()
    assert sent.by(**login) == f"Basic {encoded}"
    assert sent.by(MLFLOW_TRACKING_TOKEN="t") == "Bearer t"
    assert sent.by(**login, MLFLOW_TRACKING_TOKEN="t") == f"Basic {encoded}"


def test_a_cache_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    settings = Settings.from_env(SERVER | {"REGISTRY_CACHE": str(tmp_path / "file")})
    with pytest.raises(SettingsError, match=r"REGISTRY_CACHE=.* cannot be written: .*volume"):
        ModelReloader(settings, discover())


def test_a_cache_of_another_user_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there is loaded: it must be ours."""
    settings = Settings.from_env(SERVER | {"REGISTRY_CACHE": str(tmp_path)})
    RegistryCache(settings).prepare(["ride"])
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    if owner == 0:
        RegistryCache(settings).prepare(["ride"])
    else:
        with pytest.raises(SettingsError, match="belongs to another user"):
            RegistryCache(settings).prepare(["ride"])


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"MLFLOW_REGISTRY_URI": "http://me:hidden@there:5000"}, "is set without MLFLOW_TRACKING"),
        (SERVER | {"MLFLOW_REGISTRY_URI": "http://there:5000"}, "names another server than"),
        (SERVER | {"MLFLOW_TRACKING_AUTH": "plugin"}, "MLFLOW_TRACKING_AUTH is set, and is not"),
        (SERVER | {"MLFLOW_TRACKING_CLIENT_CERT_PATH": "x"}, "put a proxy that shows it before"),
        (SERVER | {"MLFLOW_TRACKING_USERNAME": "me"}, "belong together"),
        (SERVER | {"MLFLOW_TRACKING_PASSWORD": "hidden"}, "belong together"),
        ({"MLFLOW_TRACKING_USERNAME": "m:e", "MLFLOW_TRACKING_PASSWORD": "hidden"}, "colon"),
        ({"MLFLOW_TRACKING_TOKEN": "Bearer hidden"}, "without a space"),
        ({"MLFLOW_TRACKING_TOKEN": "hid\nden"}, "must not hold a line break"),
        ({"MLFLOW_TRACKING_TOKEN": "hidden→"}, "ASCII"),
        ({"MLFLOW_TRACKING_SERVER_CERT_PATH": __file__}, "must be a file of PEM certificates"),
        (
            {"MLFLOW_TRACKING_URI": "http://m:5000", "MLFLOW_WORKSPACE": "team-a"},
            "MLFLOW_WORKSPACE is set, and is not supported here",
        ),
        ({"MODEL_ALIAS": "cham\x1bpion"}, "must not hold"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_asked_for_in_vain_stops_the_start(environ: dict[str, str], reason: str) -> None:
    """The line names the variable, and no secret."""
    with pytest.raises(SettingsError, match=reason) as error:
        Settings.from_env(environ)
    assert "hidden" not in str(error.value)
    assert str(error.value).isprintable()


def test_values_are_stripped() -> None:
    """A secret that was read from a file ends with a line break."""
    settings = Settings.from_env(
        {
            "MLFLOW_TRACKING_URI": "http://mlflow:5000 ",
            "MLFLOW_TRACKING_TOKEN": "example-token\n",
            "MODEL_ALIAS": " champion ",
            "PORT": " \n",
        }
    )
    assert settings.mlflow_tracking_token == "example-token"
    assert settings.model_alias == "champion"
    assert settings.port == 9696


def test_one_server_by_both_names_is_fine() -> None:
    """MLflow's client on a training machine has them so."""
    Settings.from_env(SERVER | {"MLFLOW_REGISTRY_URI": "https://mlflow.example/prefix"})
