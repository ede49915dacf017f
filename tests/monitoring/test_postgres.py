"""The store in PostgreSQL: the same answers, and several writers at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitoring.ingest import Ingest, Taken
from monitoring.kept import Keeper
from monitoring.store import Store
from scoring.models import discover
from tests.monitoring.support import BEGIN, lines, rides, write
from tests.monitoring.test_labels import truth
from tests.monitoring.test_report import DAY, until
from tests.scoring.registry.test_shared_server import postgres  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow

Run = Callable[..., Any]


def test_a_database_answers_as_a_file_does(monitoring: Run, request: pytest.FixtureRequest) -> None:
    """Every command, by the store's URL; four that read one file at once count it once."""
    url: str = request.getfixturevalue("postgres")
    made = [
        lines(rides(300, seed=day, factor=1 + day), BEGIN + day * DAY, first=day * 1000)
        for day in range(2)
    ]
    logs = [write(Path(f"{day}.jsonl"), some) for day, some in enumerate(made)]
    known = truth("t.parquet", made[1])
    taken: list[Taken] = []

    def read() -> None:
        taken.append(Ingest(Store(url), discover(), Keeper()).take(logs))

    Store(url)
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(one.rows for one in taken) == 600
    monitoring("profile", *logs)
    told = []
    for store in (url, "monitoring.db"):
        where = ("--store", store)
        came = monitoring("labels", known, "--key", "request_id", *where)
        assert "300 of 600 predictions kept have one" in came.out
        words = ("--until", until(2), "--against", "previous", *where)
        status = monitoring("report", "ride", *words, "--json", "r.json").status
        watched = monitoring("watch", "ride", *words, "--once").status
        answered = monitoring("who", "ride", "--request-id", "r1007", *where).out
        told.append((status, watched, answered, json.loads(Path("r.json").read_text())))
    assert told[0] == told[1]
    assert told[0][3]["realised"]["rows"] == 300


def test_a_database_that_is_away_is_one_line(monitoring: Run) -> None:
    """Without the password."""
    store = "postgresql+psycopg2://me:secret@127.0.0.1:9/monitoring"
    told = monitoring("report", "ride", "--store", store)
    assert (told.status, told.err.count("\n")) == (1, 1)
    assert "does not answer" in told.err
    assert "secret" not in told.err
