"""Read predictions from a topic of Kafka: events and dead letters as `streaming` writes
them, or a log's lines.

An event has the prediction without its record, so that its profile is that of the score alone. Up
to where each partition was read is kept together with what was counted, so that a message is
counted once, whatever is killed in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa

from monitoring.entries import UNKNOWN
from monitoring.errors import MonitoringError, UsageError
from monitoring.ingest import Ingest, Taken, find
from monitoring.letters import is_letter
from monitoring.reading import Told, add_letter, blocks_of
from monitoring.store import Store
from monitoring.tables import PLACES, TRAININGS
from monitoring.writing import Writing
from scoring.model import tried
from scoring.models import Model
from scoring.observers.log_lines import SCHEMA

if TYPE_CHECKING:
    from streaming import interface

_MESSAGES: Final = 50_000  # of one transaction
_NEITHER: Final = "neither a prediction event nor a dead letter nor a line of a prediction log"

_Numbers = Mapping[str, Callable[[Mapping[str, Any]], float | None]]


def take(
    ingest: Ingest,
    store: Store,
    models: Mapping[str, Model],
    words: Sequence[str],
    model: str | None = None,
) -> Taken:
    """Read files, folders, and topics by their addresses, kafka://HOST:PORT/TOPIC; `model` is that
    of Parquet files that do not say it. Raises UsageError for a word that names nothing,
    MonitoringError where brokers do not answer."""
    topics = [word for word in words if "://" in word]
    files = [word for word in words if "://" not in word]
    taken = ingest.take(find(files), model) if files else Taken()
    scores = {name: _score_of(one) for name, one in models.items()}
    for word in topics:
        _topic(ingest, store, scores, word, taken)
    return taken


def _topic(ingest: Ingest, store: Store, scores: _Numbers, word: str, taken: Taken) -> None:
    from streaming import errors, topic  # a file needs neither, nor their packages

    try:
        with closing(topic.open_topic(word)) as reader:
            bounds = reader.bounds()
            known = f"{reader.cluster}/{reader.name}"
            topic_id = hashlib.sha256(known.encode()).hexdigest()
            starts = _starts(store, topic_id, bounds, taken)
            ends = {place: end for place, (_, end) in bounds.items()}
            for events in reader.read(starts, ends, _MESSAGES):
                with store.writing() as writing:
                    _part(ingest, writing, scores, (topic_id, known), events, taken)
    except errors.UsageError as error:
        raise UsageError(str(error)) from error
    except errors.StreamError as error:
        raise MonitoringError(str(error)) from error
    taken.topics += 1


def _starts(
    store: Store, topic: str, bounds: Mapping[int, tuple[int, int]], taken: Taken
) -> dict[int, int]:
    """Return where each partition is read from, and count what is gone. Raises MonitoringError for
    a topic that ends before what was read of it."""
    c = PLACES.c
    there = dict(map(tuple, store.asked(sa.select(c.partition, c.place).where(c.topic == topic))))
    starts = {}
    for place, (first, end) in bounds.items():
        starts[place] = max(first, there.get(place, 0))
        if starts[place] > end:
            raise MonitoringError(
                f"partition {place} ends at {end}, and was read to {starts[place]} already: the "
                "topic was made anew; give the new one another name"
            )
        if place in there:
            taken.gone += starts[place] - there[place]
    return starts


def _part(
    ingest: Ingest, writing: Writing, scores: _Numbers, topic: tuple[str, str],
    events: Sequence[interface.Event], taken: Taken,
) -> None:  # fmt: skip
    """Count some messages, and note that they are."""
    topic_id, known = topic
    c = PLACES.c
    asked = sa.select(c.partition, c.place).where(c.topic == topic_id)
    places = dict(map(tuple, writing.asked(asked)))  # another process may have read on meanwhile
    new = [one for one in events if int(one.offset) >= places.get(int(one.partition), 0)]
    digests = {
        (model, version): digest
        for model, version, digest in writing.asked(
            sa.select(TRAININGS.c.model, TRAININGS.c.version, TRAININGS.c.digest)
        )
    }
    lines, predictions, refused = [], dict[str, bytes](), Told()
    for event in new:
        try:
            found = orjson.loads(event.value or b"")
        except ValueError:
            found = None
        if isinstance(found, dict) and "schema" in found:
            lines.append(orjson.dumps(found))
        elif is_letter(found):
            add_letter(found, taken.bad, refused)
        elif (
            isinstance(found, dict) and str(found.get("model")) not in scores and "answer" in found
        ):
            taken.other[str(found.get("model"))] += 1
        elif line := _line_of(found, scores, digests):
            taken.again += line["request_id"] in predictions
            predictions.setdefault(line["request_id"], orjson.dumps(line))
        else:
            taken.bad[_NEITHER] += 1
    file = hashlib.sha256(repr((topic_id, sorted(places.items()))).encode()).hexdigest()
    for some, once in ((lines, False), ([*predictions.values()], True)):
        if some:
            told = Told()
            blocks = blocks_of(b"\n".join(some) + b"\n", taken.bad, told)
            ingest.count(writing, file, blocks, told, taken, once=once)
    ingest.count(writing, file, iter(()), refused, taken)
    behind = {int(one.partition): int(one.offset) + 1 for one in new}
    writing.delete(PLACES, c.topic == topic_id, c.partition.in_(list(behind)))
    writing.insert(
        PLACES,
        [{"topic": topic_id, "partition": partition, "place": place, "name": known}
         for partition, place in behind.items()],
    )  # fmt: skip


def _line_of(
    event: Any, scores: _Numbers, digests: Mapping[tuple[str, str], str]
) -> dict[str, Any] | None:
    """Return the line that the prediction log would have of a prediction event, without its record;
    None where it is no such event."""
    if not isinstance(event, dict) or not isinstance(answer := event.get("answer"), dict):
        return None
    model, name, when = event.get("model"), event.get("id"), event.get("time")
    version = answer.get("model_version")
    if not all(isinstance(one, str) for one in (model, name, when, version)):
        return None
    if (score := scores[str(model)](answer)) is None:
        return None
    return {
        "schema": SCHEMA, "time": when, "request_id": name, "model": model, "version": version,
        "digest": digests.get((str(model), str(version)), UNKNOWN), "index": 0, "features": {},
        "score": score, "unseen": answer.get("unseen", []),
        **({"ids": {"event_id": str(event["event_id"])}} if "event_id" in event else {}),
    }  # fmt: skip


def _score_of(model: Model) -> Callable[[Mapping[str, Any]], float | None]:
    """Return what takes the score from an answer: the value, the probability of the class, of
    several that of the most likely one; None where it has none."""
    one = tried(model)[0]
    name = next(
        (
            key
            for key, value in model.answer(one, model.threshold).items()
            if isinstance(value, dict) or (isinstance(value, float) and value == one)
        ),
        model.target,
    )
    return lambda answer: _number(answer.get(name))


def _number(value: Any) -> float | None:
    values = value.values() if isinstance(value, dict) else [value]
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    return max(numbers, default=None)
