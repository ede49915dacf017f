"""Fixtures: brokers that tests of this process share, each with streams of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streaming.kafka_broker import KafkaBroker, kafka_broker, kafka_package
from tests.streaming.kafka_doubles import Producer
from tests.streaming.kinesis_server import Kinesis, moto_server
from tests.streaming.redis_server import RedisServer, redis_server


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A redis-server; tests name their streams after themselves."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker of Kafka's protocol; tests name their topics after themselves."""
    with kafka_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def kinesis() -> Iterator[Kinesis]:
    """moto's server; each test has streams of its own."""
    with moto_server() as server:
        yield server


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[Producer]:
    """Kafka's producers are doubles: those that were made, in order."""
    kafka_package()
    from streaming.brokers import kafka_sink, kafka_transaction

    Producer.made = []
    for module in (kafka_sink, kafka_transaction):
        monkeypatch.setattr(module, "Producer", Producer)
    return Producer.made


@pytest.fixture
def topic(stream: str, kafka: KafkaBroker) -> str:
    """A topic of this test alone, with two others beside it: -out and -dead."""
    kafka.make(stream, f"{stream}-out", f"{stream}-dead")
    return stream


@pytest.fixture
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name that no other test has."""
    return f"{request.node.name}-{tmp_path.name}".replace("[", "-").replace("]", "")
