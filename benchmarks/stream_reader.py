"""Who reads predictions: how long after its event each came, `python -m benchmarks.stream_reader`.

Its arguments are the topic and how many predictions to read. It prints a line once it reads, and
then quantiles in milliseconds as JSON. An event's time is when its producer took it.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

from confluent_kafka import Consumer, TopicPartition

from benchmarks.stream_broker import BROKER, PARTITIONS


def main() -> None:
    """Read, then reckon."""
    topic, wanted = sys.argv[1], int(sys.argv[2])
    consumer = Consumer({
        "bootstrap.servers": BROKER, "group.id": f"{topic}-reader",
        "isolation.level": "read_committed", "enable.auto.commit": False,
    })  # fmt: skip
    places = [TopicPartition(topic, place) for place in range(PARTITIONS)]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
    consumer.assign(places)
    print("reading", flush=True)
    found: list[tuple[float, bytes]] = []
    while len(found) < wanted:
        first = consumer.poll(1)
        now = time.time()
        more = [first, *consumer.consume(10_000, 0)] if first else []
        found += [(now, message.value()) for message in more if not message.error()]
    consumer.close()
    waited = sorted(
        now - datetime.fromisoformat(json.loads(value)["event_time"]).timestamp()
        for now, value in found
    )
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    quantiles = {name: waited[int(len(waited) * share)] * 1000 for name, share in shares.items()}
    within = sum(one <= 0.025 for one in waited) / len(waited)
    print(json.dumps({**quantiles, "within 25 ms": within}))


if __name__ == "__main__":
    main()
