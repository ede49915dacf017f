"""A worker over Redis Streams, against a real redis-server."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from scoring.models import discover
from scoring.predictor import Predictor
from tests.streaming.redis_server import RedisServer
from tests.streaming.support import POISON, WorkerProcess, ride, until, working
from tests.support import wait_for

pytestmark = pytest.mark.slow


def words(redis: RedisServer, stream: str, *more: str) -> list[str]:
    """Return a worker's words: from a stream to two others."""
    return ["ride", "--source", redis.url(stream), "--sink", redis.url(f"{stream}-out"),
            "--dead-letters", redis.url(f"{stream}-dead"), *more]  # fmt: skip


def test_a_prediction_is_the_services_answer_with_where_it_comes_from(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """Answer and version are the predictor's; id, key, headers and event's time are kept."""
    name = redis.client.xadd(
        stream, {"value": ride(5), "key": "k5", "traceparent": "00-1-2-01"}
    ).decode()
    with working(tmp_path, models_dir, *words(redis, stream)):
        until(lambda: redis.values(f"{stream}-out"), 1, "predictions")
    [(_, fields)] = redis.client.xrange(f"{stream}-out")
    predictor = Predictor.from_folder(models_dir / "ride", discover()["ride"])
    got = json.loads(fields.pop(b"value"))
    assert fields == {b"key": b"k5", b"traceparent": b"00-1-2-01"}
    assert got["id"] == f"{stream}/0/{name}"
    assert got["model"] == "ride"
    answer = predictor.one(json.loads(ride(5))).answers[0]
    assert got["answer"] == answer | {"model_version": predictor.version}
    assert got["event_time"] <= got["time"]


def test_bad_events_go_to_dead_letters_and_the_stream_goes_on(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """Each with the problems in the endpoint's words, where it came from, and itself."""
    bad = [b"{", b'{"PULocationID": 0, "DOLocationID": 1}', b"\xff", b"[1]", b""]
    for number in range(20):
        redis.client.xadd(stream, {"value": ride(number)})
        if number < len(bad):
            redis.client.xadd(stream, {"value": bad[number], "authorization": "Bearer abc"})
    redis.client.xadd(stream, {"other": "x"})
    with working(tmp_path, models_dir, *words(redis, stream)) as worker:
        until(lambda: redis.values(f"{stream}-dead"), 6, "dead letters")
        until(lambda: redis.values(f"{stream}-out"), 20, "predictions")
        wait_for(lambda: worker.count("stream_dead_letters_total") == 6, "the count")
        assert worker.count("stream_predictions_total") == 20
        assert worker.count("model_predictions_total") == 20
    letters = [json.loads(value) for value in redis.values(f"{stream}-dead")]
    assert [one["reason"] for one in letters] == [
        "not_json", "invalid", "not_json", "invalid", "not_json", "not_json"]  # fmt: skip
    second = letters[1]
    assert {line["field"] for line in second["problem"]["errors"]} == {
        "PULocationID", "trip_distance"}  # fmt: skip
    assert second["event"]["value"].encode() == bad[1]
    assert second["source"]["stream"] == stream
    assert b"abc" not in b"".join(redis.values(f"{stream}-dead"))


def test_two_workers_share_a_stream(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """Every event has one prediction, and both have worked."""
    for number in range(3000):
        redis.client.xadd(stream, {"value": ride(number)})
    every = words(redis, stream, "--batch", "50")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with (
        working(first, models_dir, *every, STREAM_NAME="first") as one,
        working(second, models_dir, *every, STREAM_NAME="second") as other,
    ):
        for number in range(3000):
            redis.client.xadd(stream, {"value": ride(number)})
        got = until(lambda: redis.values(f"{stream}-out"), 6000, "predictions")
        wait_for(lambda: other.count("stream_predictions_total") > 0, "the second to work")
        assert one.count("stream_predictions_total") > 0
    assert len(got) == len({json.loads(value)["id"] for value in got}) == 6000


def test_a_killed_worker_loses_nothing(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """Killed at any moment, and started anew: every event has its prediction."""
    worker = WorkerProcess(tmp_path, models_dir, *words(redis, stream, "--batch", "50"))
    try:
        for _ in range(4):
            known = redis.client.xlen(f"{stream}-out")
            pipe = redis.client.pipeline()
            for number in range(4000):
                pipe.xadd(stream, {"value": ride(number)})
            pipe.execute()
            worker.start()
            wait_for(partial(_has_more, redis, f"{stream}-out", known), "predictions", 180)
            worker.kill()
        worker.start()
        worker.ready()
        wait_for(lambda: _ids(redis, f"{stream}-out") == 16_000, "every prediction", 180)
        assert redis.values(f"{stream}-dead") == []
        assert worker.stop() == 0
    finally:
        if worker.process.poll() is None:
            worker.kill()
    assert redis.client.xpending(stream, "prediction-service")["pending"] == 0


def _has_more(redis: RedisServer, stream: str, known: int) -> bool:
    return int(redis.client.xlen(stream)) > known


def _ids(redis: RedisServer, stream: str) -> int:
    return len({json.loads(value)["id"] for value in redis.values(stream)})


def test_an_event_that_kills_the_process_is_put_aside(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """Once in company, twice alone; then it is a dead letter and the others have their answers."""
    for number in range(30):
        redis.client.xadd(stream, {"value": ride(number)})
        if number == 12:
            value = json.dumps({**json.loads(ride(1)), "trip_distance": POISON}).encode()
            redis.client.xadd(stream, {"value": value})
    worker = WorkerProcess(tmp_path, models_dir, *words(redis, stream))
    try:
        for _ in range(3):
            worker.start(poisoned=True)
            assert worker.process.wait(60) == -9
        worker.start(poisoned=True)
        [letter] = until(lambda: redis.values(f"{stream}-dead"), 1, "dead letters")
        until(lambda: redis.values(f"{stream}-out"), 30, "predictions")
        assert worker.count("stream_restarts") == 3
        assert worker.stop() == 0
    finally:
        if worker.process.poll() is None:
            worker.kill()
    found = json.loads(letter)
    assert found["reason"] == "poison"
    assert str(POISON) in found["event"]["value"]


def test_what_a_lost_worker_had_is_claimed_by_another(
    redis: RedisServer, stream: str, models_dir: Path, tmp_path: Path
) -> None:
    """A worker that never comes back holds nothing up for good."""
    for number in range(10):
        redis.client.xadd(stream, {"value": ride(number)})
    redis.client.xgroup_create(stream, "prediction-service", "0")
    redis.client.xreadgroup("prediction-service", "lost-0", {stream: ">"}, count=10)
    every = words(redis, stream)
    every[2] += "?claim=0.1"
    with working(tmp_path, models_dir, *every):
        until(lambda: redis.values(f"{stream}-out"), 10, "predictions")
    assert redis.values(f"{stream}-dead") == []
