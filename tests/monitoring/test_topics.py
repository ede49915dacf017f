"""`monitoring profile kafka://...`: what a streaming worker wrote, each message once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from monitoring import topics
from monitoring.errors import MonitoringError
from monitoring.ingest import Ingest, Taken
from monitoring.kept import Keeper
from monitoring.store import Store
from scoring.models import discover
from scoring.predictor import Predictor
from streaming.envelope import Envelope
from streaming.interface import Event
from streaming.outcomes import Scoring
from tests.flowers import FLOWERS
from tests.monitoring.support import lines, rides, text
from tests.monitoring.test_profile import ALWAYS, whole
from tests.monitoring.test_refused import dead, refusals
from tests.streaming.kafka_broker import KafkaBroker, kafka_broker
from tests.support import free_port

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker of Kafka's protocol."""
    with kafka_broker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def topic(broker: KafkaBroker, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A topic that no other test has."""
    name = f"{request.node.name}-{tmp_path.name}"
    broker.make(name)
    return name


def written(models_dir: Path, first: int, rows: int) -> list[bytes]:
    """Return what a worker writes of events with the offsets from `first` on."""
    model = discover()["ride"]
    predictor = Predictor.from_folder(models_dir / "ride", model)
    events = [
        Event(orjson.dumps({**record, "ride_id": f"r{first + place}"}), None, (), 0, first + place,
              1.7e9)
        for place, record in enumerate(rides(rows, seed=first + 1))
    ]  # fmt: skip
    made = Scoring("rides", Envelope(id="ride_id")).outcome(predictor, events)
    return [message.value for message in made.predictions]


@pytest.mark.slow
def test_a_topic_is_counted_once(
    monitoring: Run, store: Store, models_dir: Path, broker: KafkaBroker, topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """From where it was left, in several transactions; a kill in the middle loses and doubles
    nothing, and what a worker wrote again is known by its id."""
    monkeypatch.setattr(topics, "_MESSAGES", 30)
    sent = written(models_dir, 0, 100)
    broker.feed(topic, sent[:70])

    with monkeypatch.context() as broken:
        asked = topics._part

        def killed(*given: Any) -> None:
            asked(*given)
            raise KeyboardInterrupt

        broken.setattr(topics, "_part", killed)
        with pytest.raises(KeyboardInterrupt):
            monitoring("profile", broker.url(topic))
    assert store.span("ride") is None
    told = monitoring("profile", broker.url(topic))
    assert (told.status, told.out) == (0, "70 predictions of 1 topics\n")
    broker.feed(topic, [*sent[60:], b"no JSON", None, b'{"model": "tips", "answer": {}}'])
    told = monitoring("profile", broker.url(topic))
    assert told.out == (
        "30 predictions of 1 topics; 10 predictions were known already; 1 of the model 'tips', "
        "which is not known here, left out; 2 lines left out: neither a prediction event nor a "
        "dead letter nor a line of a prediction log\n"
    )
    assert monitoring("profile", broker.url(topic)).out == "0 predictions of 1 topics\n"
    found = whole(store)
    scores = [orjson.loads(one)["answer"]["duration"] for one in sent]
    assert (found.rows, found.fields) == (100, {})
    assert found.score.total == pytest.approx(sum(scores))
    told = monitoring("who", "ride", "--field", "event_id=r7")
    assert orjson.loads(told.out)["score"] == pytest.approx(scores[7])
    Path("truth.csv").write_text("request_id,actual\nrides/0/7,12.5\n")
    assert monitoring("labels", "truth.csv", "--key", "request_id", "--model", "ride").status == 0


@pytest.mark.slow
def test_brokers_that_say_no(
    monitoring: Run, broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line: a topic that there is not, brokers that are not there, an option of nobody's."""
    from streaming.brokers import kafka_reader

    assert monitoring("profile", broker.url("nowhere", "?no.such=1")).status == 2
    told = monitoring("profile", broker.url("nowhere"))
    assert (told.status, "/nowhere: " in told.err) == (1, True)
    monkeypatch.setattr(kafka_reader, "_ANSWER_S", 0.5)
    told = monitoring("profile", f"kafka://127.0.0.1:{free_port()}/rides")
    assert (told.status, told.err.count("\n")) == (1, 1)


def part(store: Store, values: Sequence[bytes], first: int = 0) -> Taken:
    """Count messages of one partition, as they come from a topic."""
    taken, models = Taken(), discover()
    events = [Event(value, None, (), 0, first + n, None) for n, value in enumerate(values)]
    scores = {name: topics._score_of(model) for name, model in models.items()}
    with store.writing() as writing:
        ingest = Ingest(store, models, Keeper())
        topics._part(ingest, writing, scores, ("t" * 64, "cluster/t"), events, taken)
    return taken


@pytest.mark.slow
def test_lines_of_a_log_come_by_topic_too(store: Store) -> None:
    """With their fields, feedback and refusals; what another process read meanwhile is left out."""
    values = text([*lines(rides(60)), *refusals(3)]).splitlines()
    assert (part(store, values).rows, part(store, values).rows) == (60, 0)
    taken = part(store, values[:10] + text(lines(rides(5), first=100)).splitlines(), first=53)
    assert (taken.rows, taken.refused) == (5, 0)
    assert whole(store).fields["PULocationID"].count == 65
    assert len(store.predictions("ride", *ALWAYS)) == 2


def test_dead_letters_come_by_topic(store: Store, models_dir: Path) -> None:
    """Beside lines of a log, each once."""
    letters = [orjson.dumps(one) for one in dead(models_dir, b"{}", b"no JSON")]
    values = [*text(lines(rides(5))).splitlines(), *letters]
    taken = part(store, values)
    assert (taken.rows, taken.refused, taken.bad) == (5, 2, {})
    assert part(store, letters, first=7).refused == 0


@pytest.mark.slow
def test_a_message_that_is_odd_stops_nothing(store: Store) -> None:
    """It is left out and counted, whatever its parts are; those around it are counted."""
    good: dict[str, Any] = {
        "model": "ride", "id": "rides/0/1", "time": "2026-11-02T10:00:00+00:00",
        "answer": {"duration": 12.5, "model_version": "3"},
    }  # fmt: skip
    odd: list[Any] = [
        {**good, "answer": None},
        {**good, "id": 7},
        {**good, "answer": {"duration": "long", "model_version": "3"}},
        {**good, "id": "rides/0/2", "time": "yesterday"},
        {**good, "id": "rides/0/3", "answer": {**good["answer"], "unseen": 5}},
        {"event": 3}, [good], "text", None,
    ]  # fmt: skip
    unknown: list[Any] = [{**good, "model": ["ride"]}, {**good, "model": None}]
    taken = part(store, [orjson.dumps(one) for one in (*odd, good, *unknown)])
    assert (taken.rows, sum(taken.bad.values()), sum(taken.other.values())) == (1, len(odd), 2)
    assert whole(store).score.total == 12.5


@pytest.mark.slow
def test_places_that_are_no_more(store: Store) -> None:
    """What was deleted unread is counted; a topic that ends before is another one."""
    part(store, text(lines(rides(60))).splitlines())
    taken = Taken()
    assert topics._starts(store, "t" * 64, {0: (75, 90), 1: (5, 9)}, taken) == {0: 75, 1: 5}
    assert "15 messages were deleted before they were read" in taken.said()
    with pytest.raises(MonitoringError, match="partition 0 ends at 7, and was read to 60"):
        topics._starts(store, "t" * 64, {0: (0, 7)}, taken)


@pytest.mark.parametrize(
    ("address", "says"),
    [("redis://localhost:6379/rides", "only topics of Kafka"),
     ("kafka://localhost", "is not of the form kafka://HOST:PORT/NAME"),
     ("kafka://localhost:1/rides", "confluent_kafka: pipenv sync --categories kafka")],
    ids=["redis", "form", "package"],
)  # fmt: skip
def test_what_is_no_topic_is_one_line(
    monitoring: Run, monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    """What was seen, and what to do."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "streaming.brokers.kafka_reader", raising=False)
    for name in [one for one in sys.modules if one.startswith("streaming.brokers.kafka")]:
        monkeypatch.delitem(sys.modules, name)
    told = monitoring("profile", address)
    assert (told.status, says in told.err) == (2, True), told.err
    assert told.err.count("\n") == 1


def test_a_score_is_taken_from_any_answer() -> None:
    """A value, the probability of the class; nothing from an answer of another model."""
    models = discover()
    ride, churn = (topics._score_of(models[name]) for name in ("ride", "churn"))
    assert ride({"duration": 37}) == 37
    assert churn({"churn_probability": 0.6, "churn": True}) == 0.6
    assert ride({"churn": True}) is None
    classes = topics._score_of(FLOWERS)
    assert classes({"probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}}) == 0.5
    assert [classes({"probabilities": odd}) for odd in (None, {}, {"a": "much"})] == [None] * 3
