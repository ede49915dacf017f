"""What a container's environment would do to the service is found before it is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.environment import MODELS_DIR, Container, problems
from scoring.models import discover
from serving.settings import Settings
from tests.support import ROOT

PORT = Settings().port
CONTAINER = Container(port=PORT, stop_s=10)
DEFAULT = next(iter(discover()))

GOOD = {
    "nothing": {},
    "what we ship": {"LOG_LEVEL": "info", "MODELS": DEFAULT},
    "its own port, written out": {"PORT": str(PORT)},
    "every address": {"HOST": "0.0.0.0"},
    "every address, of IPv6 too": {"HOST": "::"},
    "metrics beside it": {"METRICS_PORT": str(PORT + 1)},
    "the image's models": {"MODELS_DIR": f"{MODELS_DIR}/"},
    "a registry, which is not asked": {"MLFLOW_TRACKING_URI": "http://registry.invalid:5000"},
    "a registry and a pin": {
        "MLFLOW_TRACKING_URI": "http://registry.invalid:5000",
        "MODEL_VERSION": f"{DEFAULT}:3",
    },
    "a log that can be written": {"PREDICTION_LOG": "/tmp/predictions.jsonl"},
    "the base image's certificates": {
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/etc/ssl/certs/ca-certificates.crt"
    },
    "arguments of gunicorn": {"GUNICORN_CMD_ARGS": "--max-requests 1000"},
    "a stop in time": {"GRACEFUL_TIMEOUT": "9"},
    "variables of others": {"TZ": "Europe/Madrid"},
    "the image's folder of models' code": {"MODEL_CODE": "/app/model_code"},
    "the base image's certificates for others": {
        "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"
    },
    "traces": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
    "traces that are off": {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317",
        "OTEL_SDK_DISABLED": "true",
    },
}

BAD = {
    "another port": ({"PORT": "8080"}, f"requests come in at port {PORT}"),
    "no port": ({"PORT": "http"}, "PORT='http'"),
    "loopback": ({"HOST": "127.0.0.1"}, "not reachable from outside"),
    "loopback of IPv6": ({"HOST": "::1"}, "not reachable from outside"),
    "loopback by name": ({"HOST": "localhost"}, "not reachable from outside"),
    "metrics in the service's place": ({"METRICS_PORT": str(PORT)}, "port of the service itself"),
    "no number": ({"WORKERS": "zero"}, "WORKERS='zero'"),
    "an unknown model": ({"MODELS": "tips"}, "MODELS names 'tips'"),
    "one unknown model of two": ({"MODELS": f"{DEFAULT},tips"}, "MODELS names 'tips'"),
    "a pin of another model": (
        {"MODEL_VERSION": "tips:3", "MLFLOW_TRACKING_URI": "http://registry.invalid:5000"},
        "MODEL_VERSION pins 'tips'",
    ),
    "a pin without a registry": ({"MODEL_VERSION": f"{DEFAULT}:3"}, "MODEL_VERSION is set in vain"),
    "a part of a log that is none": (
        {"PREDICTION_LOG_OMIT": "trip_distance"},
        "PREDICTION_LOG_OMIT is set in vain",
    ),
    "no choice": ({"MODEL_FALLBACK": "yes"}, "MODEL_FALLBACK='yes'"),
    "no server": ({"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}, "http:// or https://"),
    "models elsewhere": ({"MODELS_DIR": "/srv/models"}, f"models are in {MODELS_DIR}"),
    "a file that only this machine has": ({"API_KEYS_FILE": __file__}, "no such file"),
    "a file that nobody has": (
        {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nowhere.pem"},
        "MLFLOW_TRACKING_SERVER_CERT_PATH=/nowhere.pem: the container has no such file",
    ),
    "a log that cannot be written": ({"PREDICTION_LOG": "/var/log/x"}, "only below /tmp and"),
    "a cache that cannot be written": ({"REGISTRY_CACHE": "/srv/x"}, "only below /tmp and"),
    "a folder in the place of a log": ({"PREDICTION_LOG": "/tmp"}, "this is a folder; name a file"),
    "a log beside what can be written": (
        {"PREDICTION_LOG": "/tmp/../etc/x"},
        "only below /tmp and",
    ),
    "code that is not there": ({"MODEL_CODE": "/srv/mine"}, "the container has no such folder"),
    "code of this machine": ({"MODEL_CODE": "mine"}, "MODEL_CODE names mine: the container has no"),
    "a registry in the container": (
        {"MLFLOW_TRACKING_URI": "http://localhost:5000"},
        "names localhost, which is the container itself",
    ),
    "a registry in the container, by number": (
        {"MLFLOW_TRACKING_URI": "http://127.0.0.2:5000"},
        "names 127.0.0.2, which is the container itself",
    ),
    "certificates that only this machine has": (
        {"SSL_CERT_FILE": "/usr/local/share/corp.pem"},
        "SSL_CERT_FILE=/usr/local/share/corp.pem: the container has no such file",
    ),
    "a collector without a scheme": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"},
        "OTEL_EXPORTER_OTLP_ENDPOINT: must begin with http",
    ),
    "traces by gRPC": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        "OTEL_EXPORTER_OTLP_PROTOCOL='grpc'",
    ),
    "a host that is none": ({"HOST": "300.1.1.1"}, "HOST=300.1.1.1: not reachable"),
    "a field that no model has": (
        {"PREDICTION_LOG": "/tmp/x", "PREDICTION_LOG_OMIT": "surname"},
        "PREDICTION_LOG_OMIT names 'surname'",
    ),
    "a hash without its secret": (
        {
            "PREDICTION_LOG": "/tmp/x",
            "PREDICTION_LOG_HASH": next(iter(discover()[DEFAULT].record.model_fields)),
        },
        "needs PREDICTION_LOG_SECRET",
    ),
    "a stop that is too slow": ({"GRACEFUL_TIMEOUT": "10"}, "killed 10 s after"),
    "an address past the settings": ({"GUNICORN_CMD_ARGS": "-b :80"}, "leave --bind out"),
    "unknown arguments": ({"GUNICORN_CMD_ARGS": "--worker 2"}, "refused by gunicorn"),
    "an option that is not honoured": (
        {"GUNICORN_CMD_ARGS": "--access-logfile -"},
        "--access-logfile is not honoured",
    ),
    "another worker": ({"GUNICORN_CMD_ARGS": "-k gevent"}, "--worker-class is not honoured"),
    "a service in the background": ({"GUNICORN_CMD_ARGS": "-D"}, "would end at once"),
    "a check alone": ({"GUNICORN_CMD_ARGS": "--check-config"}, "would end at once"),
    "help": ({"GUNICORN_CMD_ARGS": "--help"}, "refused by gunicorn: it ends with 0"),
    "a number that cannot be": ({"GUNICORN_CMD_ARGS": "-w -1"}, "refused by gunicorn"),
    "a key that is not there": (
        {"GUNICORN_CMD_ARGS": "--keyfile /srv/tls.key"},
        "no such file as /srv/tls.key",
    ),
    "a stop of gunicorn's that is too slow": (
        {"GUNICORN_CMD_ARGS": "--graceful-timeout 60"},
        "killed 10 s after",
    ),
    "half a quotation": ({"GUNICORN_CMD_ARGS": "--name '"}, "refused by gunicorn"),
}


@pytest.mark.slow
@pytest.mark.parametrize("environ", GOOD.values(), ids=GOOD)
def test_what_serves_is_taken(environ: dict[str, str], models_dir: Path) -> None:
    """Nothing is found in an environment that is right."""
    assert problems(environ, CONTAINER, models_dir) == []


@pytest.mark.slow
@pytest.mark.parametrize(("environ", "says"), BAD.values(), ids=BAD)
def test_what_would_not_serve_is_found(
    environ: dict[str, str], says: str, models_dir: Path
) -> None:
    """One line, which names the variable."""
    [problem] = problems(environ, CONTAINER, models_dir)
    assert says in problem
    assert any(name in problem for name in environ)


def test_traces_need_their_packages() -> None:
    """An image without OTEL=1 refuses to start when it is asked for traces."""
    plain = Container(port=PORT, stop_s=10, has_tracing=False)
    [problem] = problems({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, plain)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and the image is built without" in problem
    assert problems({"OTEL_SDK_DISABLED": "true"}, plain) == []


def test_everything_is_found_at_once() -> None:
    """Two mistakes are two lines."""
    found = problems({"HOST": "127.0.0.1", "API_KEYS_FILE": "/nowhere"}, CONTAINER)
    assert len(found) == 2


def test_models_that_are_not_shipped_are_found(tmp_path: Path) -> None:
    """The start loads what is shipped: an empty folder serves nothing."""
    [problem] = problems({}, CONTAINER, tmp_path)
    assert f"model '{DEFAULT}'" in problem


def test_what_is_mounted_is_left_to_the_container() -> None:
    """A folder that comes from outside may hold keys and models, and may be written to."""
    mounted = Container(port=PORT, stop_s=10, mounted=("/mnt/predictions",))
    environ = {
        "MODELS_DIR": "/mnt/predictions/models",
        "API_KEYS_FILE": "/mnt/predictions/keys.json",
        "PREDICTION_LOG": "/mnt/predictions/log",
    }
    assert problems(environ, mounted) == []
    assert len(problems(environ, CONTAINER)) == 3


def test_the_image_has_its_models_there() -> None:
    """The folder is the one that the Dockerfile copies."""
    assert f" {MODELS_DIR} {MODELS_DIR}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
