"""What becomes of entries of a real redis-server: left, claimed, deleted; and a server that is not
there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.errors import BrokerUnavailable, UsageError
from streaming.interface import Message
from streaming.settings import StreamSettings
from tests.streaming.redis_server import RedisServer, redis_server
from tests.support import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


def source(url: str, worker: str = "one", **more: Any) -> Any:
    from streaming.brokers import redis_streams

    settings = StreamSettings()
    address = Address.parse(url)
    return redis_streams.source(address, settings=settings, group="g", worker=worker, **more)


def test_what_a_process_left_comes_first_to_the_next_of_its_name(redis: RedisServer) -> None:
    """An entry that was deleted meanwhile is none; a group that leaves nothing is left."""
    names = [redis.client.xadd("left", {"value": b"%d" % n, "h": b"x"}) for n in range(3)]
    first = source(redis.url("left"))
    assert [event.value for event in first.poll(2, 0)] == [b"0", b"1"]
    first.close()  # it keeps its consumer, as it has entries
    redis.client.xdel("left", names[0])
    again = source(redis.url("left"))
    [event] = again.poll(10, 0)
    assert (event.value, event.headers) == (b"1", [("h", b"x")])
    assert again.lag() == {"0": 2}
    again.commit([event])
    [last] = again.poll(10, 0.01)
    again.commit([last])
    assert again.lag() == {"0": 0}
    again.close()
    assert redis.client.xinfo_consumers("left", "g") == []


def test_what_another_has_too_long_is_claimed_one_by_one(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how often it was handed out; not what its worker shows to be at work on."""
    from streaming.brokers import redis_streams

    monkeypatch.setattr(redis_streams, "_TOUCH_EVERY_S", 0.0)
    names = [redis.client.xadd("claimed", {"value": b"%d" % number}) for number in range(2)]
    slow = source(redis.url("claimed"))
    assert len(slow.poll(10, 0)) == 2
    [[worker, *_]] = [list(one.values()) for one in redis.client.xinfo_consumers("claimed", "g")]

    def an_hour_passes() -> None:
        redis.client.xclaim("claimed", "g", worker, 0, names, idle=3_600_000, justid=True)

    an_hour_passes()
    slow.keep_alive()
    patient = source(redis.url("claimed?claim=600"), "two")
    assert patient.poll(10, 0.001) == []
    an_hour_passes()
    other = source(redis.url("claimed?claim=600"), "three")
    found = [other.poll(10, 0.001) for _ in range(2)]
    assert [[(event.value, event.deliveries > 1) for event in one] for one in found] == [
        [(b"0", True)], [(b"1", True)],
    ]  # fmt: skip


def test_a_stream_that_was_deleted_may_come_anew(redis: RedisServer) -> None:
    """From its beginning; what was at hand of the old one is committed nowhere."""
    one = source(redis.url("gone"), start="latest")
    assert one.lag() == {}
    assert one.poll(10, 0.001) == []
    redis.client.xadd("gone", {"value": b"0"})
    events = one.poll(10, 0.001)
    redis.client.delete("gone")
    one.commit(events)
    redis.client.xadd("gone", {"value": b"1"})
    assert one.lag() == {}
    assert one.poll(10, 0.001) == []
    assert [event.value for event in one.poll(10, 0.001)] == [b"1"]


def test_what_is_no_stream_is_named(redis: RedisServer) -> None:
    """In Redis's words, by each call."""
    redis.client.set("text", "x")
    one = source(redis.url("text"))
    with pytest.raises(BrokerUnavailable, match="WRONGTYPE"):
        one.poll(10, 0.001)
    redis.client.xadd("typed", {"value": b"0"})
    two = source(redis.url("typed"))
    events = two.poll(10, 0.001)
    redis.client.set("typed", "x")
    with pytest.raises(BrokerUnavailable, match="WRONGTYPE"):
        two.commit(events)


def test_a_server_that_is_not_there_is_waited_for() -> None:
    """By polls and flushes; who ends need not tell it."""
    from streaming.brokers import redis_streams

    url = f"redis://127.0.0.1:{free_port()}/rides"
    one = source(url)
    with pytest.raises(BrokerUnavailable, match=f"{url}: .*refused"):
        one.poll(10, 0.001)
    one._at_hand, one._touched = ["1-0"], 0.0
    one.keep_alive()
    one.close()
    sink = redis_streams.sink(Address.parse(url), settings=StreamSettings())
    sink.send([Message(b"{}", b"k", [("n", None)])])
    with pytest.raises(BrokerUnavailable, match="refused"):
        sink.flush(1)
    sink.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://h/rides?db=x", r"the port and \?db= are numbers"),
        ("redis://h/rides?claim=soon", r"\?claim= is a number of seconds"),
    ],
    ids=["db", "claim"],
)
def test_options_that_are_no_numbers_are_named(url: str, why: str) -> None:
    """Before anything is reached."""
    from streaming.brokers import redis_streams

    with pytest.raises(UsageError, match=why):
        source(url)
    many = Address.parse("redis://h/rides?maxlen=many")
    with pytest.raises(UsageError, match=r"\?maxlen= is a number of entries"):
        redis_streams.sink(many, settings=StreamSettings())
