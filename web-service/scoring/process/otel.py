"""OpenTelemetry: spans, where the usual OTEL_ variables ask for them.

It needs the group `otel` of the Pipfile. Everything else about it is set by those variables.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Final, Self

from scoring.errors import SettingsError
from scoring.process.addresses import trouble_of

_FLUSH_S: Final = 0.25  # a collector that is gone must not hold a stop up
_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_PROTOCOL: Final = "http/protobuf"  # the one whose package is in the group `otel`
_FILES: Final = ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _of_traces(environ: Mapping[str, str], option: str) -> tuple[str, str]:
    """Return an option's value and its variable: that of traces goes before that of all signals."""
    own, shared = f"{_OTLP}TRACES_{option}", f"{_OTLP}{option}"
    name = own if _value(environ, own) else shared
    return _value(environ, name), name


def _check(environ: Mapping[str, str]) -> None:
    """Raise SettingsError for what the SDK would pass over in silence, or only log at each try."""
    exporter = _value(environ, "OTEL_TRACES_EXPORTER")
    if exporter.lower() not in ("", "otlp"):
        raise SettingsError(
            f"OTEL_TRACES_EXPORTER={exporter!r}: traces are sent by otlp alone; set otlp, or none"
        )
    protocol, name = _of_traces(environ, "PROTOCOL")
    if protocol not in ("", _PROTOCOL):
        raise SettingsError(
            f"{name}={protocol!r}: traces are sent by {_PROTOCOL} alone, for which collectors "
            "listen on port 4318"
        )
    endpoint, name = _of_traces(environ, "ENDPOINT")
    if endpoint and (trouble := trouble_of(endpoint)):
        raise SettingsError(f"{name}: {trouble}")
    for option in _FILES:
        path, name = _of_traces(environ, option)
        if path and not os.access(path, os.R_OK):
            raise SettingsError(f"{name}={path}: the file is not there, or cannot be read")


def asked_by(environ: Mapping[str, str]) -> str | None:
    """Return the variable that asks for traces, None where none does.

    Raises SettingsError where what is asked for cannot be had: another exporter or protocol, or a
    file that is not there.
    """
    exporter = _value(environ, "OTEL_TRACES_EXPORTER").lower()
    endpoint, name = _of_traces(environ, "ENDPOINT")
    off = _value(environ, "OTEL_SDK_DISABLED").lower() == "true"
    if off or exporter == "none" or not (exporter or endpoint):
        return None
    _check(environ)
    return name if endpoint else "OTEL_TRACES_EXPORTER"


def asked_for(environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether the OTEL_ variables ask for traces; they can be had then.

    Raises SettingsError as `asked_by`, and without the packages.
    """
    asks = asked_by(environ)
    if asks is None:
        return False
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401  # whether they are there
    except ImportError as error:
        raise SettingsError(
            f"{asks} asks for traces, and OpenTelemetry is not installed: build the image with "
            "--build-arg OTEL=1, or set OTEL_SDK_DISABLED=true"
        ) from error
    return True


class Spans:
    """Sends spans, made by a `provider`, from the thread of a `processor`."""

    def __init__(self, provider: Any, processor: Any) -> None:
        """Take the SDK's objects; `processor` belongs to `provider`."""
        self._processor = processor
        self.tracer = provider.get_tracer("prediction-service")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self | None:
        """Return what the OTEL_ variables ask for, None where that is nothing.

        It starts a thread, which lives in this process alone. Raises SettingsError as `asked_for`.
        """
        if not asked_for(environ):
            return None
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before this name
        named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        resource = Resource.create({} if named else {"service.name": "prediction-service"})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # it would wait
        processor = BatchSpanProcessor(OTLPSpanExporter())
        provider.add_span_processor(processor)
        return cls(provider, processor)

    def stop(self) -> None:
        """Send what is left, as far as the collector takes it within a quarter of a second."""
        flush = threading.Thread(target=self._processor.shutdown, daemon=True)
        flush.start()
        flush.join(_FLUSH_S)
