"""Reports as Prometheus metrics, for the page of `watch` and the node exporter's text files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from monitoring.compare import rows_beyond
from monitoring.report import STATUS, Report
from scoring.profiles.categories import Categories
from scoring.profiles.numbers import Numbers

# name, labels beside the model, help
_FAMILIES = (
    ("model_drift", ("field",), "PSI of a field"),
    ("model_drift_threshold", ("field",), "PSI that chance alone reaches"),
    ("model_performance", ("metric", "kind"), "a metric of the window, realised or estimated"),
    ("model_data_missing_ratio", ("field",), "share of the window's rows without the field"),
    ("model_data_new_ratio", ("field",), "share of rows with a category that the reference lacks"),
    ("model_data_beyond_ratio", ("field",), "share of rows beyond the ends of the reference"),
    ("model_data_unseen_ratio", (), "share of predictions with a category unknown to the model"),
    ("model_data_repeated_ratio", (), "share of predictions whose id came before"),
    ("model_data_future_ratio", (), "share of predictions of the future"),
    ("model_data_refused_ratio", (), "share of requests that were refused for their records"),
    (
        "model_data_refused_records",
        ("field", "reason"),
        "their records with a bad field",
    ),
    ("model_monitoring_state", (), "0 quiet, 10 warning, 20 alarm"),
    ("model_monitoring_rows", (), "predictions of the window"),
    ("model_monitoring_truths", (), "predictions of the window whose truth is known"),
    ("model_monitoring_timestamp_seconds", (), "when the report was made"),
)


def text(reports: Sequence[Report]) -> bytes:
    """Return the text of the metrics of these models."""
    # its package takes as long to import as a report to write, and few ask for the text
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    gauges = {
        name: Gauge(name, help_, ["model", *labels], registry=registry)
        for name, labels, help_ in _FAMILIES
    }
    for report in reports:
        for name, labels, value in _values(report):
            gauges[name].labels(report.model, *labels).set(value)
    found: bytes = generate_latest(registry)
    return found


def _values(report: Report) -> Iterator[tuple[str, tuple[str, ...], float]]:
    yield "model_monitoring_state", (), STATUS[report.state]
    yield "model_monitoring_rows", (), report.rows
    yield "model_monitoring_timestamp_seconds", (), time.time()
    for one in report.comparisons:
        if one.difference is not None:
            yield "model_drift", (one.field,), one.difference.psi
            yield "model_drift_threshold", (one.field,), one.difference.threshold
    for told in report.expected.metrics if report.expected else ():
        yield "model_performance", (told.metric, "estimated"), told.expected
    yield "model_monitoring_truths", (), report.realised.rows if report.realised else 0
    if report.refused:
        yield "model_data_refused_ratio", (), report.refused.share
        for field, reason, records in report.refused.by:
            yield "model_data_refused_records", (field, reason), records
    for metric in report.realised.metrics if report.realised else ():
        yield "model_performance", (metric.metric, "realised"), metric.value
    yield from _quality(report)


def _quality(report: Report) -> Iterator[tuple[str, tuple[str, ...], float]]:
    profile = report.window.profile
    if profile is None:
        return
    for name, tally in (("unseen", "unseen"), ("repeated", "again"), ("future", "future")):
        yield f"model_data_{name}_ratio", (), profile.tallies.get(tally, 0) / profile.rows
    known = report.reference.profile.fields if report.reference else {}
    for name, sketch in profile.fields.items():
        rows = sketch.count + sketch.missing
        yield "model_data_missing_ratio", (name,), sketch.missing / rows if rows else 0.0
        before = known.get(name)
        if isinstance(sketch, Numbers) and isinstance(before, Numbers) and sketch.count:
            share = rows_beyond(before, sketch) / sketch.count
            yield "model_data_beyond_ratio", (name,), share
        if isinstance(sketch, Categories) and isinstance(before, Categories) and sketch.count:
            new = sum(n for one, n in sketch.counts.items() if one not in before.counts)
            yield "model_data_new_ratio", (name,), new / sketch.count
