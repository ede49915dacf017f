"""The loop that tutorials show, over confluent-kafka: one message, one prediction, flush, commit.

Its arguments are the brokers, the topic of rides, that of predictions.
"""

import json
import os
import pickle
import sys
from pathlib import Path

from confluent_kafka import Consumer, Producer

vectorizer, model = pickle.loads(Path(os.environ["PAIR"]).read_bytes())
brokers, source, sink = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": sink,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
producer = Producer({"bootstrap.servers": brokers})
consumer.subscribe([source])
while True:
    message = consumer.poll(1.0)
    if message is None or message.error():
        continue
    ride = json.loads(message.value())
    zones = f"{ride['PULocationID']}_{ride['DOLocationID']}"
    features = {"PU_DO": zones, "trip_distance": ride["trip_distance"]}
    duration = float(model.predict(vectorizer.transform(features))[0])
    producer.produce(sink, json.dumps({"duration": duration}), message.key())
    producer.flush()
    consumer.commit(message, asynchronous=False)
