"""What the OTEL_ variables ask for is had, or stops the start: never less in silence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scoring.errors import SettingsError
from serving.server.tracing import Tracing
from tests.support import run_to_end

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "True"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_SERVICE_NAME": "shop"},
    ],
    ids=str,
)
def test_nothing_is_sent_where_nothing_is_asked_for(environ: dict[str, str]) -> None:
    """Without an endpoint or an exporter, or switched off."""
    assert Tracing.from_environment(environ) is None


@pytest.mark.parametrize(
    "environ",
    [
        ENDPOINT,
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example/v1/traces"},
        {"OTEL_TRACES_EXPORTER": "otlp"},  # to the SDK's own default, this machine
        {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
         "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
    ],
    ids=str,
)  # fmt: skip
def test_traces_are_sent_where_they_are_asked_for(environ: dict[str, str]) -> None:
    """The variables of traces go before those of all signals."""
    tracing = Tracing.from_environment(environ)
    assert tracing
    tracing.stop()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER='zipkin': traces"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "sent by otlp alone; set otlp, or none"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL='grpc'"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "listen on port 4318"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "must begin with http:// or https://"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:otlp"}, "ENDPOINT: its port is none"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such.pem"},
         "OTEL_EXPORTER_OTLP_CERTIFICATE=/no/such.pem: the file is not there"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_so_is_refused(environ: dict[str, str], said: str) -> None:
    """The SDK would pass it over, or log at each try."""
    with pytest.raises(SettingsError) as raised:
        Tracing.from_environment(environ)
    assert said in str(raised.value)


def test_without_the_packages_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the variable that asks, and how to have them."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    said = "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and OpenTelemetry is not installed: build"
    with pytest.raises(SettingsError, match=said):
        Tracing.from_environment(ENDPOINT)
    assert Tracing.from_environment({}) is None


@pytest.mark.slow
def test_a_start_says_so_in_one_line(models_dir: Path) -> None:
    """And ends with 1."""
    done = run_to_end(MODELS_DIR=str(models_dir), OTEL_TRACES_EXPORTER="jaeger")
    assert done.returncode == 1
    assert "prediction-service cannot start: OTEL_TRACES_EXPORTER='jaeger'" in done.stderr
    assert "Traceback" not in done.stderr
