"""A client that is not librdkafka's Python one: kcat writes events and reads predictions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.streaming.kafka_broker import KafkaBroker
from tests.streaming.support import ride, working
from tests.streaming.test_kafka import words
from tests.support import installed, wait_for

pytestmark = pytest.mark.slow


def test_events_of_a_shell_are_predicted_and_read_by_one(
    kafka: KafkaBroker, topic: str, models_dir: Path, tmp_path: Path
) -> None:
    """With key and headers; exactly once, so that a committed reader has each once."""
    kcat = [installed("kcat"), "-b", kafka.address]
    lines = b"".join(b"k%d:%s\n" % (number, ride(number)) for number in range(50))
    subprocess.run([*kcat, "-P", "-t", topic, "-K:", "-H", "a=b"], input=lines, check=True)
    with working(tmp_path, models_dir, *words(kafka, topic, "--guarantee", "exactly-once")) as one:
        wait_for(lambda: one.count("stream_predictions_total") == 50, "predictions")
    done = subprocess.run(
        [*kcat, "-C", "-t", f"{topic}-out", "-e", "-q", "-X", "isolation.level=read_committed",
         "-f", "%k|%h|%s\n"],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    found = [line.split(b"|", 2) for line in done.stdout.splitlines()]
    assert {key for key, _, _ in found} == {b"k%d" % number for number in range(50)}
    assert {headers for _, headers, _ in found} == {b"a=b"}
    assert len({json.loads(value)["id"] for _, _, value in found}) == len(found) == 50
