"""What asks for a run, and what speaks against it."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from monitoring.notify import signature as as_monitoring_signs
from pipeline.config import Watch
from pipeline.errors import PipelineError
from pipeline.limits import held_back
from pipeline.records import Runs
from pipeline.shared.store import DONE, WAITS, Store
from pipeline.triggers import clock, data, hook

SECRET = "sixteen letters or more"
NIGHT = datetime(2026, 3, 8, 4, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One with nothing in it."""
    return Store(str(tmp_path / "pipeline.db"))


def fired(store: Store, config: Watch, now: datetime) -> list[str]:
    """Return why it runs at a time."""
    before = len(store.events("ride"))
    clock.look(store, "ride", config, now)
    return [one.why for one in store.events("ride")[before:]]


def test_each_time_of_the_clock_fires_once(store: Store) -> None:
    """From the first look on; several that were missed are one."""
    daily = Watch(cron=("30 5 * * *",))
    assert fired(store, daily, NIGHT) == []
    assert fired(store, daily, NIGHT.replace(hour=5, minute=29)) == []
    assert fired(store, daily, NIGHT.replace(hour=5, minute=30)) == [
        "by the clock: 30 5 * * * (2026-03-08 05:30, UTC)"
    ]
    assert fired(store, daily, NIGHT.replace(hour=5, minute=31)) == []
    assert fired(store, daily, NIGHT + timedelta(days=40)) == [
        "by the clock: 30 5 * * * (2026-04-16 05:30, UTC)"
    ]
    assert fired(store, Watch(), NIGHT + timedelta(days=80)) == []


def test_times_are_those_of_the_time_zone(store: Store) -> None:
    """Also on the day on which the hour of it is left out."""
    york = Watch(cron=("30 2 * * *",), timezone="America/New_York")
    assert fired(store, york, NIGHT) == []
    assert fired(store, york, NIGHT.replace(hour=6, minute=59)) == []
    assert fired(store, york, NIGHT.replace(hour=7, minute=0)) == [
        "by the clock: 30 2 * * * (2026-03-08 03:00, America/New_York)"
    ]
    assert fired(store, york, NIGHT + timedelta(days=1, hours=2, minutes=31)) == [
        "by the clock: 30 2 * * * (2026-03-09 02:30, America/New_York)"
    ]


def test_a_clock_that_jumps_fires_nothing_twice(store: Store) -> None:
    """Set back by an hour, it waits until it is where it was; one that was years ahead is not
    believed any more."""
    hourly = Watch(cron=("0 * * * *",))
    fired(store, hourly, NIGHT)
    assert len(fired(store, hourly, NIGHT + timedelta(minutes=61))) == 1
    for minutes in (1, 30, 60):
        assert fired(store, hourly, NIGHT + timedelta(minutes=minutes)) == []
    assert len(fired(store, hourly, NIGHT + timedelta(minutes=121))) == 1
    assert len(fired(store, hourly, NIGHT + timedelta(days=3650))) == 1
    assert fired(store, hourly, NIGHT + timedelta(minutes=122)) == []
    assert len(fired(store, hourly, NIGHT + timedelta(minutes=181))) == 1


def runs_that_ended(*days: float) -> list[dict[str, Any]]:
    """Return runs that ended so many days before the night."""
    return [{"finished": (NIGHT - timedelta(days=back)).isoformat()} for back in days]


def test_it_cools_down_and_runs_so_often_a_week(store: Store) -> None:
    """Until when, and by which limit, is said; what a wrong clock wrote blocks nothing."""
    config = Watch(cooldown_minutes=60, max_a_week=2)
    assert held_back(runs_that_ended(), config, NIGHT) is None
    assert held_back(runs_that_ended(1 / 48), config, NIGHT) == (
        "cools down until 2026-03-08 04:30 UTC (cooldown_minutes)"
    )
    assert held_back(runs_that_ended(-1 / 48), config, NIGHT) == (
        "cools down until 2026-03-08 05:00 UTC (cooldown_minutes)"
    )
    assert held_back(runs_that_ended(1, 8, 9), config, NIGHT) is None
    assert held_back(runs_that_ended(1, 3, 8), config, NIGHT) == (
        "2 runs finished within a week, 2 are allowed (max_a_week): not before 2026-03-12 04:00 UTC"
    )
    assert held_back(runs_that_ended(-400, -401, -402), config, NIGHT) is None
    assert held_back([{"finished": None}], config, NIGHT) is None


@pytest.mark.slow
def test_what_comes_twice_counts_once_and_old_answers_go(store: Store) -> None:
    """An event is known by what it is about; of those that were answered the last ones stay."""
    assert store.add_event("ride", "data", "a", "why")
    assert not store.add_event("ride", "data", "a", "why")
    assert store.add_event("churn", "data", "a", "why")
    for number in range(250):
        store.add_event("ride", "data", str(number), "why")
    waiting = store.events("ride", state=WAITS)
    store.answer("ride", [one.id for one in waiting[:-1]], DONE, "run")
    assert len(store.events("ride")) == 200
    assert [one.state for one in store.events("ride")[-2:]] == [DONE, WAITS]
    assert len(store.events("churn")) == 1


def test_new_rows_are_those_that_no_run_had(tmp_path: Path) -> None:
    """All of a new file, what a file has grown by, nothing of one that shrank or is no table."""
    runs = Runs(tmp_path / "runs", "ride")
    runs.make()

    def count(**rows: int) -> int:
        inputs = []
        for name, number in rows.items():
            path = tmp_path / f"{name}.csv.gz"
            path.write_bytes(gzip.compress(b"a\n" + b"1\n" * number))
            inputs.append({"file": str(path), "sha256": f"{name}{number}"})
        found = data.new_rows(inputs, runs)
        record = runs.begin("plan", "why", inputs, "code")
        runs.end(record, "promoted", "said")
        return found

    assert count(a=10, b=5) == 15
    assert count(a=10, b=5) == 0
    assert count(a=10, b=8, c=4) == 7
    assert count(a=10, b=2) == 0
    broken = tmp_path / "x.parquet"
    broken.write_bytes(b"no Parquet")
    assert data.new_rows([{"file": str(broken), "sha256": "x"}], runs) == 0


@pytest.fixture
def address(store: Store) -> Any:
    """The address of a server that takes webhooks for rides."""

    def take(path: str, headers: Any, body: bytes) -> tuple[int, str]:
        return hook.taken(store, ["ride"], SECRET, path, headers, body)

    server = hook.listen("127.0.0.1", 0, take)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def send(
    address: str, body: Any, *, sender: str = "Pipeline", delivery: str = "d1", old_s: int = 0,
    secret: str = SECRET,
) -> tuple[int, str]:  # fmt: skip
    """Send a webhook and return the answer."""
    content, sent = json.dumps(body).encode(), str(int(time.time()) - old_s)
    headers = {
        f"X-{sender}-Delivery-Id": delivery, f"X-{sender}-Timestamp": sent,
        f"X-{sender}-Signature": as_monitoring_signs(secret, delivery, sent, content),
    }  # fmt: skip
    answer = requests.post(address, data=content, headers=headers, timeout=10)
    return answer.status_code, answer.json()["detail"]


@pytest.mark.slow
def test_a_signed_webhook_is_a_reason(address: str, store: Store) -> None:
    """Ours, monitoring's and MLflow's, each once, with what they say."""
    assert send(f"{address}/ride", {"why": "a new\ntariff"}) == (202, "taken")
    assert send(f"{address}/ride", {"why": "a new tariff"})[0] == 200
    alarm = {"state": "alarm", "findings": [{"sentence": "trip_distance is 61% higher"}]}
    assert send(f"{address}/ride", alarm, sender="Monitoring", delivery="d2")[0] == 202
    event = {"entity": "model_version", "event": "x"}
    assert send(f"{address}/ride", event, sender="MLflow", delivery="d3")[0] == 202
    assert send(f"{address}/ride", [1], delivery="d4")[0] == 202
    assert [one.why for one in store.events("ride")] == [
        "webhook of pipeline: a new tariff",
        "webhook of monitoring: alarm: trip_distance is 61% higher",
        "webhook of mlflow: x",
        "webhook of pipeline: no reason",
    ]


def test_what_is_not_signed_by_us_is_refused(
    address: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is kept."""
    url = f"{address}/ride"
    assert send(url, {}, secret="another secret of ours")[0] == 401
    assert send(url, {}, old_s=600) == (401, "the delivery is not of the last 300 seconds")
    assert send(f"{address}/rides", {})[0] == 404
    assert requests.post(url, data=b"{}", timeout=10).status_code == 401
    assert requests.post(url, data=b"x" * 70_000, timeout=10).status_code == 413
    assert store.events("ride") == []

    def away(*_: object) -> None:
        raise PipelineError("the store does not answer")

    monkeypatch.setattr(store, "add_event", away)
    assert send(url, {}) == (503, "the database is away: send it again")
