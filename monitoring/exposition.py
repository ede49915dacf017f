"""A report as Prometheus metrics, for the node exporter's text files."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monitoring.report import STATUS, Report


def text(report: Report) -> bytes:
    """Return the text of the metrics."""
    registry = CollectorRegistry()
    drift = Gauge("model_drift", "PSI of a field", ["model", "field"], registry=registry)
    threshold = Gauge(
        "model_drift_threshold", "PSI that chance alone reaches", ["model", "field"],
        registry=registry,
    )  # fmt: skip
    for one in report.comparisons:
        if one.difference is not None:
            drift.labels(report.model, one.field).set(one.difference.psi)
            threshold.labels(report.model, one.field).set(one.difference.threshold)
    for name, help_, value in (
        ("model_monitoring_state", "0 quiet, 10 warning, 20 alarm", STATUS[report.state]),
        ("model_monitoring_rows", "predictions of the window", report.rows),
        ("model_monitoring_timestamp_seconds", "when the report was made", time.time()),
    ):
        Gauge(name, help_, ["model"], registry=registry).labels(report.model).set(value)
    found: bytes = generate_latest(registry)
    return found
