"""The registry's settings: bad ones stop the start, secrets are never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from scoring.errors import SettingsError
from scoring.models import discover
from scoring.registry.cache import Cache
from scoring.registry.client import Client
from scoring.registry.following import Following
from scoring.settings import Settings

SERVER = {"MLFLOW_TRACKING_URI": "https://mlflow.example/prefix/"}


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}, "make mlflow"),
        ({"MLFLOW_TRACKING_URI": "http://"}, "http:// or https://"),
        ({"MLFLOW_TRACKING_URI": "http://host:port"}, "http:// or https://"),
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
    names = ("PASSWORD", "TOKEN")
    settings = Settings.from_env({f"MLFLOW_TRACKING_{name}": "hidden" for name in names} | SERVER)
    assert "hidden" not in repr(settings)


def test_what_is_asked_for_is_the_alias_or_the_pin() -> None:
    """Several pins by commas; an unpinned model follows the alias."""
    settings = Settings.from_env({"MODEL_VERSION": "ride:3, churn:12", "MODEL_ALIAS": "canary"})
    assert [settings.selector(name) for name in ("ride", "churn", "tips")] == [
        "v3",
        "v12",
        "canary",
    ]
    with pytest.raises(SettingsError, match="MODEL_VERSION pins 'churn'"):
        settings.check_pins(["ride"])


def test_credentials_go_the_way_mlflow_s_do() -> None:
    """Name and password, or a token; a certificate of one's own; none checked if told so."""
    named = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "pw"}
    assert Client(Settings.from_env(SERVER | named))._session.auth == ("me", "pw")
    token = Client(Settings.from_env(SERVER | {"MLFLOW_TRACKING_TOKEN": "t"}))
    request = token._session.auth(requests.Request("GET", "http://x").prepare())
    assert request.headers["Authorization"] == "Bearer t"
    cert = {"MLFLOW_TRACKING_SERVER_CERT_PATH": __file__}
    assert Client(Settings.from_env(SERVER | cert))._session.verify == __file__
    loose = {"MLFLOW_TRACKING_INSECURE_TLS": "true"}
    assert Client(Settings.from_env(SERVER | loose))._session.verify is False


def test_a_cache_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    settings = Settings.from_env(SERVER | {"REGISTRY_CACHE": str(tmp_path / "file")})
    with pytest.raises(SettingsError, match=r"REGISTRY_CACHE=.* cannot be written: .*volume"):
        Following(settings, discover())


def test_a_cache_of_another_user_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there is loaded: it must be ours."""
    settings = Settings.from_env(SERVER | {"REGISTRY_CACHE": str(tmp_path)})
    Cache(settings).prepare(["ride"])
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    if owner == 0:
        Cache(settings).prepare(["ride"])
    else:
        with pytest.raises(SettingsError, match="belongs to another user"):
            Cache(settings).prepare(["ride"])
