"""A consumer of librdkafka's that does nothing: what memory is the client's own.

Its arguments are a topic, how many events to read, and the consumer's options as JSON. It prints
its most memory in MiB.
"""

import json
import sys
from pathlib import Path

from confluent_kafka import Consumer

topic, events, options = sys.argv[1:]
consumer = Consumer(json.loads(options))
consumer.subscribe([topic])
left = int(events)
while left > 0:
    left -= sum(message.error() is None for message in consumer.consume(2000, 0.1))
status = Path("/proc/self/status").read_text()
line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print(int(line.split()[1]) / 1024)
