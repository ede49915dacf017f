"""A variable whose name is almost that of a setting stops the start; other programs' do not."""

from __future__ import annotations

import os

import pytest

from scoring.errors import SettingsError
from scoring.process.variable_names import near_misses
from scoring.registry.settings import RegistrySettings
from serving.settings import Settings

NAMES = [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MODLES", "MODELS"),
        ("MODEL", "MODELS"),
        ("models", "MODELS"),
        ("Models_Dir", "MODELS_DIR"),
        ("PREDICTION_LOGS", "PREDICTION_LOG"),
        ("PREDICITON_LOG", "PREDICTION_LOG"),
        ("MLFLOW_TRACKING_USER", "MLFLOW_TRACKING_USERNAME"),
        ("MLFLOW_S3_ENDPOINT", "MLFLOW_S3_ENDPOINT_URL"),
        ("PREDICTIONLOG_OMIT", "PREDICTION_LOG_OMIT"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("WORKER", "WORKERS"),
        ("API_KEY_FILE", "API_KEYS_FILE"),
        ("METRIC_PORT", "METRICS_PORT"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("MLFLOW_TRACKING_URL", "MLFLOW_TRACKING_URI"),
        ("REGISTRY_POLL_SECOND", "REGISTRY_POLL_SECONDS"),
        ("API_KEYS", "API_KEYS_FILE"),
        ("API_KEYS_PATH", "API_KEYS_FILE"),
        ("MODELS_PATH", "MODELS_DIR"),
        ("models_folder", "MODELS_DIR"),
        ("MAX_BODY_SIZE", "MAX_BODY_BYTES"),
        ("MAX_BODY", "MAX_BODY_BYTES"),
        ("KEEP_ALIVE_SECONDS", "KEEP_ALIVE"),
        ("GRACEFUL_TIMEOUT_SECONDS", "GRACEFUL_TIMEOUT"),
        ("REGISTRY_POLL", "REGISTRY_POLL_SECONDS"),
        ("API_KEY", "API_KEYS_FILE"),
        ("APIKEY", "API_KEYS_FILE"),
        ("CORS_ALLOWED_ORIGIN", "CORS_ORIGINS"),
        ("CORS_ALLOW_ORIGINS", "CORS_ORIGINS"),
        ("CORS_ALLOWED_ORIGINS", "CORS_ORIGINS"),
        ("CORS_ORIGIN_WHITELIST", "CORS_ORIGINS"),
        ("PREDICTION_LOG_FILE", "PREDICTION_LOG"),
        ("PREDICTION_LOG_DIR", "PREDICTION_LOG"),
        ("ALLOWED_ORIGINS", "CORS_ORIGINS"),
        ("API_TOKENS", "API_KEYS_FILE"),
        ("GUNICORN_WORKERS", "WORKERS"),
        ("MAX_CONTENT_LENGTH", "MAX_BODY_BYTES"),
        ("MLFLOW_URI", "MLFLOW_TRACKING_URI"),
    ],
)
def test_a_near_miss_stops_the_start(name: str, meant: str) -> None:
    """The line names both, and not the value, which may be a secret."""
    with pytest.raises(SettingsError, match=f"{name} is not a setting: is {meant} meant") as error:
        Settings.from_env({name: "hidden value", "PATH": "/bin"})
    assert "hidden" not in str(error.value)


def test_each_way_to_use_a_model_knows_its_own_settings() -> None:
    """What only the service has is nothing to a batch."""
    RegistrySettings.from_env({"PREDICTION_LOGS": "x"})
    with pytest.raises(SettingsError, match="is MODELS meant"):
        RegistrySettings.from_env({"MODLES": "x"})
    RegistrySettings.from_env({"API_KEY": "x"})


def test_a_client_s_key_may_stand_beside_the_file_of_keys() -> None:
    """The requests that the pages let copy read it from API_KEY."""
    Settings.from_env({"API_KEY": "x", "API_KEYS_FILE": __file__})


OTHERS = """PAGER HOSTNAME HOSTTYPE LOGNAME USER TERM LANG PYTHONPATH VIRTUAL_ENV SSH_AUTH_SOCK
KUBERNETES_SERVICE_HOST KUBERNETES_PORT MODELS_SERVICE_HOST MODELS_SERVICE_PORT_HTTP
MODELS_PORT_9696_TCP MODELS_PORT_9696_TCP_ADDR WEB_CONCURRENCY GUNICORN_CMD_ARGS AWS_REGION
AWS_PROFILE CONDA_PREFIX GITHUB_TOKEN OMP_NUM_THREADS N_THREADS NUM_WORKERS MAX_WORKERS
OTEL_EXPORTER_OTLP_ENDPOINT NO_PROXY HTTP_PROXY http_proxy REQUESTS_CA_BUNDLE SSL_CERT_FILE
MODEL_NAME MODEL_PATH MODEL_ID LOG_DIR LOG_FILE REGISTRY REGISTRY_URL DOCKER_HOST SECRET_KEY
SM_MODEL_DIR DATA_DIR MAKEFLAGS COLUMNS LINES REQUEST_TIMEOUT MAX_REQUESTS""".split()


def test_names_of_other_programs_are_left_alone() -> None:
    """Those of shells, containers, clusters and of MLflow itself, and all that are set here."""
    import mlflow.environment_variables as mlflow

    mlflow_names = [name for name in dir(mlflow) if name.startswith("MLFLOW_")]
    assert len(mlflow_names) > 50
    assert near_misses(dict.fromkeys([*OTHERS, *mlflow_names], "x"), NAMES) == {}
    assert near_misses({"MODELS_PORT": "tcp://10.0.0.1:80", "WORKER_PORT": "udp://x"}, NAMES) == {}
    here = {name: value for name, value in os.environ.items() if name not in NAMES}
    assert near_misses(here, NAMES) == {}
