"""The command line: options, the worker, its exit status."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence

from scoring.errors import InvalidQuery, SettingsError, StartError
from scoring.intervals import Interval
from scoring.observers.log_setup import open_log
from scoring.observers.model_metrics import ModelMetrics
from scoring.observers.observer import Observers
from scoring.predictor import Predictor
from scoring.process import logs
from scoring.registry.errors import RegistryError
from scoring.registry.metrics import RegistryMetrics
from streaming import brokers, replay
from streaming.envelope import Envelope
from streaming.errors import GraceOver, StreamError, UsageError
from streaming.following import Followed, follow
from streaming.health import Health, Port
from streaming.interface import Delivery, Sink, Source
from streaming.journal import Journal
from streaming.meter import Meter
from streaming.options import Options, parse
from streaming.outcomes import Scoring
from streaming.settings import StreamSettings
from streaming.stop import Stop
from streaming.tracing import EventTracing
from streaming.worker import Parts, Worker

_STOPS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("streaming")


def main(words: Sequence[str] | None = None) -> int:
    """Run what the words say and return the status of the process."""
    words = sys.argv[1:] if words is None else words
    again = bool(words) and words[0] == "replay"
    try:
        options = replay.parse(words[1:]) if again else parse(words)
        settings = StreamSettings.from_env(os.environ)
    except (StreamError, SettingsError) as error:
        return _failed(error, 2)
    logs.configure(settings)
    stop = Stop(settings.graceful_timeout)
    before = {number: signal.signal(number, lambda *_: stop.request()) for number in _STOPS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)  # held back by `bin/stream`
    try:
        if isinstance(options, Options):
            _run(options, settings, stop)
        else:
            done = replay.replay(options, settings, stop)
            sys.stdout.write(replay.summary(done) + "\n")
    except StreamError as error:
        return _failed(error, error.status)
    except SettingsError as error:
        return _failed(error, 2)
    except (StartError, RegistryError, ArithmeticError) as error:
        return _failed(error, 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _check_interval(predictor: Predictor, level: float) -> None:
    """Raise UsageError where the model gives no such interval, before an event is read."""
    try:
        Interval(predictor, level)
    except InvalidQuery as error:
        raise UsageError(f"--interval: {error.errors[0].problem}") from error


def _failed(error: object, status: int) -> int:
    sys.stderr.write(f"streaming: {' '.join(str(error).split())}\n")
    return status


def _run(options: Options, settings: StreamSettings, stop: Stop) -> None:
    for address in (options.source, options.sink, options.dead_letters):
        if address:
            brokers.module_of(address)  # a missing package is said before anything is loaded
    with contextlib.ExitStack() as closing:
        # taken before the model is loaded: one that kills the process is no event's fault
        journal = Journal.take(settings.stream_state, f"{options.group}-{options.source}")
        closing.callback(journal.close)
        health, meter = Health(), Meter(journal.restarts)
        followed = follow(options.model, settings)
        closing.callback(followed.close)
        if options.interval is not None:
            _check_interval(followed.current, options.interval)
        metrics, collector = ModelMetrics.alone([followed.current])
        metrics.serve(followed.current)
        collector.registry.register(meter)
        if followed.reloader:
            collector.registry.register(RegistryMetrics(followed.reloader))
        log = open_log(settings, [followed.current], metrics.count_log_lines)
        observer = Observers(metrics, *([log] if log else []))
        closing.callback(observer.stop)
        tracing = EventTracing.from_environment(os.environ)
        if tracing:
            closing.callback(tracing.stop)
        try:
            port = Port(settings.host, settings.port, health, collector.text)
        except OSError as error:
            raise StreamError(f"PORT={settings.port}: {error.strerror}") from error
        closing.callback(port.close)
        worker_name = f"{settings.stream_name or socket.gethostname()}-{journal.slot}"
        with _opened(options, settings, worker_name, meter) as (source, sink, dead):
            envelope = Envelope(options.record, options.id, options.time)
            parts = Parts(
                source=source, sink=sink, dead=dead, followed=followed, journal=journal,
                scoring=Scoring(source.name, envelope, observer, tracing, options.interval),
                meter=meter,
                health=health, stop=stop, batch=options.batch,
            )  # fmt: skip
            followed.watch(metrics.serve)
            _log.info(
                "%s %s: %s -> %s, group %s, worker %s, port %d", followed.current.model.name,
                followed.current.version, options.source, options.sink, options.group, worker_name,
                port.number,
            )  # fmt: skip
            _warm(followed)
            _spare_collections()
            worker = Worker(parts)
            if options.guarantee == "exactly-once":
                try:
                    worker.delivery = _transactions(options, worker, parts, worker_name, closing)
                except GraceOver:
                    return  # stopped before the brokers were there
            worker.run()
            health.stopping = True
        _log.info("stopped")


@contextlib.contextmanager
def _opened(
    options: Options, settings: StreamSettings, worker: str, meter: Meter
) -> Iterator[tuple[Source, Sink, Sink | None]]:
    with contextlib.ExitStack() as closing:
        source = brokers.open_source(
            options.source, settings=settings, group=options.group, worker=worker,
            start=options.start, rebalanced=meter.rebalanced,
        )  # fmt: skip
        closing.callback(source.close)
        sink = brokers.open_sink(options.sink, settings=settings)
        closing.callback(sink.close)
        dead = None
        if options.dead_letters:
            dead = brokers.open_sink(options.dead_letters, settings=settings)
            closing.callback(dead.close)
        yield source, sink, dead


def _transactions(
    options: Options, worker: Worker, parts: Parts, name: str, closing: contextlib.ExitStack
) -> Delivery:
    """Return what makes batches final by Kafka's transactions, until `closing` ends."""
    from streaming.brokers.kafka import KafkaSource
    from streaming.brokers.kafka_transaction import ExactlyOnce

    assert isinstance(parts.source, KafkaSource)  # noqa: S101  # the options were checked
    delivery = ExactlyOnce(
        parts.source, options.sink, options.dead_letters, f"{options.group}-{name}",
        worker.patience, parts.meter, worker.of_refused,
    )  # fmt: skip
    closing.callback(delivery.close)
    return delivery


def _spare_collections() -> None:
    """Have the garbage collector look through what a batch makes once in many batches: nothing of
    it is a cycle, and what was loaded stays."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _warm(followed: Followed) -> None:
    """Answer the example, so that the first batch is as quick as any."""
    predictor = followed.current
    predictor.each([dict(predictor.model.example)])
