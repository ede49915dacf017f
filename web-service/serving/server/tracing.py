"""A span for each request, where the usual OTEL_ variables ask for it."""

from __future__ import annotations

import time
from typing import Final

from scoring.process.otel import Spans
from serving.http.route_info import RouteInfo

_FAILED: Final = 500  # the first status that is a fault of ours


class Tracing(Spans):
    """Sends a span for each request."""

    def record(
        self, method: str, route_info: RouteInfo, status: int, seconds: float, request_id: str,
        traceparent: str | None,
    ) -> str:  # fmt: skip
        """Record a span that ends now, below the caller's where there is one.

        Return its trace's id, 32 hexadecimal digits.
        """
        from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
        from opentelemetry.trace.propagation.tracecontext import (
            TraceContextTextMapPropagator,
        )

        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent or ""})
        end = time.time_ns()
        span = self.tracer.start_span(
            f"{method} {route_info.route}",
            context=parent,
            kind=SpanKind.SERVER,
            start_time=end - int(seconds * 1e9),
            attributes={
                "http.request.method": method,
                "http.route": route_info.route,
                "http.response.status_code": status,
                "request.id": request_id,
                **({"model.name": route_info.model} if route_info.model else {}),
                **({"model.version": route_info.version} if route_info.version else {}),
            },
        )
        if status >= _FAILED:
            span.set_status(StatusCode.ERROR)
        span.end(end)
        return str(format_trace_id(span.get_span_context().trace_id))
