"""What is counted of predictions, with and without a service, as Prometheus gets to see it."""

from __future__ import annotations

import gc
import os
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import UNKNOWN
from scoring.errors import InvalidRecords
from scoring.models import Model, discover
from scoring.observers.model_metrics import ModelMetrics
from scoring.observers.observer import Caller
from scoring.observers.versions import SHOWN
from scoring.predictor import Predictor
from scoring.shared_memory.collector import Collector
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Store
from tests.kinds import EVERYTHING
from tests.serving.metrics.exposition import Scrape
from tests.support import records, write_artifact


@pytest.fixture
def predictor(model: Model, models_dir: Path) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


class Counted:
    """Metrics of one model, with a registry's alias, and what they show."""

    def __init__(self, predictor: Predictor, rows: int = 1) -> None:
        layout = Layout()
        self.metrics = ModelMetrics(layout, [predictor], aliases={predictor.model.name: "champion"})
        store = Store(layout, rows=rows)
        self.metrics.use(store)
        self.collector = Collector(store, layout, self.metrics.collect)

    def look(self) -> Scrape:
        return Scrape(self.collector.text())


@pytest.fixture
def counted(predictor: Predictor) -> Counted:
    return Counted(predictor)


def answer(metrics: ModelMetrics, predictor: Predictor, rows: list[dict[str, Any]]) -> None:
    """Count as the service does: one record alone, or an array of them."""
    scored = predictor.one(rows[0]) if len(rows) == 1 else predictor.many(rows)
    metrics.answered(predictor, scored, 0.001, Caller("id"))


def version(predictor: Predictor, number: int) -> Predictor:
    """Return the same model as a later version, loaded after those of lower numbers."""
    manifest = predictor.manifest.model_copy(update={"version": str(number)})
    made = Predictor(predictor.model, replace(predictor.artifact, manifest=manifest))
    made.loaded = datetime.now(UTC) + timedelta(seconds=number)
    return made


def test_one_record_and_many_are_counted_alike(counted: Counted, predictor: Predictor) -> None:
    """Whether they come alone or in an array, inputs and outputs make the same histograms."""
    rows = records(predictor.model, 30)
    for row in rows:
        answer(counted.metrics, predictor, [row])
    alone = counted.look()
    together = Counted(predictor)
    answer(together.metrics, predictor, rows)
    seen = together.look()
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


def test_every_field_of_a_record_is_counted_once(counted: Counted, predictor: Predictor) -> None:
    """Numbers in histograms, categories by what they are."""
    rows = records(predictor.model, 9)
    answer(counted.metrics, predictor, rows)
    seen = counted.look()
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


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False], ids=["an array", "one by one"])
def test_fields_of_every_kind_are_counted(tmp_path: Path, together: bool) -> None:
    """What may be null, Enums and listed whole numbers too; dates and free texts are in profiles
    alone."""
    write_artifact(EVERYTHING, tmp_path)
    predictor = Predictor.from_folder(tmp_path / EVERYTHING.name, EVERYTHING)
    counted = Counted(predictor)
    changed: list[dict[str, Any]] = [
        {"maybe_int": None, "colour": "dark_blue", "grade": 3, "maybe_bool": None},
        {"maybe_int": 7, "colour": "red", "grade": 3, "maybe_colour": None},
    ]
    rows = [{**EVERYTHING.example, **values} for values in changed]
    for each in [rows] if together else [[row] for row in rows]:
        answer(counted.metrics, predictor, each)
    seen = counted.look()
    for field in ("maybe_int", "maybe_float", "plain_float", "count", "share"):
        nulls = sum(row[field] is None for row in rows)
        assert seen.sum("model_input_count", field=field) == len(rows) - nulls, field
    assert seen.sum("model_input_sum", field="maybe_int") == 7
    for field, expected in {
        "colour": {"red": 1, "dark_blue": 1},
        "maybe_colour": {"red": 0, "dark_blue": 1, "null": 1},
        "maybe_bool": {"true": 0, "false": 1, "null": 1},
        "grade": {"1": 0, "2": 0, "3": 2},
        "size": {"small": 2, "large": 0},
    }.items():
        shown = seen.values("model_input_category_total", "category", field=field)
        assert {k: v for k, v in shown.items() if v} == {k: v for k, v in expected.items() if v}


def test_an_unseen_category_is_counted_by_its_feature(models_dir: Path) -> None:
    """Training never saw the pair of zones."""
    ride = discover()["ride"]
    predictor = Predictor.from_folder(models_dir / "ride", ride)
    counted = Counted(predictor)
    far = {"PULocationID": 265, "DOLocationID": 263, "trip_distance": 1.0}
    for rows in ([far], [far, dict(ride.example), far]):
        answer(counted.metrics, predictor, rows)
    assert counted.look().values("model_unknown_category_total", "feature") == {"PU_DO": 3}


@pytest.fixture
def refusals(predictor: Predictor) -> list[InvalidRecords]:
    good = dict(predictor.model.example)
    first, *_ = good
    number = next(name for name in reversed(good) if isinstance(good[name], int | float))
    found = []
    for value in (
        {k: v for k, v in good.items() if k != first},
        {**good, number: "a text"},
        {**good, number: -1},
        [good, 5, {**good, number: None}],
    ):
        with pytest.raises(InvalidRecords) as refused:
            predictor.many(value) if isinstance(value, list) else predictor.one(value)
        found.append(refused.value)
    return found


def test_bad_fields_are_counted_by_reason(
    counted: Counted, predictor: Predictor, refusals: list[InvalidRecords]
) -> None:
    """By the schema's fields alone; what is no record at all is `_other`."""
    for error in refusals:
        counted.metrics.refused(predictor, error)
    seen = counted.look()
    assert seen.sum("model_requests_refused_total") == 4
    by_reason: dict[str, float] = {}
    for labels, value in seen.of("model_validation_errors_total").items():
        reason = dict(labels)["reason"]
        by_reason[reason] = by_reason.get(reason, 0) + value
    assert by_reason == {"missing": 1, "type": 3, "range": 1}
    assert seen.sum("model_validation_errors_total", field="_other") == 1


def test_what_serves_is_told(counted: Counted, predictor: Predictor) -> None:
    """Version, alias and digest, and when it was loaded; once it serves, not before."""
    assert counted.look().of("model_info") == {}
    counted.metrics.serve(predictor)
    seen = counted.look()
    [labels] = seen.of("model_info")
    assert dict(labels) == {
        "model": predictor.model.name,
        "version": predictor.version,
        "alias": "champion",
        "digest": predictor.manifest.sha256,
    }
    loaded = seen.sum("model_loaded_timestamp_seconds")
    assert loaded == pytest.approx(predictor.loaded.timestamp())


def test_when_a_pair_was_trained_is_told_where_it_is_known(
    counted: Counted, predictor: Predictor
) -> None:
    """The day on which somebody else's was taken in is not that of its training."""
    counted.metrics.serve(predictor)
    trained = counted.look().sum("model_trained_timestamp_seconds")
    assert trained == pytest.approx(predictor.manifest.created.timestamp())
    adopted = version(predictor, 2)
    adopted.manifest = adopted.manifest.model_copy(update={"python": UNKNOWN})
    counted.metrics.serve(adopted)
    seen = counted.look()
    assert seen.of("model_trained_timestamp_seconds") == {}
    assert [dict(labels)["version"] for labels in seen.of("model_info")] == ["2"]


def test_a_request_of_the_version_before_does_not_bring_it_back(
    counted: Counted, predictor: Predictor
) -> None:
    """It began before the change, and is counted for what answered it."""
    new = version(predictor, 2)
    counted.metrics.serve(predictor)
    counted.metrics.serve(new)
    answer(counted.metrics, predictor, [dict(predictor.model.example)])
    seen = counted.look()
    assert list(seen.values("model_info", "version")) == ["2"]
    assert seen.sum("model_predictions_total", version=predictor.version) == 1


@pytest.mark.slow
def test_months_of_versions_add_up(counted: Counted, predictor: Predictor) -> None:
    """The newest are shown by name, the rest as _former: the sum is exact, and never falls."""
    before: dict[str, float] = {}
    total = 0
    for number in range(1, 100):
        new = version(predictor, number)
        answer(counted.metrics, new, [dict(predictor.model.example)] * number)
        total += number
        seen = counted.look().values("model_predictions_total", "version")
        assert sum(seen.values()) == total
        assert len(seen) <= SHOWN + 1
        assert seen.get("_former", 0) >= before.get("_former", 0)
        assert seen[str(number)] == number
        before = seen
    assert set(before) == {str(number) for number in range(84, 100)} | {"_former"}


@pytest.mark.slow
def test_a_row_that_was_taken_over_adds_up(counted: Counted, predictor: Predictor) -> None:
    """Workers come and go, and each has loaded other versions: nothing is lost or twice there."""
    example = [dict(predictor.model.example)]
    for number in range(1, 41):
        child = os.fork()
        if not child:
            try:
                answer(counted.metrics, version(predictor, number), example * 3)
                answer(counted.metrics, version(predictor, number // 2), example)
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        seen = counted.look()
        assert seen.sum("model_predictions_total") == 4 * number
    assert seen.of("model_info") == {}


@pytest.mark.slow
def test_what_serves_and_what_served_before_are_kept_in_memory_no_more(
    counted: Counted, predictor: Predictor
) -> None:
    """A version that was replaced twice can be freed."""
    versions = [version(predictor, number) for number in range(5)]
    for each in versions:
        counted.metrics.serve(each)
    references = [weakref.ref(each) for each in versions]
    del versions, each
    gc.collect()
    assert [reference() is not None for reference in references] == [False] * 3 + [True] * 2


def test_it_counts_alone(predictor: Predictor) -> None:
    """A batch or a stream has no other series beside it, and shows them with its collector."""
    metrics, collector = ModelMetrics.alone([predictor])
    metrics.serve(predictor)
    answer(metrics, predictor, records(predictor.model, 5))
    metrics.count_log_lines(3, 2)
    seen = Scrape(collector.text())
    assert seen.sum("model_predictions_total", version=predictor.version) == 6
    assert seen.values("prediction_log_lines_total", "result") == {"written": 3, "dropped": 2}
    assert not [name for name in seen.kinds if name.startswith(("http", "service", "registry"))]
