"""What JSON and the client alone cost: a thousand messages at once, read, written, no model.

Its arguments are the brokers, the topic of rides, that of predictions.
"""

import json
import sys

from confluent_kafka import Consumer, Producer

brokers, source, sink = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": sink,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
producer = Producer({"bootstrap.servers": brokers, "queue.buffering.max.messages": 2000})
consumer.subscribe([source])
while True:
    messages = [message for message in consumer.consume(1000, 0.1) if not message.error()]
    if not messages:
        continue
    for message in messages:
        producer.produce(sink, json.dumps(json.loads(message.value())), message.key())
    producer.flush()
    consumer.commit(asynchronous=False)
