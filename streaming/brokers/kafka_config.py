"""How librdkafka is set up: by us, by the address's options, by the environment.

Every option of librdkafka is a variable: LIBRDKAFKA_SASL_PASSWORD is `sasl.password`. With _FILE at
the end of its name, a variable names the file that holds the value, unless that is an option, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError

from streaming.addresses import Address
from streaming.brokers import kafka_options
from streaming.errors import UsageError

_PREFIX: Final = "LIBRDKAFKA_"

_log = logging.getLogger("librdkafka")


def of_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return librdkafka's options in the environment. Raises UsageError for a variable of an option
    that there is not, and where a file of one cannot be read."""
    names = kafka_options.variables()
    found = {}
    for name, value in environ.items():
        if not name.startswith(_PREFIX) or not value:
            continue
        rest = name.removeprefix(_PREFIX)
        if rest not in names and rest.removesuffix("_FILE") in names:
            rest = rest.removesuffix("_FILE")
            try:
                value = Path(value).read_text().strip()
            except OSError as error:
                raise UsageError(f"{name}={value}: {error.strerror}") from error
        if rest not in names:
            near = get_close_matches(rest, names, cutoff=0.7)
            raise kafka_options.unknown(name, [_PREFIX + one for one in near])
        found[kafka_options.checked(names[rest], name)] = value
    return found


def common(
    address: Address,
    environ: Mapping[str, str],
    on_error: Callable[[KafkaError], None],
    *,
    producers: bool,
) -> dict[str, Any]:
    """Return what every client of `address` has, `producers` or consumers. Raises UsageError for
    options that librdkafka has not, that are not to be set, or that are of the other kind."""
    known, others = kafka_options.known(), "C" if producers else "P"
    options = {}
    for name, value in address.options.items():
        option = kafka_options.checked(name, f"{address}?{name}")
        if known[option].whose == others:
            kinds = ("consumers", "written to") if producers else ("producers", "read from")
            raise UsageError(
                f"{address}?{name} cannot be set: it is for {kinds[0]}, and this is {kinds[1]}"
            )
        options[option] = value
    login = {}
    if address.login:
        login = {"sasl.username": address.login[0], "sasl.password": address.login[1]}
    return {
        "bootstrap.servers": address.hosts,
        "client.id": "prediction-service",
        "reconnect.backoff.max.ms": 10_000,
        "error_cb": on_error,
        "logger": _log,
        "log_level": 2,  # what is in the way is in readiness; a line each try would bury the rest
        **login,
        # the environment is for all clients; librdkafka would warn of what is of the other kind
        **{name: v for name, v in of_environment(environ).items() if known[name].whose != others},
        **options,
    }


def consumer(shared: Mapping[str, Any], group: str, start: str) -> dict[str, Any]:
    """Return a consumer's options: nothing is committed but by us, memory is bounded, and what a
    transaction took back is not read."""
    # of the newer protocol, the brokers say how long; else the heartbeat is how soon a worker hears
    # that another came or left, so how long partitions stand still
    session = {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 1000}
    if shared.get("group.protocol") == "consumer":
        session = {}
    return {
        # what waits in memory; librdkafka has 0.5 kB more for each message than the event's bytes
        "queued.max.messages.kbytes": 4096,
        "queued.min.messages": 10_000,
        "fetch.max.bytes": 4 << 20,
        # how soon it looks whether that is used up; by default a second, in which a worker stands
        "fetch.queue.backoff.ms": 10,
        **session,
        **shared,
        "group.id": group,
        "auto.offset.reset": start,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
    }


def producer(
    shared: Mapping[str, Any], on_delivery: Callable[[Any, Any], None], **more: Any
) -> dict[str, Any]:
    """Return a producer's options: every replica acknowledges, nothing is doubled or put in another
    order by a try again, and a key's partition is the one that Kafka's own clients choose."""
    return {
        "partitioner": "murmur2_random",
        **shared,
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,  # the worker waits, and shows it
        "delivery.report.only.error": True,
        "on_delivery": on_delivery,
        **more,
    }
