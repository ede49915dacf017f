"""How many rides go through one worker on one core, next to others.

    python -m benchmarks.streaming   as make bench-streaming has it
    python -m benchmarks.streaming --quick --part rounds

The broker is noida-db on this machine, on the other cores, a new one each round; all ways of a
round read from it in turns. docs/streaming.md has what came of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks import stream_broker
from benchmarks.report import commit, machine
from benchmarks.stream_broker import Counting, feed, make
from benchmarks.stream_ways import (
    PORT,
    RIVALS,
    ROOT,
    WORKERS,
    Way,
    cpu_seconds,
    memory,
    metric,
    running,
    said,
)
from scoring.process.usage import of_docstring

# of the worker's rides/s, exactly once, over those of the others
_WANTED: Final = {
    "JSON in and out, no model": 0.5, "tutorial loop": 15, "FastStream, its default": 10,
    "MLServer's Kafka": 10,
}  # fmt: skip
_BARE: Final = "librdkafka's consumer alone"
_PER_SECOND: Final = 5000
_START_S: Final = 60  # until the first prediction of a way

Found = dict[str, dict[str, list[float]]]


def throughput(way: Way, events: int, seconds: float, folder: Path) -> dict[str, float]:
    """Return rides/s, from the first prediction to the last or for so many seconds, those a second
    of CPU time, and the most memory in MiB. Raises RuntimeError where nothing is predicted."""
    sink = f"{way.name}-out".replace(" ", "-").replace(",", "").replace("'", "")
    make(sink, f"{sink}-dead")
    counting = Counting(sink)

    def done() -> float:
        return metric("stream_predictions_total").get("", 0.0) if way.worker else counting.count()

    def give(count: int) -> None:
        if way.v2:
            requests = stream_broker.v2_requests()
            feed("requests", count, events=requests, headers={"mlserver-model": b"ride"})

    with running(way, "requests" if way.v2 else "rides", sink, folder) as process:
        began = time.monotonic()
        while not done():
            if process.poll() is not None or time.monotonic() - began > _START_S:
                raise RuntimeError(f"it predicts nothing: {said(folder)}")
            give(1)
            time.sleep(0.02)
        give(events)
        first = done(), time.monotonic(), cpu_seconds(process.pid)
        while True:
            time.sleep(0.05)
            last = done(), time.monotonic(), cpu_seconds(process.pid)
            passed = last[1] - first[1]
            # some begin all events before they end one
            if last[0] >= events or passed >= (seconds if last[0] > first[0] else _START_S):
                break
        peak = memory(process.pid)
    counting.close()
    rides, wall, cpu = (b - a for a, b in zip(first, last, strict=True))
    if not rides or not cpu:
        raise RuntimeError(
            f"of {events} events {first[0]:.0f} were done at once, and no more later"
        )
    return {"rides/s": rides / wall, "rides/s of CPU": rides / cpu, "MiB": peak}


def bare(topic: str, events: int, meanwhile: Callable[[], None] = lambda: None) -> float:
    """Return the most memory, in MiB, of a consumer that has the worker's options and does nothing
    with `events` of a topic."""
    from streaming.brokers import kafka_config

    shared = {"bootstrap.servers": stream_broker.BROKER}
    options = json.dumps(kafka_config.consumer(shared, f"{topic}-bare", "earliest"))
    file = ROOT / "benchmarks" / "rivals" / "stream_bare.py"
    words = [sys.executable, str(file), topic, str(events), options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        meanwhile()
        return float(process.communicate(timeout=300)[0])


def latency(way: Way, seconds: int, folder: Path) -> dict[str, float]:
    """Return, in milliseconds, how long after its event a prediction is read, at a steady rate, and
    the most memory in MiB."""
    topic = f"steady-{way.name}".replace(" ", "-").replace(",", "")
    sink, count = f"{topic}-out", _PER_SECOND * seconds
    make(topic, sink, f"{sink}-dead")
    feed(topic, 1)
    with running(way, topic, sink, folder) as process:
        while not metric("stream_predictions_total").get(""):
            time.sleep(0.05)
        words = [sys.executable, "-m", "benchmarks.stream_reader", sink, str(count)]
        environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), f"{ROOT}/web-service"])}
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ
        ) as reader:
            assert reader.stdout
            reader.stdout.readline()
            feed(topic, count, _PER_SECOND)
            found = json.loads(reader.communicate(timeout=60)[0])
        return {**found, "MiB": memory(process.pid)}


def rebalance(way: Way, folder: Path) -> float:
    """Return for how long, in seconds, a partition stood still at most while a second worker came
    and left."""
    topic = f"moving-{way.name}".replace(" ", "-").replace(",", "")
    sink = f"{topic}-out"
    make(topic, sink, f"{sink}-dead")
    feed(topic, 100)
    ended = threading.Event()

    def feed_on() -> None:
        while not ended.is_set():
            feed(topic, 200, 400)

    feeder = threading.Thread(target=feed_on)
    with running(way, topic, sink, folder):
        while not metric("stream_predictions_total").get(""):
            time.sleep(0.05)
        feeder.start()
        with running(way, topic, sink, folder, PORT + 1):
            while not metric("stream_predictions_total", PORT + 1).get(""):
                time.sleep(0.05)
            time.sleep(2)
        time.sleep(5)
        ended.set()
        feeder.join()
    times = stream_broker.prediction_times(sink)
    return max(max(b - a for a, b in pairwise(one)) for one in times)


def measured(given: argparse.Namespace, folder: Path) -> Found:
    """Return the figures of each way, round by round; print why one has none."""
    found: Found = defaultdict(lambda: defaultdict(list))
    failed: set[str] = set()
    for _ in range(given.rounds):
        with stream_broker.broker():
            make("rides", "requests")
            feed("rides", given.events)
            for way in [way for way in (*WORKERS, *RIVALS) if given.only in way.name]:
                if not way.python.exists():
                    failed.add(f"{way.name}: not measured, as {way.environment} is not there")
                    continue
                try:
                    # one event at a time is ten times slower, and needs no backlog of a million
                    events = given.events if way.batches else min(given.events, 20_000)
                    figures = throughput(way, events, given.seconds, folder)
                except RuntimeError as error:
                    failed.add(f"{way.name}: not measured: {' '.join(str(error).split())}")
                    continue
                for name, value in figures.items():
                    found[way.name][name].append(value)
            backlog = bare("rides", given.events)
            found[_BARE]["MiB"].append(backlog)
            _show(f"round of load {os.getloadavg()[0]:.1f}", found, last=True)
    for line in sorted(failed):
        print(line)
    return found


def ratios(found: Found) -> list[str]:
    """Return lines: the worker's rides/s, exactly once, over those of each other way."""
    lines = []
    ours = found.get(WORKERS[0].name, {}).get("rides/s", [])
    for way in RIVALS:
        theirs = found.get(way.name, {}).get("rides/s", [])
        if times := [mine / other for mine, other in zip(ours, theirs, strict=False)]:
            middle, wanted = statistics.median(times), _WANTED.get(way.name)
            verdict = f", {'reached' if middle >= wanted else 'BELOW'} {wanted}" if wanted else ""
            lines.append(f"{WORKERS[0].name}, over {way.name}: {middle:.1f} times "
                         f"({min(times):.1f} to {max(times):.1f}){verdict}")  # fmt: skip
    return lines


def _show(title: str, found: Found, *, last: bool = False) -> None:
    print(title)
    for name, figures in found.items():
        cells = []
        for what, values in figures.items():
            spread = f" ({min(values):,.0f} to {max(values):,.0f})" if len(values) > 1 else ""
            one = f"{values[-1]:,.0f}" if last else f"{statistics.median(values):,.0f}{spread}"
            cells.append(f"{one} {what}")
        print(f"  {name:<34}{'   '.join(cells)}", flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m benchmarks.streaming", **of_docstring(__doc__))
    line.add_argument("--events", type=int, help="default: 1,000,000")
    line.add_argument("--rounds", type=int, help="default: 3")
    line.add_argument("--seconds", type=int, help="of each way, at most; default: 10")
    line.add_argument("--quick", action="store_true", help="one round, 20,000 events, 2 seconds")
    line.add_argument("--only", default="", help="of the rounds, ways with this in their name")
    line.add_argument("--part", choices=("rounds", "steady", "rebalance"), help="that one alone")
    return line


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Return what is asked for."""
    given = parser().parse_args(words)
    events, rounds, seconds = (20_000, 1, 2) if given.quick else (1_000_000, 3, 10)
    given.events = given.events or events
    given.rounds = given.rounds or rounds
    given.seconds = given.seconds or seconds
    return given


def main(words: Sequence[str] | None = None) -> None:
    """Run each in turn and print a line for it."""
    given = parsed(words)
    print(f"{machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python "
          f"{sys.version.split()[0]}, commit {commit()}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.part in (None, "rounds"):
            found = measured(given, folder)
            _show(f"medians of {given.rounds} rounds (least to most)", found)
            print("\n".join(ratios(found)), flush=True)
        with stream_broker.broker():
            if given.part in (None, "steady"):
                _steady(given.seconds, folder)
            for way in WORKERS if given.part in (None, "rebalance") else ():
                print(f"{way.name}: a second worker comes and leaves, partitions stand still for "
                      f"{rebalance(way, folder):.2f} s at most", flush=True)  # fmt: skip


def _steady(seconds: int, folder: Path) -> None:
    print(f"at {_PER_SECOND:,} rides/s, milliseconds from event to prediction:")
    for way in WORKERS:
        figures = latency(way, seconds, folder)
        within, peak = figures.pop("within 25 ms"), figures.pop("MiB")
        words = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
        print(f"  {way.name:<34}{words}; {within:.2%} within 25; {peak:.0f} MiB", flush=True)
    make("steady-bare")
    count = _PER_SECOND * seconds
    peak = bare("steady-bare", count, lambda: feed("steady-bare", count, _PER_SECOND))
    print(f"  {_BARE:<34}{peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
