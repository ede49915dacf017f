"""Rides through one worker on one core: `python -m benchmarks.streaming`.

The broker is noida-db on this machine, on the other cores. Beside the worker runs the loop that
tutorials show: one message, one prediction of the pickled pair, flush, commit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import requests

from scoring.models import discover
from training import sample

ROOT = Path(__file__).resolve().parents[1]
MODELS = Path(os.environ.get("MODELS_DIR") or ROOT / "models")
BROKER, PORT = "127.0.0.1:19092", 19093
LAST_CORE = max(os.sched_getaffinity(0))
PARTITIONS = 4


@contextlib.contextmanager
def broker() -> Iterator[None]:
    """Run noida-db until the block ends."""
    package = find_spec("noida_db")
    if package is None or package.origin is None:
        sys.exit("noida-db is not installed: make setup")
    program = str(Path(package.origin).with_name("noida-db"))
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "start", "--only", "kafka", "--kafka-port", BROKER.rpartition(":")[2],
             "--host", "127.0.0.1", "--data-dir", folder],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            process.kill()
            process.wait()


@cache
def rides() -> list[bytes]:
    """Return events: the rides of the bundled sample."""
    fields = list(discover()["ride"].record.model_fields)
    rows = pq.read_table(sample.TRIPS, columns=fields).drop_null().to_pylist()
    return [json.dumps(row).encode() for row in rows if row["trip_distance"] < 100]


def feed(topic: str, count: int, per_second: float | None = None) -> None:
    """Make a topic and produce rides to it, as fast as it goes or so many a second."""
    from confluent_kafka import KafkaException, Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": BROKER})
    names = [topic, f"{topic}-out", f"{topic}-dead"]
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        with contextlib.suppress(KafkaException):
            future.result(30)
    producer = Producer({"bootstrap.servers": BROKER, "queue.buffering.max.messages": 1_000_000,
                         "linger.ms": 1})  # fmt: skip
    events = rides()
    began = time.monotonic()
    for number in range(count):
        while True:
            try:
                producer.produce(topic, events[number % len(events)], key=b"%d" % (number % 1000))
                break
            except BufferError:
                producer.poll(0.1)
        if per_second:
            producer.poll(max(0.0, began + number / per_second - time.monotonic()))
    producer.flush(600)


def metric(name: str, port: int = PORT) -> dict[str, float]:
    """Return a metric of the worker at `port` by its labels."""
    with contextlib.suppress(requests.RequestException):
        lines = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text.splitlines()
        pairs = [line.rpartition(" ") for line in lines if line.startswith(name)]
        return {label.removeprefix(name): float(value) for label, _, value in pairs}
    return {}


def cpu_seconds(process: int) -> float:
    """Return how long a process has been on a CPU, all its threads together; unlike the time of
    day it does not count what others on the machine take."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@contextlib.contextmanager
def worker(
    topic: str, guarantee: str, folder: Path, port: int = PORT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker on the last core until the block ends."""
    address = f"kafka://{BROKER}/{topic}"
    command = ["taskset", "-c", str(LAST_CORE), sys.executable, "-m", "streaming", "ride",
               "--source", address, "--sink", f"{address}-out", "--dead-letters", f"{address}-dead",
               "--group", topic, "--guarantee", guarantee, "--batch", "5000"]  # fmt: skip
    environ = {
        **os.environ, "MODELS_DIR": str(MODELS), "PORT": str(port), "HOST": "127.0.0.1",
        "STREAM_STATE": str(folder / "state"), "LOG_FORMAT": "text", "LOG_LEVEL": "warning",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "web-service")]),
    }  # fmt: skip
    process = subprocess.Popen(command, env=environ)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def throughput(guarantee: str, events: int, folder: Path) -> None:
    """Print how many events a second a worker makes final, and its memory."""
    topic = f"rides-{guarantee}"
    feed(topic, events)
    with worker(topic, guarantee, folder) as process:
        first: tuple[float, float, float] | None = None
        while True:
            count = metric("stream_predictions_total").get("", 0.0)
            now, used = time.monotonic(), cpu_seconds(process.pid)
            if count and first is None:
                first = now, used, count
            if first and count >= events:
                break
            time.sleep(0.05)
        done = count - first[2]
        print(f"{guarantee:<15} {done / (now - first[0]):>9,.0f} rides/s   "
              f"{done / (used - first[1]):>9,.0f} a second of CPU   "
              f"{memory(process.pid):.0f} MiB at most", flush=True)  # fmt: skip


def latency(guarantee: str, per_second: int, seconds: int, folder: Path) -> None:
    """Print what share of the events is final within some times, at a steady rate."""
    topic = f"steady-{guarantee}"
    feed(topic, 1)
    with worker(topic, guarantee, folder) as process:
        while not metric("stream_predictions_total").get(""):
            time.sleep(0.05)
        feed(topic, per_second * seconds, per_second)
        while metric("stream_predictions_total").get("", 0.0) < per_second * seconds + 1:
            time.sleep(0.05)
        buckets = metric("stream_latency_seconds_bucket")
        shares = {le[5:-2]: count / max(buckets.values()) for le, count in buckets.items()}
        words = ", ".join(f"{shares[le]:.2%} in {le} s" for le in ("0.005", "0.01", "0.025", "0.1"))
        print(f"{guarantee:<15} at {per_second:,} rides/s: {words}   "
              f"{memory(process.pid):.0f} MiB at most", flush=True)  # fmt: skip


def rebalance(guarantee: str, folder: Path) -> None:
    """Print for how long a partition stood still at most while a second worker came and left."""
    topic = f"moving-{guarantee}"
    feed(topic, 100)
    ended = threading.Event()

    def feed_on() -> None:
        while not ended.is_set():
            feed(topic, 200, 400)

    feeder = threading.Thread(target=feed_on)
    with worker(topic, guarantee, folder):
        while not metric("stream_predictions_total").get(""):
            time.sleep(0.05)
        feeder.start()
        with worker(topic, guarantee, folder, PORT + 1):
            while not metric("stream_predictions_total", PORT + 1).get(""):
                time.sleep(0.05)
            time.sleep(2)
        time.sleep(5)
        ended.set()
        feeder.join()
    gaps = [max(b - a for a, b in pairwise(times)) for times in prediction_times(f"{topic}-out")]
    print(f"{guarantee:<15} a second worker comes and leaves: partitions stand still for "
          f"{max(gaps):.2f} s at most", flush=True)  # fmt: skip


def prediction_times(topic: str) -> list[list[float]]:
    """Return when the predictions of the events of each partition were made, without those of the
    first events, in seconds."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": f"{topic}-times"})
    consumer.assign([TopicPartition(topic, place, OFFSET_BEGINNING) for place in range(PARTITIONS)])
    found: list[list[float]] = [[] for _ in range(PARTITIONS)]
    while messages := consumer.consume(10_000, 3):
        for message in messages:
            if not message.error():
                made = json.loads(message.value())
                place = int(made["id"].split("/")[1])
                found[place].append(datetime.fromisoformat(made["time"]).timestamp())
    consumer.close()
    return [sorted(times)[25:] for times in found]


def tutorial(events: int) -> None:
    """Print how many events a second the usual loop makes: each flushed and committed."""
    import pickle

    from confluent_kafka import Consumer, Producer

    feed("loop", events)
    [file] = (MODELS / "ride").glob("*.bin")
    vectorizer, model = pickle.loads(file.read_bytes())  # our own
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": "loop",
                         "auto.offset.reset": "earliest", "enable.auto.commit": False})  # fmt: skip
    producer = Producer({"bootstrap.servers": BROKER})
    consumer.subscribe(["loop"])
    done, began = 0, 0.0
    while done < events:
        message: Any = consumer.poll(1)
        if message is None or message.error():
            continue
        began = began or time.monotonic()
        record = json.loads(message.value())
        zones = f"{record['PULocationID']}_{record['DOLocationID']}"
        features = {"PU_DO": zones, "trip_distance": record["trip_distance"]}
        duration = float(model.predict(vectorizer.transform(features))[0])
        producer.produce("loop-out", json.dumps({"duration": duration}), message.key())
        producer.flush()
        consumer.commit(message, asynchronous=False)
        done += 1
    print(f"{'tutorial loop':<15} {done / (time.monotonic() - began):>9,.0f} rides/s")
    consumer.close()


def main() -> None:
    """Run each in turn and print a line for it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10, help="of the steady rate")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} CPUs, Python {sys.version.split()[0]}")
    with broker(), tempfile.TemporaryDirectory() as folder:
        for guarantee in ("exactly-once", "at-least-once"):
            throughput(guarantee, given.events, Path(folder))
        for guarantee in ("exactly-once", "at-least-once"):
            latency(guarantee, 5000, given.seconds, Path(folder))
        for guarantee in ("exactly-once", "at-least-once"):
            rebalance(guarantee, Path(folder))
        tutorial(min(given.events, 3000))


if __name__ == "__main__":
    main()
