"""All settings come from the environment; a bad one names itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from scoring.errors import SettingsError
from scoring.process import cpus
from serving.settings import Settings
from tests.serving.setting_values import BAD, BESIDE, GOOD
from tests.support import ROOT


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
