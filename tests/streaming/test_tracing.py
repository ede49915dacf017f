"""Traces go through the worker."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from scoring.models import discover
from scoring.predictor import Predictor
from streaming.envelope import Envelope
from streaming.interface import Event
from streaming.outcomes import Scoring
from streaming.tracing import EventTracing
from tests.streaming.support import ride

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_each_event_has_a_span_below_its_own_and_what_is_made_goes_on_from_it(
    models_dir: Path,
) -> None:
    """Prediction and dead letter; an event without a context begins a trace."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    processor = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    scoring = Scoring("rides", Envelope(), tracing=EventTracing(provider, processor))
    headers = [("TraceParent", f"00-{TRACE}-{PARENT}-01".encode()), ("a", b"b")]
    events = [
        Event(ride(1), b"k", headers, 0, 1, 1.0),
        Event(b"{", b"k", headers, 0, 2, 1.0),
        Event(ride(2), b"k", (), 0, 3, 1.0),
    ]
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    made = scoring.outcome(predictor, events)
    good, bad, alone = exporter.get_finished_spans()
    for span, message in zip((good, bad), (made.predictions[0], made.letters[0]), strict=True):
        assert span.context
        assert span.parent
        assert format_trace_id(span.context.trace_id) == TRACE
        assert format_span_id(span.parent.span_id) == PARENT
        own = f"00-{TRACE}-{format_span_id(span.context.span_id)}-01".encode()
        assert dict(message.headers)["traceparent"] == own
    assert next(iter(made.predictions[0].headers)) == ("a", b"b")
    assert "TraceParent" not in dict(made.predictions[0].headers)
    assert good.kind is SpanKind.CONSUMER
    assert (good.attributes or {})["messaging.message.id"] == "rides/0/1"
    assert (good.attributes or {})["model.version"] == predictor.version
    assert (bad.attributes or {})["error.type"] == "not_json"
    assert good.status.is_ok
    assert not bad.status.is_ok
    assert alone.parent is None
