"""From events to records."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace

from scoring.errors import InvalidRecords, NotJson, RequestError, TooLarge
from scoring.limits import Limits
from streaming.envelope import Envelope, Opened
from streaming.interface import Event

RIDE = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}


def event(value: Any, *headers: tuple[str, bytes]) -> Event:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Event(text, b"k", headers, 0, 1, 1000.0)


def test_a_bare_record_is_handed_on_as_it_came() -> None:
    """Its bytes are read once, by what validates them."""
    opened = Envelope().open(event(RIDE))
    assert opened == Opened(json.dumps(RIDE).encode(), None, 1000.0)


def test_paths_say_where_record_id_and_time_are() -> None:
    """As in the tutorial's event, or deeper."""
    value = {"data": {"ride": RIDE}, "ride_id": 156, "at": "2026-11-27T10:00:00Z"}
    opened = Envelope("data.ride", "ride_id", "at").open(event(value))
    assert opened == Opened(RIDE, "156", 1795773600.0)


def test_an_event_without_its_id_has_a_prediction_all_the_same() -> None:
    """The prediction has an id of its own."""
    assert Envelope("ride", "ride_id").open(event({"ride": RIDE})) == Opened(RIDE, None, 1000.0)


@pytest.mark.parametrize("seconds", [1795773600, 1795773600000, "2026-11-27T12:00:00+02:00"])
def test_times_are_seconds_milliseconds_or_text(seconds: Any) -> None:
    """All of them are the same moment."""
    opened = Envelope(time="at").open(event({**RIDE, "at": seconds}))
    assert opened.time == 1795773600.0


@pytest.mark.parametrize(
    "text", ["yesterday", True, None, [1], "2026-11-27T12:00:00", 10**400, -(10**17)]
)
def test_what_is_no_time_leaves_the_brokers(text: Any) -> None:
    """Also where nobody can say which zone it is of."""
    assert Envelope(time="at").open(event({**RIDE, "at": text})).time == 1000.0


def test_a_structured_cloud_event_is_understood() -> None:
    """Data, id and time; data as base64 too."""
    attributes = {"specversion": "1.0", "id": "a1", "source": "/x", "type": "t",
                  "time": "2026-11-27T10:00:00Z"}  # fmt: skip
    assert Envelope().open(event(attributes | {"data": RIDE})) == Opened(RIDE, "a1", 1795773600.0)
    coded = base64.b64encode(json.dumps(RIDE).encode()).decode()
    assert Envelope().open(event(attributes | {"data_base64": coded})).record == RIDE


def test_a_binary_cloud_event_is_understood() -> None:
    """The value is the record, headers have the rest."""
    headers = [("ce_id", b"b2"), ("ce_time", b"2026-11-27T10:00:00Z"), ("ce_specversion", b"1.0")]
    opened = Envelope().open(event(RIDE, *headers))
    assert opened == Opened(json.dumps(RIDE).encode(), "b2", 1795773600.0)


def test_a_text_in_the_place_of_the_record_is_json_or_base64() -> None:
    """As Kinesis's own envelope has it."""
    plain = json.dumps(RIDE)
    for text in (plain, base64.b64encode(plain.encode()).decode()):
        value = {"kinesis": {"data": text}}
        assert Envelope("kinesis.data").open(event(value)).record == RIDE


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (None, NotJson, "no value"),
        (b"{", NotJson, "not JSON"),
        ({"data": {}}, InvalidRecords, "not of the form"),
        ({"data": {"ride": "%%"}}, InvalidRecords, "not of the form"),
        (b"x" * 200, TooLarge, "200 bytes"),
        ([1], InvalidRecords, "not of the form"),
    ],
    ids=["none", "half", "missing", "text", "large", "array"],
)
def test_what_cannot_be_opened_says_why(value: Any, kind: type[RequestError], words: str) -> None:
    """In the words of a request's refusal, and with the path that was looked for."""
    envelope = Envelope("data.ride", limits=Limits(max_body_bytes=100))
    given = event(value) if value is not None else replace(event(b""), value=None)
    with pytest.raises(kind, match=words) as raised:
        envelope.open(given)
    if kind is InvalidRecords:
        assert [line.field for line in raised.value.errors] == ["data.ride"]


def test_cloud_events_of_another_version_or_without_data_are_refused() -> None:
    """By the attribute that is wrong."""
    for value, field in (({"specversion": "0.3"}, "specversion"), ({"specversion": "1.0"}, "data")):
        with pytest.raises(InvalidRecords) as raised:
            Envelope().open(event(value))
        assert raised.value.errors[0].field == field
