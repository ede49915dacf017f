"""All settings come from the environment; a bad one names itself."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import ValidationError

from scoring.errors import SettingsError
from scoring.process import cpus
from serving.settings import Settings
from tests.support import ROOT

GOOD: list[tuple[str, str, Any]] = [
    ("MODELS", "ride", ("ride",)),
    ("MODELS", " churn , ride ", ("churn", "ride")),
    ("MODELS_DIR", "elsewhere", Path("elsewhere")),
    ("MODEL_CODE", "mine:theirs", "mine:theirs"),
    ("HOST", "127.0.0.1", "127.0.0.1"),
    ("HOST", "::", "::"),
    ("PORT", "1", 1),
    ("PORT", "65535", 65535),
    ("METRICS_PORT", "9697", 9697),
    ("WORKERS", "1", 1),
    ("WORKERS", "256", 256),
    ("WEB_CONCURRENCY", "3", 3),
    ("THREADS", "1", 1),
    ("THREADS", "256", 256),
    ("TIMEOUT", "3600", 3600),
    ("GRACEFUL_TIMEOUT", "1", 1),
    ("KEEP_ALIVE", "0", 0),
    ("MAX_BODY_BYTES", "1", 1),
    ("MAX_RECORDS", "10000000", 10_000_000),
    ("MAX_ERRORS", "1", 1),
    ("LOG_LEVEL", "debug", "debug"),
    ("LOG_LEVEL", "error", "error"),
    ("API_KEYS_FILE", __file__, Path(__file__)),
    ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
    ("TRUSTED_PROXIES", "::ffff:10.0.0.0/104", (ip_network("10.0.0.0/8"),)),
    ("SCRIPT_NAME", "/ml/rides-2.0", "/ml/rides-2.0"),
    ("CORS_ORIGINS", "https://a.example,*", ("https://a.example", "*")),
    ("DRAIN_SECONDS", "0", 0),
    ("MAX_CONNECTIONS", "1000", 1000),
    ("MAX_IN_FLIGHT", "1", 1),
    ("LOG_FORMAT", "json", "json"),
    ("ACCESS_LOG", "errors", "errors"),
    ("ACCESS_LOG", "off", "off"),
    ("PAGES", "off", "off"),
    ("PREDICTION_LOG", "/var/log/predictions.jsonl", Path("/var/log/predictions.jsonl")),
    ("PREDICTION_LOG_MAX_BYTES", "1024", 1024),
    ("PREDICTION_LOG_KEEP", "1", 1),
    ("PREDICTION_LOG_OMIT", "gender, tenure", ("gender", "tenure")),
    ("PREDICTION_LOG_HASH", "gender", ("gender",)),
    ("PREDICTION_LOG_SECRET", "sixteen letters.", "sixteen letters."),
    ("FEEDBACK", "on", "on"),
    ("MONITORING_URL", "http://monitor:9698", "http://monitor:9698"),
    ("MONITORING_URL", "/reports", "/reports"),
    ("PREDICTION_LOG_ID", "customerid, ride_id", ("customerid", "ride_id")),
    ("MLFLOW_TRACKING_URI", "https://mlflow.example/prefix/", "https://mlflow.example/prefix"),
    ("MLFLOW_TRACKING_USERNAME", "me", "me"),
    ("MLFLOW_TRACKING_PASSWORD", "secret", "secret"),
    ("MLFLOW_TRACKING_TOKEN", "secret", "secret"),
    ("MLFLOW_TRACKING_INSECURE_TLS", "true", True),
    ("MLFLOW_TRACKING_SERVER_CERT_PATH", certifi.where(), Path(certifi.where())),
    ("MLFLOW_S3_ENDPOINT_URL", "http://minio:9000", "http://minio:9000"),
    ("MLFLOW_WEBHOOK_SECRET", "sixteen letters.", "sixteen letters."),
    ("MODEL_ALIAS", "canary-2", "canary-2"),
    ("MODEL_VERSION", "ride:3, churn:12", {"ride": "3", "churn": "12"}),
    ("MODEL_FALLBACK", "image", "image"),
    ("REGISTRY_POLL_SECONDS", "0.2", 0.2),
    ("REGISTRY_START_SECONDS", "600", 600),
    ("REGISTRY_DOWNLOAD_SECONDS", "1", 1),
    ("REGISTRY_CACHE", "/var/cache/models", Path("/var/cache/models")),
    ("REGISTRY_KEEP", "1", 1),
    ("REGISTRY_MAX_BYTES", "1", 1),
]
# What is a detail of something else is set beside it.
BESIDE = {
    name: {needed: where}
    for needed, where in (
        ("PREDICTION_LOG", "/tmp/log"),
        ("MLFLOW_TRACKING_URI", "http://mlflow:5000"),
    )
    for name in Settings.details_of[needed]
}
BAD = [
    ("FEEDBACK", "yes"),
    ("MONITORING_URL", "reports"),
    ("MODELS", "ride,"),
    ("MODELS", ","),
    ("MODELS", "../ride"),
    ("MODELS", "Ride"),
    ("MODELS", "ride churn"),
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "9696.5"),
    ("METRICS_PORT", "0"),
    ("WORKERS", "0"),
    ("WORKERS", "257"),
    ("WORKERS", "auto"),
    ("WEB_CONCURRENCY", "0"),
    ("THREADS", "0"),
    ("THREADS", "257"),
    ("API_KEYS_FILE", "/nowhere/keys"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "proxy"),
    ("SCRIPT_NAME", "ml"),
    ("SCRIPT_NAME", "/ml/"),
    ("SCRIPT_NAME", "/"),
    ("CORS_ORIGINS", "a.example"),
    ("CORS_ORIGINS", "https://a.example/"),
    ("DRAIN_SECONDS", "-1"),
    ("MAX_CONNECTIONS", "0"),
    ("MAX_IN_FLIGHT", "0"),
    ("LOG_FORMAT", "xml"),
    ("TIMEOUT", "0"),
    ("PREDICTION_LOG_MAX_BYTES", "1023"),
    ("PREDICTION_LOG_KEEP", "0"),
    ("TIMEOUT", "3601"),
    ("GRACEFUL_TIMEOUT", "0"),
    ("GRACEFUL_TIMEOUT", "3601"),
    ("KEEP_ALIVE", "-1"),
    ("KEEP_ALIVE", "3601"),
    ("MAX_BODY_BYTES", "0"),
    ("MAX_BODY_BYTES", "1MiB"),
    ("MAX_BODY_BYTES", str(2**30 + 1)),
    ("MAX_RECORDS", "0"),
    ("MAX_ERRORS", "0"),
    ("MAX_RECORDS", "10000001"),
    ("LOG_LEVEL", "loud"),
    ("ACCESS_LOG", "true"),
    ("PAGES", "no"),
    ("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"),
    ("MLFLOW_TRACKING_URI", "http://host:port"),
    ("MLFLOW_TRACKING_INSECURE_TLS", "perhaps"),
    ("MLFLOW_TRACKING_SERVER_CERT_PATH", "/gone.pem"),
    ("MLFLOW_S3_ENDPOINT_URL", "minio:9000"),
    ("MODEL_ALIAS", "a b"),
    ("MODEL_VERSION", "3"),
    ("MODEL_VERSION", "ride:0"),
    ("MODEL_VERSION", "ride:3,ride:4"),
    ("MODEL_ALIAS", "latest"),
    ("MODEL_ALIAS", "v3"),
    ("MLFLOW_TRACKING_URI", "http://mlflow:5000/?a=1"),
    ("MLFLOW_S3_ENDPOINT_URL", "http://minio:port"),
    ("CORS_ORIGINS", "https://a.example:99999"),
    ("MODEL_FALLBACK", "maybe"),
    ("REGISTRY_POLL_SECONDS", "0"),
    ("REGISTRY_START_SECONDS", "0"),
    ("REGISTRY_DOWNLOAD_SECONDS", "0"),
    ("REGISTRY_KEEP", "0"),
    ("REGISTRY_MAX_BYTES", "0"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_variable_sets_its_field(name: str, text: str, value: Any) -> None:
    """Each variable is read, to the limits of what it may be; the others keep their defaults."""
    beside = BESIDE.get(name, {})
    settings = Settings.from_env({name: text, **beside})
    assert getattr(settings, name.lower()) == value
    assert settings.model_fields_set == {name.lower(), *(other.lower() for other in beside)}


@pytest.mark.parametrize("name", BESIDE)
def test_a_detail_of_nothing_is_refused(name: str) -> None:
    """Who leaves fields out of the prediction log believes that there is one."""
    [needed] = BESIDE[name]
    text = next(text for tried, text, _ in GOOD if tried == name)
    with pytest.raises(SettingsError, match=f"{name} is set in vain without {needed}: "):
        Settings.from_env({name: text, needed: " "})


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"PORT": "9700", "METRICS_PORT": "9700"}, "METRICS_PORT=9700: this is the port of the"),
        ({"METRICS_PORT": "9696"}, "METRICS_PORT=9696: this is the port of the service itself"),
        ({"DRAIN_SECONDS": "9"}, "DRAIN_SECONDS=9 is a part of GRACEFUL_TIMEOUT=8"),
    ],
)
def test_what_cannot_both_be_had_is_refused(environ: dict[str, str], problem: str) -> None:
    """Neither of two settings is shortened in silence."""
    with pytest.raises(SettingsError, match=problem):
        Settings.from_env(environ)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("MODELS", "ride;churn", "separated by commas"),
        ("MODELS", "ride,", "none follows the last comma"),
        ("SCRIPT_NAME", "predictions", "such as /predictions"),
        ("MODEL_ALIAS", "@champion", "must be an alias alone"),
        ("MLFLOW_S3_ENDPOINT_URL", "minio:9000", "such as http://minio:9000"),
        ("MLFLOW_TRACKING_URI", "http://mlflow:5000/#/models", "not what a browser shows"),
    ],
)
def test_a_pattern_is_told_in_words(name: str, text: str, says: str) -> None:
    """Who meets a regular expression in a log still does not know what to write."""
    with pytest.raises(SettingsError, match=says):
        Settings.from_env({name: text})


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_value_names_its_variable(name: str, text: str) -> None:
    """The line says which variable, what it holds, and what is wrong with it."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: text, "PATH": "x"})
    assert re.fullmatch(rf"{name}='{re.escape(text)}': .+", str(caught.value))
    assert "Value error" not in str(caught.value), "pydantic's words in front of ours"


def test_a_long_value_is_shown_in_part() -> None:
    """A file's content in the place of its name would fill the log."""
    with pytest.raises(SettingsError, match=r"^PORT='9{200}'\.\.\.: .+") as error:
        Settings.from_env({"PORT": "9" * 5000})
    assert len(str(error.value)) < 400


def test_all_bad_values_are_named_at_once() -> None:
    """Nobody repairs an environment one variable at a time; it is one line all the same."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"PORT": "x\ny", "THREADS": "0", "WORKERS": "2"})
    line = str(caught.value)
    assert "PORT=" in line
    assert "THREADS='0': " in line
    assert "WORKERS" not in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("10.0.0.1/8", "10.0.0.1/8 is one address in 10.0.0.0/8: write 10.0.0.0/8 or 10.0.0.1"),
        ("fd00::1/8", "fd00::1/8 is one address in fd00::/8: write fd00::/8 or fd00::1"),
        ("proxy", "'proxy' is not a network such as 10.0.0.0/8 or fd00::/8"),
    ],
)
def test_a_network_that_is_none_is_told_what_it_is(value: str, problem: str) -> None:
    """Once, and not as what it is not by another protocol."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"TRUSTED_PROXIES": value})
    assert str(caught.value) == f"TRUSTED_PROXIES={value!r}: {problem}"


@pytest.mark.parametrize(
    ("environ", "processes"),
    [
        ({"WORKERS": "3"}, 3),
        ({"WEB_CONCURRENCY": "4"}, 4),
        ({"WORKERS": "3", "WEB_CONCURRENCY": "4"}, 3),
        ({}, cpus.available()),
    ],
    ids=["ours", "theirs", "both", "none"],
)
def test_workers_are_counted_by_either_name(environ: dict[str, str], processes: int) -> None:
    """Ours goes before the one that gunicorn and platforms give it."""
    assert Settings.from_env(environ).worker_processes == processes


def test_several_bad_names_make_one_complaint() -> None:
    """MODELS is named once, however many of its names are wrong."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"MODELS": "A,B,C"})
    assert str(caught.value).count("MODELS") == 1


@pytest.mark.parametrize("name", sorted({name for name, _, _ in GOOD}))
def test_an_empty_value_is_as_good_as_none(name: str) -> None:
    """`PORT= make run` and a compose file with an empty entry mean the default."""
    assert Settings.from_env({name: ""}) == Settings()


def test_nothing_set_gives_the_defaults() -> None:
    """The port of the contract, every model found, the folder beside web-service."""
    settings = Settings.from_env({})
    assert settings.port == 9696
    assert settings.models == ()
    assert settings.workers is None
    assert settings.worker_processes == cpus.available()
    assert settings.models_dir == ROOT / "models"
    assert settings.max_body_bytes == 2**20
    assert settings.graceful_timeout < 10, "the platform's patience at a stop"


def test_other_variables_are_none_of_our_business() -> None:
    """Names are read in capitals only, and strangers not at all."""
    assert Settings.from_env({"port": "1", "Port": "2", "HOME": "/root"}) == Settings()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_tried_here_and_described(name: str) -> None:
    """A new setting needs a description, a good value above, and a bad one if it can be bad."""
    assert len(Settings.model_fields[name].description or "") > 10
    assert name.upper() in {tried for tried, _, _ in GOOD}
    free = {
        "host",
        "models_dir",
        "model_code",  # refused where models are looked for
        "prediction_log",
        "prediction_log_omit",
        "prediction_log_hash",
        "prediction_log_id",
        "prediction_log_secret",
        "registry_cache",
        "mlflow_webhook_secret",
    }
    free |= {f"mlflow_tracking_{part}" for part in ("username", "password", "token")}
    assert name in free or name.upper() in {tried for tried, _ in BAD}


def test_settings_do_not_change() -> None:
    """One frozen object."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_paths_are_anchored_before_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are set and relative; each folder of a list."""
    monkeypatch.chdir(tmp_path)
    given = {"MODELS_DIR": "models", "MODEL_CODE": "mine: theirs:/opt", "API_KEYS_FILE": "/keys"}
    assert Settings.anchored({**given, "MODELS": "ride", "REGISTRY_CACHE": " "}) == {
        "MODELS_DIR": f"{tmp_path}/models",
        "MODEL_CODE": f"{tmp_path}/mine:{tmp_path}/theirs:/opt",
        "API_KEYS_FILE": "/keys",
    }
