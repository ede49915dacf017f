"""A report's sentences name the day since when, and the segment that changed most."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitoring.compare import compare
from monitoring.since import most_in, since
from monitoring.store import Store
from monitoring.windows import Reference, window
from scoring.profiles.numbers import Numbers
from scoring.profiles.performance import Errors, Performance
from scoring.profiles.profile import Profile
from tests.monitoring.support import BEGIN, lines, rides, write
from tests.monitoring.test_report import DAY, until

Run = Callable[..., Any]
FIRST = int(BEGIN.timestamp()) // 3600


def log(monitoring: Run, days: int, changed: int, *more: str, everywhere: bool = False) -> None:
    """Count days of rides; from one on, trips from zone 74, or all, take half as long again."""
    made = []
    for day in range(days):
        own = lines(rides(400, seed=day), BEGIN + day * DAY, first=day * 1000)
        for one in own:
            if day >= changed and (everywhere or one["features"]["PULocationID"] == 74):
                one["score"] *= 1.5
        made += own
    monitoring("profile", write(Path("log.jsonl"), made), *more)


def findings(monitoring: Run, day: int, *words: str) -> Any:
    monitoring("report", "ride", "--until", until(day), "--json", "r.json", *words)
    found = json.loads(Path("r.json").read_text())["findings"]
    return next((one for one in found if one["field"] == "prediction"), None)


@pytest.mark.slow
def test_a_sentence_names_the_day_and_the_segment(monitoring: Run) -> None:
    """In the middle of a window, too."""
    log(monitoring, 6, 4)
    found = findings(monitoring, 6, "--window", "3d", "--against", "previous")
    assert found["since"] == "2026-11-06"
    assert "; since Friday 2026-11-06; most in PULocationID 74 (" in found["sentence"]
    assert (found["most_in"]["field"], found["most_in"]["name"]) == ("PULocationID", "74")
    assert found["most_in"]["now"] > 1.15 * found["most_in"]["before"]


@pytest.mark.slow
def test_no_segment_is_named_where_all_changed_alike(monitoring: Run) -> None:
    """Nor where nothing of the predictions is kept; the day is known all the same."""
    log(monitoring, 2, 1, everywhere=True)
    found = findings(monitoring, 2, "--against", "previous")
    assert (found["since"], "most_in" in found) == ("2026-11-03", False)
    Path("monitoring.db").unlink()
    log(monitoring, 2, 1, "--ids", "none")
    found = findings(monitoring, 2, "--against", "previous")
    assert (found["since"], "most_in" in found) == ("2026-11-03", False)


@pytest.mark.slow
def test_a_change_of_before_all_that_is_known_says_so(monitoring: Run, store: Store) -> None:
    """Next to a training, of which the held-out rows tell the segments."""
    log(monitoring, 2, 0)
    now = window(store, "ride", FIRST, FIRST + 48)
    assert now.profile
    shorter = Numbers.of(np.arange(1.0, 200.0) / 20, now.profile.score.scale)
    sums = {zone: Errors(100, 1000.0, 0, 0, 0, 0) for zone in ("41", "42", "74", "75", "166")}
    known = Performance(
        "validation", (), (Errors(500, 5000.0, 0, 0, 0, 0),), {"PULocationID": sums}
    )
    profile = Profile(model="ride", rows=500, fields={}, score=shorter, performance=known)
    trained = Reference("", profile, None, {})
    drift = next(one for one in compare(trained, now) if one.question == "drift")
    assert str(since(store, "ride", now, drift)) == "since Monday 2026-11-02 or before"
    most = most_in(store, "ride", now, trained)
    assert most is not None
    assert (most.field, most.name, most.before) == ("PULocationID", "74", 10.0)
