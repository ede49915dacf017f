"""A real gunicorn behind keys, and its traces at a real collector's door."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scoring.models import discover
from tests.support import post, serving, stop, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)


def line(name: str, scope: str, key: str) -> str:
    """Return the line of a key in API_KEYS_FILE."""
    return f"{name} {scope} sha256:{hashlib.sha256(key.encode()).hexdigest()}\n"


def bearer(key: str) -> dict[str, str]:
    """Return the header that sends a key."""
    return {"Authorization": f"Bearer {key}"}


def test_keys_hold_on_both_ways_and_change_without_a_restart(
    models_dir: Path, tmp_path: Path
) -> None:
    """A record alone and an array are refused alike; a key that is taken out is refused soon.

    The service's log names whose key it was, and so does the prediction log.
    """
    file = tmp_path / "keys"
    file.write_text(line("shop", "predict", "one") + line("ops", "admin", "two"))
    predictions = tmp_path / "predictions.jsonl"
    given = {"WORKERS": "1", "API_KEYS_FILE": str(file), "PREDICTION_LOG": str(predictions)}
    with serving(models_dir, tmp_path / "log", **given) as server:
        url = f"{server.url}/predict"
        for value in (EXAMPLE, [EXAMPLE] * 500):
            assert post(url, value).status_code == 401
            assert post(url, value, bearer("wrong")).status_code == 401
            assert post(url, value, bearer("one")).status_code == 200
        assert post(url, EXAMPLE).content == post(url, [EXAMPLE] * 500).content
        aside = tmp_path / "new"
        aside.write_text(line("ops", "admin", "two") + line("other", "predict", "three"))
        aside.replace(file)
        wait_for(lambda: post(url, EXAMPLE, bearer("one")).status_code == 401, "the key to go")
        assert post(url, EXAMPLE, bearer("three")).status_code == 200
        rows = {"dataframe_records": [EXAMPLE]}
        assert post(f"{server.url}/invocations", rows, bearer("three")).status_code == 200

        def named() -> set[str | None]:
            log = [json.loads(text) for text in server.log.read_text().splitlines()]
            return {entry.get("key") for entry in log if entry["event"] == "request"}

        wait_for(lambda: named() == {None, "shop", "other"}, "the log")
        assert "Bearer" not in server.log.read_text()
    lines = [json.loads(text) for text in predictions.read_text().splitlines()]
    named_by = Counter(entry["key"] for entry in lines)
    assert named_by["shop"] > 500  # and some more until its key was gone
    assert named_by["other"] == 2
    assert len(named_by) == 2


# --- traces


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Yield an address that takes OTLP over HTTP, and the spans that it has been sent."""
    spans: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as http.server calls it
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                pytest.fail("not asked for")
            sent = ExportTraceServiceRequest.FromString(body)
            spans.extend(
                (resource.resource, span)
                for resource in sent.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
        server.shutdown()


def test_a_trace_goes_on_in_the_log_and_at_the_collector(
    models_dir: Path, tmp_path: Path, collector: tuple[str, list[Any]]
) -> None:
    """The caller's trace id is in the log and in the span, whose parent is the caller's.

    Without one, or with an ill-formed one, a new trace begins.
    """
    address, spans = collector
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with serving(models_dir, tmp_path / "log", WORKERS="1", **more) as server:
        headers = {"traceparent": f"00-{trace}-{parent}-01"}
        assert post(f"{server.url}/predict", EXAMPLE, headers).status_code == 200
        assert post(f"{server.url}/predict/churn", {}, headers).status_code == 422
        assert (
            post(f"{server.url}/predict", EXAMPLE, {"traceparent": "00-0-0-0"}).status_code == 200
        )
        wait_for(lambda: len([s for _, s in spans if "predict" in s.name]) == 3, "the spans")
        log = [json.loads(text) for text in server.log.read_text().splitlines()]
    predicted = [(resource, span) for resource, span in spans if "predict" in span.name]
    assert [span.name for _, span in predicted[:2]] == ["POST /predict", "POST /predict/<name>"]
    assert [span.trace_id.hex() == trace for _, span in predicted] == [True, True, False]
    assert [span.parent_span_id.hex() for _, span in predicted] == [parent, parent, ""]
    attributes = {a.key: a.value for a in predicted[0][1].attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["model.name"].string_value == "ride"
    named = {a.key: a.value.string_value for a in predicted[0][0].attributes}
    assert named["service.name"] == "prediction-service"
    logged = [entry["trace_id"] for entry in log if entry.get("route", "").startswith("/predict")]
    assert logged == [span.trace_id.hex() for _, span in predicted]


def test_a_stop_sends_the_spans_that_are_left(
    models_dir: Path, tmp_path: Path, collector: tuple[str, list[Any]]
) -> None:
    """Those that were not due yet."""
    address, spans = collector
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    with serving(models_dir, tmp_path / "log", WORKERS="1", **more) as server:
        assert post(f"{server.url}/predict", EXAMPLE).status_code == 200
        assert spans == []
        stop(server)
    assert "POST /predict" in [span.name for _, span in spans]
    assert "error" not in {line["level"] for line in server.logged()}


def test_a_stop_does_not_wait_for_a_collector_that_is_gone(
    models_dir: Path, tmp_path: Path
) -> None:
    """One that takes connections and never answers: the SDK by itself would wait ten seconds."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "GRACEFUL_TIMEOUT": "30"}
        with serving(models_dir, tmp_path / "log", WORKERS="1", **more) as server:
            assert post(f"{server.url}/predict", EXAMPLE).status_code == 200
            stop(server, within_s=5)
    assert "error" not in {line["level"] for line in server.logged()}
