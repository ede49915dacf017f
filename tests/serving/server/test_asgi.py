"""`AsgiApp`: the fast path and Flask answer alike, and what is unusual goes to Flask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.models import Model
from serving.app import App, create_app
from serving.server.asgi import FAST_PATH_MAX_BYTES, QUICK_ARRAY_MAX_BYTES, AsgiApp
from serving.settings import Settings
from tests.serving.server.apps import JSON, MODELS, Both, ask, fast_path
from tests.support import records
from tests.support.loops import run


@pytest.mark.slow
def test_both_ways_answer_every_record_alike(both: Both, model: Model) -> None:
    """Valid records of each model, alone and as an array."""
    path = f"/predict/{model.name}".encode()
    rows = records(model)
    for row in rows:
        assert both.ask(json.dumps(row).encode(), JSON, path=path).status == 200
    found = both.ask(json.dumps(rows).encode(), JSON, path=path)
    assert len(found.json["predictions"]) == len(rows)


REQUESTS = sorted((Path(__file__).parents[2] / "requests").glob("*.http"))


@pytest.mark.slow
@pytest.mark.parametrize("file", REQUESTS, ids=lambda file: file.stem)
def test_both_ways_answer_the_body_of_every_request_of_the_suite_alike(
    both: Both, file: Path
) -> None:
    """Whatever stands behind the first blank line, posted as JSON."""
    body = file.read_bytes().partition(b"\n\n")[2]
    both.ask(body, JSON)
    both.ask(body, JSON, path=b"/predict/churn")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.slow
@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_ways_answer_whatever_is_sent_alike(both: Both, data: st.DataObject) -> None:
    """Records with fields exchanged for anything, any JSON at all, and any bytes."""
    name = data.draw(st.sampled_from(sorted(MODELS)))
    record = dict(MODELS[name].example)
    for field in data.draw(st.lists(st.sampled_from(sorted(record)), max_size=3)):
        record[field] = data.draw(VALUES)
    shapes = st.sampled_from([record, [record], [record, MODELS[name].example]])
    text = (shapes | VALUES).map(lambda value: json.dumps(value).encode())
    body = data.draw(text | st.binary(max_size=60))
    assert both.ask(body, JSON, path=f"/predict/{name}".encode()).status < 500


@pytest.mark.parametrize(
    "headers",
    [
        [JSON],
        [(b"content-type", b"application/json; charset=utf-8")],
        [JSON, (b"accept", b"*/*"), (b"user-agent", b"x"), (b"connection", b"keep-alive")],
    ],
    ids=["plain", "charset", "usual"],
)
def test_what_clients_send_is_answered_at_once(
    both: Both, headers: list[tuple[bytes, bytes]]
) -> None:
    """Without a thread."""
    body = json.dumps(MODELS["ride"].example).encode()
    found = fast_path(both.asgi, body, *headers)
    assert found is not None
    assert found.status == 200


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ([(b"content-type", b"text/plain")], {}),
        ([], {}),
        ([JSON, (b"content-encoding", b"gzip")], {}),
        ([JSON, (b"transfer-encoding", b"chunked")], {}),
        ([JSON, (b"expect", b"100-continue")], {}),
        ([JSON], {"query": b"explain=true"}),
        ([JSON], {"path": b"/predict/"}),
        ([JSON], {"path": b"/predict/%72ide"}),
        ([JSON], {"path": b"http://x/predict"}),
        ([JSON], {"method": "PUT"}),
    ],
    ids=["type", "no type", "coding", "chunks", "expect", "query", "slash", "escaped",
         "absolute", "method"],
)  # fmt: skip
def test_what_is_unusual_is_answered_by_flask(
    both: Both, headers: list[tuple[bytes, bytes]], more: dict[str, Any]
) -> None:
    """And is answered there."""
    body = json.dumps(MODELS["ride"].example).encode()
    assert fast_path(both.asgi, body, *headers, **more) is None
    assert run(ask(both.asgi, body, *headers, **more)).status in {200, 404, 405, 415}


def test_a_large_array_is_answered_at_once_where_that_is_quick(both: Both) -> None:
    """One that is scored by column; another would keep the others waiting, and goes to Flask."""
    ride = dict(MODELS["ride"].example)
    plain = json.dumps([ride] * 400).encode()
    assert len(plain) > FAST_PATH_MAX_BYTES
    answer = fast_path(both.asgi, plain, JSON)
    assert answer is not None
    assert answer.status == 200
    assert len(both.ask(plain, JSON).json["predictions"]) == 400
    longer = [ride] * (QUICK_ARRAY_MAX_BYTES // len(json.dumps(ride)))
    assert fast_path(both.asgi, json.dumps(longer).encode(), JSON) is None
    assert len(both.ask(json.dumps(longer).encode(), JSON).json["predictions"]) == len(longer)


@pytest.mark.parametrize(
    ("record", "status"),
    [({"id": 7}, 200), ({"trip_distance": 1e9}, 422), ({"PULocationID": 74.0}, 200)],
    ids=["another key", "beyond", "spelling"],
)
def test_a_large_array_of_other_records_is_answered_by_flask(
    both: Both, record: dict[str, Any], status: int
) -> None:
    """What the quick way does not read, or would refuse."""
    rides = [*[dict(MODELS["ride"].example)] * 400, {**MODELS["ride"].example, **record}]
    body = json.dumps(rides).encode()
    assert fast_path(both.asgi, body, JSON) is None
    assert both.ask(body, JSON).status == status


def test_a_large_array_for_a_model_without_columns_is_answered_by_flask(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trees take longer for each record; so does a log that keeps ids which come along."""
    body = json.dumps([dict(MODELS["ride"].example)] * 400).encode()
    ride = both.asgi._predictors.get("ride")
    with monkeypatch.context() as patch:
        patch.setattr(ride, "_columns", None)
        assert fast_path(both.asgi, body, JSON) is None
    monkeypatch.setattr(both.asgi._observer, "wanted", ("id",))
    assert fast_path(both.asgi, body, JSON) is None


@pytest.mark.slow
def test_too_many_records_are_refused_on_the_quick_way_as_by_flask(app: App) -> None:
    """413, to the byte the same."""
    limits = Settings(access_log="off", max_records=300)
    few = Both(AsgiApp(create_app(limits, app.services.predictors)))
    body = json.dumps([dict(MODELS["ride"].example)] * 400).encode()
    answer = fast_path(few.asgi, body, JSON)
    assert answer is not None
    assert answer.status == few.ask(body, JSON).status == 413
    few.asgi._executor.close()


@pytest.mark.slow
def test_the_largest_body_is_the_same_on_the_fast_path(app: App) -> None:
    """MAX_BODY_BYTES counts below 16 KiB, too: one byte more is a 413, to which Flask sees."""
    limits = Settings(access_log="off", max_body_bytes=2000)
    small = Both(AsgiApp(create_app(limits, app.services.predictors)))
    record = json.dumps(MODELS["ride"].example).encode()
    fitting = fast_path(small.asgi, record.ljust(2000), JSON)
    assert fitting is not None
    assert fitting.status == 200
    assert fast_path(small.asgi, record.ljust(2001), JSON) is None
    assert small.ask(record.ljust(2001), JSON).status == 413
    small.asgi._executor.close()


@pytest.mark.slow
def test_both_ways_answer_alike_where_pages_of_other_sites_may_ask(app: App) -> None:
    """CORS_ORIGINS adds to the headers of every answer, with an Origin and without one."""
    site = Settings(access_log="off", cors_origins=("https://shop.example",))
    open_to_site = Both(AsgiApp(create_app(site, app.services.predictors)))
    body = json.dumps(MODELS["ride"].example).encode()
    assert fast_path(open_to_site.asgi, body, JSON) is not None
    assert dict(open_to_site.ask(body, JSON).headers)[b"Vary"] == b"Origin"
    asked = open_to_site.ask(body, JSON, (b"origin", b"https://shop.example"))
    assert dict(asked.headers)[b"Access-Control-Allow-Origin"] == b"https://shop.example"
    open_to_site.asgi._executor.close()


def test_a_fault_of_ours_is_answered_by_flask_and_is_a_500(
    both: Both, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Which logs it once and tells nothing."""

    def fail(*_args: Any, **_more: Any) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr("serving.http.reply.predict", fail)
    assert fast_path(both.asgi, b"{}", JSON) is None
    found = run(ask(both.asgi, b"{}", JSON))
    assert found.status == 500
    assert b"secret" not in found.body
    logged = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert logged == [ZeroDivisionError]
