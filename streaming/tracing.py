"""A span for each event, below the one of its `traceparent`, where the usual OTEL_ variables ask
for it. Prediction and dead letter go on from there."""

from __future__ import annotations

import time

from scoring.predictor import Predictor
from scoring.process.otel import Spans
from streaming.interface import Event, Headers

_HEADER = "traceparent"


class EventTracing(Spans):
    """Sends a span for each event."""

    def record(
        self, stream: str, name: str, event: Event, began_ns: int, predictor: Predictor,
        reason: str | None = None,
    ) -> tuple[str, bytes]:  # fmt: skip
        """Record a span from `began_ns` until now, of an event whose id is `name`; `reason` says
        why it has no prediction. Return the header that what was made of the event is to have."""
        from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {
            name.lower(): value.decode("ascii", "replace")
            for name, value in event.headers
            if name.lower() in (_HEADER, "tracestate") and value
        }
        span = self.tracer.start_span(
            f"process {stream}",
            context=TraceContextTextMapPropagator().extract(carrier),
            kind=SpanKind.CONSUMER,
            start_time=began_ns,
            attributes={
                "messaging.operation.type": "process",
                "messaging.destination.name": stream,
                "messaging.destination.partition.id": str(event.partition),
                "messaging.message.id": name,
                "model.name": predictor.model.name,
                "model.version": predictor.version,
                **({"error.type": reason} if reason else {}),
            },
        )
        if reason:
            span.set_status(StatusCode.ERROR)
        span.end(time.time_ns())
        context = span.get_span_context()
        trace, own = format_trace_id(context.trace_id), format_span_id(context.span_id)
        return _HEADER, f"00-{trace}-{own}-{int(context.trace_flags):02x}".encode()


def continued(headers: Headers, own: tuple[str, bytes]) -> Headers:
    """Return `headers` with the worker's trace context in the place of the event's."""
    return [*((name, value) for name, value in headers if name.lower() != _HEADER), own]
