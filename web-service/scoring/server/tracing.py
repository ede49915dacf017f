"""OpenTelemetry: a span for each request, where the usual OTEL_ variables ask for it and the group
`otel` of the Pipfile is installed. Everything else about it is set by those variables."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from scoring.server.journal import Told

_log = logging.getLogger(__name__)

_FAILED = 500  # the first status that is a fault of ours


class Tracing:
    """Sends spans from a thread of its own."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("prediction-service")

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> Self | None:
        """Gives what the OTEL_ variables ask for: None without an endpoint, with OTEL_SDK_DISABLED
        or OTEL_TRACES_EXPORTER=none, or where the packages are missing, which is logged."""
        endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get(
            "OTEL_EXPORTER_OTLP_ENDPOINT"
        )
        off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        if not endpoint or off or environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
            return None
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            _log.warning(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: no traces "
                "(an image has it with --build-arg OTEL=1)"
            )
            return None
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before this name
        named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        resource = Resource.create({} if named else {"service.name": "prediction-service"})
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def record(
        self, method: str, told: Told, status: int, seconds: float, request_id: str,
        traceparent: str | None,
    ) -> str:  # fmt: skip
        """Notes a span that ends now, below the caller's where there is one; gives its trace's id,
        32 hexadecimal digits."""
        from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
        from opentelemetry.trace.propagation.tracecontext import (
            TraceContextTextMapPropagator,
        )

        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent or ""})
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{method} {told.route}",
            context=parent,
            kind=SpanKind.SERVER,
            start_time=end - int(seconds * 1e9),
            attributes={
                "http.request.method": method,
                "http.route": told.route,
                "http.response.status_code": status,
                "request.id": request_id,
                **({"model.name": told.model} if told.model else {}),
                **({"model.version": told.version} if told.version else {}),
            },
        )
        if status >= _FAILED:
            span.set_status(StatusCode.ERROR)
        span.end(end)
        return str(format_trace_id(span.get_span_context().trace_id))

    def stop(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()
