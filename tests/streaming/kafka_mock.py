"""librdkafka's mock brokers, in threads of this process, which fail as they are told to."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.streaming.kafka_broker import KafkaBroker, kafka_package

# the protocol's numbers of requests
PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS = 0, 24, 25, 26, 28
STORAGE_ERROR = 56  # what Kafka says where its disk is full


class MockBroker(KafkaBroker):
    """Three brokers."""

    def __init__(self, folder: Path, library: Any, cluster: int) -> None:
        super().__init__(folder)
        self._library = library
        self._cluster = cluster
        self.address = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def make(self, *_: str, partitions: int = 4) -> None:
        """Do nothing: topics of four partitions are there as soon as they are asked for."""
        assert partitions == 4

    @contextlib.contextmanager
    def refusing(self, code: int, times: int = 10_000, request: int = PRODUCE) -> Iterator[None]:
        """Have the next requests of a kind, messages unless another is named, refused until the
        block ends."""
        errors = (ctypes.c_int * times)(*[code] * times)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, request, ctypes.c_size_t(times), errors
        )
        try:
            yield
        finally:
            self._library.rd_kafka_mock_clear_request_errors(self._cluster, request)


@contextlib.contextmanager
def mock_broker(folder: Path) -> Iterator[MockBroker]:
    """Run the brokers until the block ends."""
    kafka_package()
    from confluent_kafka import cimpl

    library, pointer = ctypes.CDLL(cimpl.__file__), ctypes.c_void_p
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.restype, library.rd_kafka_new.argtypes = pointer, (
        ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t,
    )  # fmt: skip
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = (pointer, ctypes.c_int)
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = (pointer,)
    library.rd_kafka_mock_push_request_errors_array.argtypes = (
        pointer, ctypes.c_int16, ctypes.c_size_t, pointer,
    )  # fmt: skip
    library.rd_kafka_mock_clear_request_errors.argtypes = (pointer, ctypes.c_int16)
    for end in (library.rd_kafka_mock_cluster_destroy, library.rd_kafka_destroy):
        end.argtypes = (pointer,)
    client = library.rd_kafka_new(0, library.rd_kafka_conf_new(), bytes(200), 200)
    cluster = library.rd_kafka_mock_cluster_new(client, 3)
    try:
        yield MockBroker(folder, library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)
