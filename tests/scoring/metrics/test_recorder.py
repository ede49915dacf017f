"""What is counted of requests and predictions, read from what Prometheus gets to see."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import InvalidRecords
from scoring.metrics.board import SHOWN
from scoring.metrics.recorder import Metrics
from scoring.models import Model
from scoring.predictor import Predictor
from tests.scoring.metrics.exposition import Scrape
from tests.support import records

ROUTES = ["/predict", "/predict/<name>", "/ping"]


@pytest.fixture
def predictor(model: Model, models_dir: Path) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


@pytest.fixture
def metrics(predictor: Predictor) -> Metrics:
    return Metrics(ROUTES, [predictor], aliases={predictor.model.name: "champion"})


def look(metrics: Metrics) -> Scrape:
    return Scrape(metrics.text())


def answer(metrics: Metrics, predictor: Predictor, rows: list[dict[str, Any]]) -> None:
    """Counts as the service does: one record alone, or an array of them."""
    scored = predictor.one(rows[0]) if len(rows) == 1 else predictor.many(rows)
    metrics.meter(predictor).answered(*scored, 0.001)


def version(predictor: Predictor, number: int) -> Predictor:
    """Gives the same model as a later version, loaded after those of lower numbers."""
    manifest = predictor.manifest.model_copy(update={"version": str(number)})
    made = Predictor(predictor.model, replace(predictor.artifact, manifest=manifest))
    made.loaded = datetime.now(UTC) + timedelta(seconds=number)
    return made


def test_a_request_is_counted_by_method_route_and_status(metrics: Metrics) -> None:
    """Once, with its time."""
    for status in (200, 200, 422):
        metrics.begin()
        metrics.end("POST", "/predict", status, 0.003)
    metrics.at_once("GET", "/ping", 200, 0.0001)
    seen = look(metrics)
    assert seen.sum("http_requests_total") == 4
    assert seen.values("http_requests_total", "status", route="/predict")["200"] == 2
    assert seen.sum("http_request_duration_seconds_count", route="/predict") == 3
    assert seen.sum("http_request_duration_seconds_sum", route="/predict") == pytest.approx(0.009)
    below = seen.values("http_request_duration_seconds_bucket", "le", route="/predict")
    assert (below["0.0025"], below["0.005"], below["+Inf"]) == (0, 3, 3)


def test_what_is_in_progress_is_shown(metrics: Metrics) -> None:
    """Also one whose caller has gone ends."""
    metrics.begin()
    metrics.begin()
    assert look(metrics).sum("http_requests_in_progress") == 2
    metrics.end("GET", "/ping", 200, 0.1)
    metrics.left()
    assert look(metrics).sum("http_requests_in_progress") == 0
    assert look(metrics).sum("http_requests_total") == 1


def test_nobody_outside_can_make_a_series(metrics: Metrics) -> None:
    """Methods, routes and statuses that are not known are one."""
    lines = len(look(metrics).samples)
    for number in range(100):
        metrics.at_once(f"M{number}", f"/{number}", 600 + number, 0.0)
    seen = look(metrics)
    labels = {"method": "_other", "route": "_other", "status": "_other"}
    assert seen.sum("http_requests_total", **labels) == 100
    assert len(seen.samples) == lines + 1


def test_what_is_refused_and_cut_is_counted(metrics: Metrics) -> None:
    """Each is there, at zero, from the start: an alert needs it."""
    names = ("http_requests_shed_total", "http_requests_timed_out_total")
    assert [look(metrics).of(name) for name in names] == [{frozenset(): 0}] * 2
    metrics.shed()
    metrics.timed_out()
    metrics.logged(3, 2)
    seen = look(metrics)
    assert [seen.sum(name) for name in names] == [1, 1]
    assert seen.values("prediction_log_lines_total", "result") == {"written": 3, "dropped": 2}


def test_one_record_and_many_are_counted_alike(metrics: Metrics, predictor: Predictor) -> None:
    """Whether they come alone or in an array, inputs and outputs make the same histograms."""
    rows = records(predictor.model, 30)
    for row in rows:
        answer(metrics, predictor, [row])
    alone = look(metrics)
    together = Metrics(ROUTES, [predictor])
    answer(together, predictor, rows)
    seen = look(together)
    names = ["model_input", "model_output", "model_unknown_category", "model_input_category"]
    for name in [f"{n}_{end}" for n in names for end in ("bucket", "count", "total")]:
        assert seen.of(name) == alone.of(name), name
    for name in ("model_input_sum", "model_output_sum"):
        assert seen.sum(name) == pytest.approx(alone.sum(name))
    assert seen.sum("model_predictions_total") == alone.sum("model_predictions_total") == len(rows)
    assert alone.sum("model_batch_rows_count") == len(rows)
    assert seen.sum("model_batch_rows_count") == 1
    assert seen.sum("model_batch_rows_sum") == len(rows)
    assert seen.sum("model_prediction_duration_seconds_count") == 1


def test_every_field_of_a_record_is_counted_once(metrics: Metrics, predictor: Predictor) -> None:
    """Numbers in histograms, categories by what they are."""
    rows = records(predictor.model, 9)
    answer(metrics, predictor, rows)
    seen = look(metrics)
    for field in predictor.model.record.model_fields:
        counts = [
            seen.sum(name, field=field)
            for name in ("model_input_count", "model_input_category_total")
        ]
        assert sorted(counts) == [0, len(rows)], field
    fields = predictor.model.record.model_json_schema()["properties"]
    for name in [name for name, field in fields.items() if "enum" in field]:
        expected: dict[str, float] = {}
        for row in rows:
            expected[row[name]] = expected.get(row[name], 0) + 1
        assert seen.values("model_input_category_total", "category", field=name) == expected


def test_an_unseen_category_is_counted_by_its_feature(models_dir: Path) -> None:
    """Training never saw the pair of zones."""
    from scoring.models import discover

    ride = discover()["ride"]
    predictor = Predictor.from_folder(models_dir / "ride", ride)
    metrics = Metrics(ROUTES, [predictor])
    far = {"PULocationID": 265, "DOLocationID": 263, "trip_distance": 1.0}
    for rows in ([far], [far, dict(ride.example), far]):
        answer(metrics, predictor, rows)
    assert look(metrics).values("model_unknown_category_total", "feature") == {"PU_DO": 3}


@pytest.fixture
def refusals(predictor: Predictor) -> list[InvalidRecords]:
    good = dict(predictor.model.example)
    first, *_ = good
    number = next(name for name in reversed(good) if isinstance(good[name], int | float))
    found = []
    for value in (
        {k: v for k, v in good.items() if k != first},
        {**good, number: "a text"},
        {**good, number: -1.5},
        [good, 5, {**good, number: None}],
    ):
        with pytest.raises(InvalidRecords) as refused:
            predictor.many(value) if isinstance(value, list) else predictor.one(value)
        found.append(refused.value)
    return found


def test_bad_fields_are_counted_by_reason(
    metrics: Metrics, predictor: Predictor, refusals: list[InvalidRecords]
) -> None:
    """By the schema's fields alone; what is no record at all is `_other`."""
    for error in refusals:
        metrics.meter(predictor).refused(error)
    seen = look(metrics)
    assert seen.sum("model_requests_refused_total") == 4
    by_reason: dict[str, float] = {}
    for labels, value in seen.of("model_validation_errors_total").items():
        reason = dict(labels)["reason"]
        by_reason[reason] = by_reason.get(reason, 0) + value
    assert by_reason == {"missing": 1, "type": 3, "range": 1}
    assert seen.sum("model_validation_errors_total", field="_other") == 1


def test_what_serves_is_told(metrics: Metrics, predictor: Predictor) -> None:
    """Version, alias and digest, and when it was loaded; once it serves, not before."""
    assert look(metrics).of("model_info") == {}
    metrics.serve(predictor)
    seen = look(metrics)
    [labels] = seen.of("model_info")
    assert dict(labels) == {
        "model": predictor.model.name,
        "version": predictor.version,
        "alias": "champion",
        "digest": predictor.manifest.sha256,
    }
    loaded = seen.sum("model_loaded_timestamp_seconds")
    assert loaded == pytest.approx(predictor.loaded.timestamp())
    assert seen.sum("service_workers") == 1


def test_a_request_of_the_version_before_does_not_bring_it_back(
    metrics: Metrics, predictor: Predictor
) -> None:
    """It began before the change, and is counted for what answered it."""
    new = version(predictor, 2)
    metrics.serve(predictor)
    metrics.serve(new)
    answer(metrics, predictor, [dict(predictor.model.example)])
    seen = look(metrics)
    assert list(seen.values("model_info", "version")) == ["2"]
    assert seen.sum("model_predictions_total", version=predictor.version) == 1


def test_months_of_versions_add_up(metrics: Metrics, predictor: Predictor) -> None:
    """The newest are shown by name, the rest as _former: the sum is exact, and never falls."""
    before: dict[str, float] = {}
    total = 0
    for number in range(1, 100):
        new = version(predictor, number)
        answer(metrics, new, [dict(predictor.model.example)] * number)
        total += number
        seen = look(metrics).values("model_predictions_total", "version")
        assert sum(seen.values()) == total
        assert len(seen) <= SHOWN + 1
        assert seen.get("_former", 0) >= before.get("_former", 0)
        assert seen[str(number)] == number
        before = seen
    assert set(before) == {str(number) for number in range(84, 100)} | {"_former"}
    assert len(metrics._meters) == 2


def test_a_row_that_was_taken_over_adds_up(metrics: Metrics, predictor: Predictor) -> None:
    """Workers come and go, and each has loaded other versions: nothing is lost or twice there."""
    example = [dict(predictor.model.example)]
    for number in range(1, 41):
        child = os.fork()
        if not child:
            try:
                answer(metrics, version(predictor, number), example * 3)
                answer(metrics, version(predictor, number // 2), example)
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        seen = look(metrics)
        assert seen.sum("model_predictions_total") == 4 * number
    assert seen.sum("service_workers") == 0
    assert seen.of("model_info") == {}


class Following:
    """A follower of a registry, of which only what is asked is there."""

    def __init__(self) -> None:
        self.away = False

    def describe(self, name: str) -> dict[str, Any]:
        return {
            "counts": {"loaded": 3, "refused": 1, "failed": 0, "away": 2},
            "refused": {"version": "4"} if name == "ride" else None,
            "stale_since": "2026-11-21" if self.away else None,
        }


def test_the_registry_is_told_of(predictor: Predictor) -> None:
    """Whether it answers, and what became of the versions that it named."""
    following = Following()
    metrics = Metrics(ROUTES, [predictor], following=following)
    seen = look(metrics)
    assert seen.sum("registry_up") == 1
    assert seen.values("model_reloads_total", "result") == {"loaded": 3, "refused": 1, "failed": 0}
    assert seen.sum("registry_unanswered_total") == 2
    assert seen.sum("model_refused") == (predictor.model.name == "ride")
    following.away = True
    assert look(metrics).sum("registry_up") == 0
    assert "registry_up" not in Metrics(ROUTES, [predictor]).text().decode()


def test_every_metric_says_what_it_is(metrics: Metrics, predictor: Predictor) -> None:
    """Names, kinds and help are there, and a counter's name ends in _total."""
    answer(metrics, predictor, [dict(predictor.model.example)])
    text = metrics.text().decode()
    helped = {line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("# HELP")}
    kinds = Scrape(text).kinds
    assert {
        name + "_total" if kind == "counter" else name for name, kind in kinds.items()
    } == helped
    assert metrics.content_type.startswith("text/plain; version=")
