"""Group protocols that noida-db has not, against librdkafka's own mock brokers: KIP-848's, and the
cooperative one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streaming.kafka_broker import KafkaBroker, kafka_package
from tests.streaming.support import ride, working
from tests.streaming.test_kafka import answers, words
from tests.support import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[KafkaBroker]:
    """Brokers in threads of this process, for as long as their client is there."""
    client = kafka_package().Producer({"test.mock.num.brokers": 3, "log_level": 0})
    broker = KafkaBroker(tmp_path)
    broker.address = ",".join(
        f"{one.host}:{one.port}" for one in client.list_topics(timeout=10).brokers.values()
    )
    yield broker
    client.flush(1)


@pytest.mark.parametrize(
    "options",
    ["?group.protocol=consumer", "?partition.assignment.strategy=cooperative-sticky"],
    ids=["KIP-848", "cooperative"],
)
def test_partitions_are_shared_by_other_protocols(
    mock: KafkaBroker, models_dir: Path, tmp_path: Path, options: str
) -> None:
    """Both workers predict, and every event has its prediction."""
    mock.feed("rides", [ride(number) for number in range(200)])
    every = words(mock, "rides", "--batch", "50", options=options)
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
            mock.feed("rides", [ride(number) for number in range(200)])
            total += 200
            return other.count("stream_predictions_total") > 0

        wait_for(both_work, "the second worker to have partitions", 60)
        wait_for(lambda: len(answers(mock, "rides")) == total, "every prediction", 60)
        assert one.count("stream_predictions_total") > 0
