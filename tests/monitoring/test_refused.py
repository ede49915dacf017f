"""Refused requests: from the service's log to the report, by field and reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.store import Store
from scoring.models import discover
from scoring.predictor import Predictor
from streaming.envelope import Envelope
from streaming.interface import Event
from streaming.outcomes import Scoring
from tests.monitoring.support import BEGIN, DIGEST, lines, rides, text, write
from tests.monitoring.test_report import DAY, previous

Run = Callable[..., Any]
RANGE = ("trip_distance", "range")


def refusals(
    many: int, begin: datetime = BEGIN, why: tuple[str, str] = RANGE, records: int = 1
) -> list[dict[str, Any]]:
    """Return lines of refused requests, one a minute."""
    return [
        {"schema": 1, "kind": "refused", "time": (begin + place * timedelta(minutes=1)).isoformat(),
         "model": "ride", "version": "3", "digest": DIGEST,
         "errors": [{"field": why[0], "reason": why[1], "records": records}]}
        for place in range(many)
    ]  # fmt: skip


def day(monitoring: Run, number: int, refused: int) -> None:
    """Count a day of a thousand rides and some refused requests."""
    begin = BEGIN + number * DAY
    made = lines(rides(1000, seed=number + 1), begin, first=number * 10_000)
    monitoring("profile", write(Path(f"{number}.jsonl"), made + refusals(refused, begin)))


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True], ids=["columns", "line by line"])
def test_each_refused_request_is_counted_once(monitoring: Run, store: Store, broken: bool) -> None:
    """Between predictions, also where a line is broken; a copy under another digest adds none."""
    made = [*lines(rides(20)), *refusals(3), *refusals(2, why=("_other", "other"), records=7)]
    content = text(made)
    if broken:
        content += b'{"schema": 1}\n{"schema": 1, "kind": "refused", "time": "2026-11-02", ' \
            b'"model": "ride", "errors": [{"field": "x"}]}\n'  # fmt: skip
    Path("a.jsonl").write_bytes(content)
    told = monitoring("profile", "a.jsonl")
    assert told.out.startswith("20 predictions of 1 files; 5 refused requests")
    assert ("2 lines left out: no line of a prediction log" in told.out) is broken
    Path("a.jsonl.gz").write_bytes(gzip.compress(content))
    assert "refused" not in monitoring("profile", "a.jsonl.gz").out
    assert "refused" not in monitoring("profile", "a.jsonl").out
    previous(monitoring, 1, "--json", "r.json")
    found = json.loads(Path("r.json").read_text())["refused"]
    assert found == {
        "requests": 5, "share": 0.2,
        "by": [{"field": "_other", "reason": "other", "records": 14},
               {"field": "trip_distance", "reason": "range", "records": 3}],
    }  # fmt: skip


def dead(models_dir: Path, *values: bytes) -> list[dict[str, Any]]:
    """Return the letters that a worker writes of such events."""
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    events = [Event(value, None, (), 0, place, 1.7e9) for place, value in enumerate(values)]
    made = Scoring("rides", Envelope()).outcome(predictor, events)
    return [json.loads(message.value) for message in made.letters]


def test_dead_letters_are_refusals(monitoring: Run, models_dir: Path) -> None:
    """By field and reason, each once, also one that a killed worker wrote again; a fault of the
    worker is none, and letters of before they had reasons name their fields."""
    ride = rides(1)[0]
    far, lacks = {**ride, "trip_distance": -1}, {"trip_distance": -1, "DOLocationID": 74}
    letters = dead(models_dir, *[json.dumps(one).encode() for one in (far, far, lacks)], b"no JSON")
    assert len(letters) == 4
    for place, one in enumerate(letters):
        one["time"] = (BEGIN + place * timedelta(seconds=1)).isoformat()
    letters[1]["time"] = letters[0]["time"]
    old = {**letters[0], "id": "rides/0/8", "errors": None}
    odd = [{**letters[0], "id": "rides/0/5", "reason": "poison"},
           {**letters[0], "id": "rides/0/6", "time": "late"},
           {**letters[0], "id": "rides/0/7", "model": "tips"}]  # fmt: skip
    again = {**letters[0], "time": (BEGIN + timedelta(minutes=70)).isoformat()}
    told = monitoring("profile", write(Path("dead.jsonl"), [*letters, old, again, *odd]))
    assert told.out == (
        "0 predictions of 1 files; 5 refused requests; 1 of the model 'tips', which is not known "
        "here, left out; 1 lines left out: dead letters of a fault of the worker or the sink, "
        "which are no refusals; 1 lines left out: no dead letter of an event\n"
    )
    told = monitoring("profile", write(Path("again.jsonl"), [again, *letters]))
    assert told.out == "0 predictions of 1 files\n"
    monitoring("profile", write(Path("a.jsonl"), lines(rides(20))))
    previous(monitoring, 1, "--json", "r.json")
    found = json.loads(Path("r.json").read_text())["refused"]
    assert (found["requests"], found["share"]) == (5, 0.2)
    assert [tuple(one.values()) for one in found["by"]] == [
        ("trip_distance", "range", 3), ("PULocationID", "missing", 1), ("_event", "not_json", 1),
        ("trip_distance", "other", 1),
    ]  # fmt: skip


@pytest.mark.slow
def test_more_refused_than_before_is_a_warning_then_an_alarm(monitoring: Run) -> None:
    """A usual share is quiet; five times as many is not, and is shown in every form."""
    for number, refused in enumerate((20, 25, 20, 110, 120)):
        day(monitoring, number, refused)
    told = previous(monitoring, 3)
    assert told.status == 0
    assert "20 requests were refused, 1.96% of all." in told.out
    told = previous(monitoring, 4, "--html", "r.html", "--metrics-file", "r.prom")
    assert told.status == 10
    sentence = "9.9% of the requests were refused, were 2.1%, most for trip_distance (range)"
    assert f"- WARNING: {sentence}\n" in told.out
    assert "| trip_distance | range | 110 |" in told.out
    html = Path("r.html").read_text()
    assert sentence in html
    assert '<th scope="row">trip_distance</th><td>range</td><td>110</td>' in html
    families = {f.name: f for f in text_string_to_metric_families(Path("r.prom").read_text())}
    [ratio] = families["model_data_refused_ratio"].samples
    assert ratio.value == pytest.approx(110 / 1110)
    [records] = families["model_data_refused_records"].samples
    assert (records.labels["reason"], records.value) == ("range", 110)
    told = previous(monitoring, 5)
    assert told.status == 20
    assert "; so it was in the window before" in told.out


@pytest.mark.slow
def test_the_first_refusals_that_are_known_are_no_alarm(monitoring: Run) -> None:
    """Nothing tells whether there were any before: much is a warning, once, little is none."""
    day(monitoring, 0, 0)
    day(monitoring, 1, 50)
    day(monitoring, 2, 50)
    told = previous(monitoring, 2)
    assert told.status == 10
    assert "WARNING: 4.8% of the requests were refused, most for trip_distance" in told.out
    assert previous(monitoring, 3).status == 0
    assert "refused" not in previous(monitoring, 1).out
