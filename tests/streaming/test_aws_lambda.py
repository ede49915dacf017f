"""A Lambda function on a Kinesis stream: the worker's answers, and partial batch responses."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import SettingsError
from streaming import aws_lambda, brokers
from streaming.addresses import Address
from streaming.aws_lambda import Handler
from streaming.envelope import Envelope
from streaming.errors import StreamError
from streaming.following import follow
from streaming.settings import StreamSettings
from tests.streaming.fakes import FakeSink
from tests.streaming.kinesis_server import Kinesis, event

pytestmark = pytest.mark.slow


def of_lambda(*values: bytes) -> dict[str, Any]:
    """Return what Lambda calls a handler with."""
    return {"Records": [
        {"eventID": f"shardId-000000000000:{place}", "eventSourceARN": "arn:aws:x:stream/rides",
         "kinesis": {"data": base64.b64encode(value).decode(), "partitionKey": "1",
                     "sequenceNumber": str(place), "approximateArrivalTimestamp": 1700000000.5}}
        for place, value in enumerate(values)
    ]}  # fmt: skip


def test_a_lambda_function_answers_as_the_worker(
    kinesis: Kinesis, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad event becomes a dead letter and blocks nothing; what cannot be sent is reported."""
    for name, value in kinesis.settings.items():
        monkeypatch.setenv(name, value)
    kinesis.make("fn-out", "fn-dead")
    environ = {
        "MODELS_DIR": str(models_dir), "STREAM_MODEL": "ride", "STREAM_RECORD": "ride",
        "STREAM_ID": "ride_id", "STREAM_SINK": "kinesis://fn-out",
        "STREAM_DEAD_LETTERS": "kinesis://fn-dead",
    }  # fmt: skip
    handler = Handler.from_environment(environ)
    assert handler(of_lambda(event(1), b"{", event(2))) == {"batchItemFailures": []}
    assert [v["event_id"] for v in kinesis.values("fn-out")] == ["1", "2"]
    [letter] = kinesis.values("fn-dead")
    assert letter["id"] == "rides/shardId-000000000000/1"
    kinesis.client.delete_stream(StreamName="fn-out")
    assert handler(of_lambda(event(3))) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    with pytest.raises(SettingsError, match="STREAM_SINK"):
        Handler.from_environment({**environ, "STREAM_SINK": ""})


def test_what_a_lambda_function_s_sink_refuses_is_a_letter(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As is what is no base64; no records are no failures; one handler stays for all calls."""
    sinks: list[FakeSink] = []

    def opened(_: Address, settings: StreamSettings) -> FakeSink:
        assert settings.models_dir == models_dir
        sinks.append(FakeSink(lambda message: b'"2"' in message.value and len(sinks) == 2))
        return sinks[-1]

    monkeypatch.setattr(brokers, "open_sink", opened)
    for name, value in {
        "MODELS_DIR": str(models_dir), "STREAM_RECORD": "ride", "STREAM_ID": "ride_id",
        "STREAM_SINK": "kinesis://out", "STREAM_DEAD_LETTERS": "kinesis://dead",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    aws_lambda._handler.cache_clear()
    batch = of_lambda(event(1), event(2))
    batch["Records"].append(json.loads(json.dumps(batch["Records"][0])))
    batch["Records"][-1]["kinesis"] |= {"data": "no base64!", "sequenceNumber": "2"}
    assert aws_lambda.lambda_handler({"Records": []}, None) == {"batchItemFailures": []}
    sinks[1]._refuses = lambda _: False
    assert aws_lambda.lambda_handler(batch, None) == {"batchItemFailures": []}
    aws_lambda._handler.cache_clear()
    out, dead = sinks
    assert [json.loads(message.value)["event_id"] for message in out.got] == ["1"]
    letters = [json.loads(message.value) for message in dead.got]
    assert [letter["reason"] for letter in letters] == ["not_json", "refused"]
    assert letters[1]["id"] == "rides/shardId-000000000000/1"


def test_a_letter_that_is_refused_goes_without_its_event(models_dir: Path) -> None:
    """As the worker's does; where even that is refused the call fails, and Lambda tries again."""
    followed = follow("ride", StreamSettings.from_env({"MODELS_DIR": str(models_dir)}))
    dead = FakeSink(lambda message: b'"truncated"' not in message.value)
    handler = Handler(followed, Envelope(None, None, None), FakeSink(), dead)
    assert handler(of_lambda(b"{")) == {"batchItemFailures": []}
    [letter] = [json.loads(message.value) for message in dead.got]
    assert letter["event"] == {"truncated": True}
    dead._refuses = lambda _: True
    with pytest.raises(StreamError, match="refuses even a letter"):
        handler(of_lambda(b"{"))
