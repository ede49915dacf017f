"""Addresses and words of the command line."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scoring.errors import SettingsError
from scoring.process import logs
from streaming import aws_lambda, brokers
from streaming.addresses import Address
from streaming.cli import main
from streaming.errors import UsageError
from streaming.options import parse
from tests.streaming.fakes import FakeSink
from tests.streaming.support import ride
from tests.support import ROOT


def test_addresses_are_taken_apart() -> None:
    """Hosts, name, options, login; none of the login is shown."""
    found = Address.parse("redis://me:pa%40ss@h:6379/rides?field=data")
    assert found == Address("redis", "h:6379", "rides", {"field": "data"}, ("me", "pa@ss"))
    assert "pa" not in repr(found) + str(found)
    assert Address.parse("kafka://a:1,b:2/t").hosts == "a:1,b:2"
    assert str(Address.parse("kinesis://rides?region=eu-west-1")) == "kinesis://rides"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://a/b", "begin with kafka://"),
        ("kafka://host:9092", "of the form kafka://HOST:PORT/NAME"),
        ("redis://u:secretpw@/x", "of the form"),
        ("kafka://h/t?sasl.password=abc", "environment"),
    ],
)
def test_a_wrong_address_is_named_without_its_secrets(text: str, words: str) -> None:
    """With the form that it should have."""
    with pytest.raises(UsageError, match=words) as raised:
        Address.parse(text)
    assert "secretpw" not in str(raised.value)
    assert "abc" not in str(raised.value)


@pytest.mark.parametrize(
    "words",
    [
        ["ride", "--source", "redis://h/a", "--sink", "redis://h/a"],
        ["ride", "--source", "redis://h/a", "--sink", "redis://h/b", "--dead-letters", "redis://h/b"],
        ["ride", "--source", "redis://h/a", "--sink", "redis://h/b", "--guarantee", "exactly-once"],
        ["ride", "--source", "kafka://h/a", "--sink", "kafka://i/b", "--guarantee", "exactly-once"],
    ],
    ids=["loop", "same", "redis", "two clusters"],
)  # fmt: skip
def test_words_that_do_not_fit_together_are_refused(words: list[str]) -> None:
    """Before anything is loaded, with status 2."""
    with pytest.raises(UsageError):
        parse(words)
    assert main(words) == 2


def test_dead_letters_go_as_predictions_do_where_one_producer_sends_both() -> None:
    """With exactly once: other options or another login of theirs would be passed over."""
    words = ["ride", "--source", "kafka://h/a", "--guarantee", "exactly-once"]
    same = ["--sink", "kafka://h/b?linger.ms=9", "--dead-letters", "kafka://h/c?linger.ms=9"]
    assert parse([*words, *same]).dead_letters == Address.parse(same[3])
    said = "--dead-letters kafka://h/c: .* with the options of --sink: give linger.ms, login there"
    for sink in ("kafka://h/b", "kafka://h/b?linger.ms=8"):
        with pytest.raises(UsageError, match=said):
            parse([*words, "--sink", sink, "--dead-letters", "kafka://u:p@h/c?linger.ms=9"])


@pytest.mark.parametrize(
    ("level", "model", "said"),
    [
        ("2", "ride", "expected a number from 0.5 to 0.99, got '2'"),
        ("0.9", "churn", "--interval: 'churn' answers with probabilities"),
    ],
)
def test_an_interval_that_cannot_be_given_ends_the_worker(
    level: str, model: str, said: str, models_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Before an event is read, with status 2."""
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    monkeypatch.setenv("STREAM_STATE", str(tmp_path))
    words = [model, "--source", "redis://h/a", "--sink", "redis://h/b", "--interval", level]
    try:
        status = main(words)
    except SystemExit as end:  # argparse's way
        status = int(end.code or 0)
    assert status == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["replay"]], ids=["stream", "replay"])
def test_the_images_word_is_the_same_command(words: list[str]) -> None:
    """`docker run IMAGE stream`: found without a PYTHONPATH."""
    program = str(ROOT / "streaming" / "bin" / "stream")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [program, *words, "--help"], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert "--source" in done.stdout


@pytest.mark.slow
def test_the_command_needs_no_broker_s_package_to_say_what_it_takes() -> None:
    """Nor Flask, nor gunicorn: a packages list without them would do."""
    code = (
        "import sys; from streaming.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'redis', 'confluent_kafka', 'boto3', 'flask', 'gunicorn', 'numpy'}"
        " & set(sys.modules)))"
    )
    path = f"{ROOT}:{ROOT / 'web-service'}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--dead-letters" in done.stdout


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the group of the Pipfile that has it, before a model is loaded."""
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "streaming.brokers.redis_streams", raising=False)
    words = ["--source", "redis://h/a", "--sink", "redis://h/b"]
    for command in (["ride"], ["replay"]):
        assert main([*command, *words]) == 2
        said = capsys.readouterr().err
        assert "redis://h/a needs the package redis: install the Pipfile's group 'redis'" in said


def test_options_of_a_broker_that_there_are_not_are_named() -> None:
    """With those that there are."""
    address = Address.parse("redis://h/a?fields=data")
    with pytest.raises(UsageError, match="no option 'fields'; there are: db, field"):
        address.taken(db="0", field="value")


def test_a_port_that_is_taken_and_a_model_that_is_not_there_end_it(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each in a line, with status 1."""
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    monkeypatch.setenv("STREAM_STATE", str(tmp_path / "state"))
    words = ["--source", "redis://127.0.0.1:1/a", "--sink", "redis://127.0.0.1:1/b"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("HOST", "127.0.0.1")
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        assert main(["ride", *words]) == 1
    assert "Address already in use" in capsys.readouterr().err
    monkeypatch.setenv("MODELS_DIR", str(tmp_path))
    assert main(["ride", *words]) == 1
    assert capsys.readouterr().err.startswith("streaming: ")


@pytest.mark.parametrize(
    ("level", "model", "said"),
    [
        ("2", "ride", "STREAM_INTERVAL: expected a number from 0.5 to 0.99"),
        ("0.9", "churn", "STREAM_INTERVAL: 'churn' answers with probabilities"),
    ],
)
def test_the_function_refuses_an_interval_that_cannot_be_given(
    level: str, model: str, said: str, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it starts, before a call."""
    monkeypatch.setattr(brokers, "open_sink", lambda *_, **__: FakeSink())
    given = {
        "MODELS_DIR": str(models_dir), "STREAM_MODEL": model, "STREAM_SINK": "kinesis://a",
        "STREAM_DEAD_LETTERS": "kinesis://b", "STREAM_INTERVAL": level,
    }  # fmt: skip
    with pytest.raises(SettingsError, match=said):
        aws_lambda.Handler.from_environment(given)


def test_the_function_answers_with_the_interval(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a worker does."""
    sink = FakeSink()
    monkeypatch.setattr(brokers, "open_sink", lambda *_, **__: sink)
    handler = aws_lambda.Handler.from_environment(
        {
            "MODELS_DIR": str(models_dir),
            "STREAM_SINK": "kinesis://a",
            "STREAM_DEAD_LETTERS": "kinesis://b",
            "STREAM_INTERVAL": "0.9",
        }
    )
    data = base64.b64encode(ride(1)).decode()
    event = {"kinesis": {"data": data, "partitionKey": "k", "sequenceNumber": "1"}}
    assert handler({"Records": [event]}) == {"batchItemFailures": []}
    [message] = sink.got
    assert {"duration_low", "duration_high"} <= json.loads(message.value)["answer"].keys()
