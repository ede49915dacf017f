"""`monitoring report`: sentences first, the files, the exit status."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scoring.models import discover
from tests.monitoring.support import BEGIN, DIGEST, lines, rides, write
from tests.support import write_artifact
from tests.training.support import RIDE, data_of, silent
from training.run import train

Run = Callable[..., Any]
DAY = timedelta(days=1)


def log(monitoring: Run, day: int, rows: int = 2000, **shift: float) -> None:
    """Count a day of rides."""
    made = lines(rides(rows, seed=day + 1, **shift), BEGIN + day * DAY, first=day * 100_000)
    monitoring("profile", write(Path(f"{day}.jsonl"), made))


def until(day: int) -> str:
    return f"{BEGIN + day * DAY:%Y-%m-%dT%H:%M}"


def previous(monitoring: Run, day: int, *more: str) -> Any:
    return monitoring("report", "ride", "--until", until(day), "--against", "previous", *more)


@pytest.mark.slow
def test_nothing_changed_is_quiet(monitoring: Run) -> None:
    """Status 0, and a sentence that says so."""
    for day in (0, 1, 2):
        log(monitoring, day)
    told = previous(monitoring, 3)
    assert told.status == 0
    assert "- Nothing changed that is more than chance." in told.out
    head = "2000 predictions from 2026-11-04 00:00 to 2026-11-05 00:00 UTC, against the 24 hours"
    assert head in told.out


@pytest.mark.slow
def test_a_shift_is_a_warning_and_in_two_windows_an_alarm(monitoring: Run) -> None:
    """Against the same weekday of before; what changed most comes first."""
    for day in (0, 1, 7, 8):
        log(monitoring, day, factor=1.609 if day > 6 else 1.0)
    words = ("report", "ride", "--against", "same-weekday", "--until")
    told = monitoring(*words, until(8))
    assert told.status == 10
    assert re.search(r"- WARNING: trip_distance is \d\d% higher on average", told.out)
    told = monitoring(*words, until(9))
    assert told.status == 20
    assert "; so it was in the window before" in told.out


@pytest.mark.slow
def test_new_zones_are_named(monitoring: Run) -> None:
    """Some rides from places that nobody knew."""
    log(monitoring, 0)
    log(monitoring, 1, zones=0.05)
    told = previous(monitoring, 2)
    assert re.search(r"WARNING: PULocationID has 5 new values in [456]\.\d% of the rows", told.out)


@pytest.mark.slow
def test_too_few_rows_say_so(monitoring: Run) -> None:
    """And are no drift."""
    log(monitoring, 0)
    log(monitoring, 1, rows=30, miles=50)
    told = previous(monitoring, 2)
    assert (told.status, "too few rows: 30; 50 are needed" in told.out) == (0, True)


@pytest.mark.slow
def test_odd_ids_and_clocks_are_a_warning(monitoring: Run) -> None:
    """More than one in a hundred that came before in the file, or are of the future; fewer are
    none."""
    words = ("report", "ride", "--against", "previous", "--until")
    made = lines(rides(300))
    for place in range(2):
        made[place + 10]["request_id"] = made[place]["request_id"]
    monitoring("profile", write(Path("few.jsonl"), made))
    assert monitoring(*words, until(1)).status == 0
    made = lines(rides(300), BEGIN + DAY, first=1000)
    for place in range(20):
        made[place + 100]["request_id"] = made[place]["request_id"]
    monitoring("profile", write(Path("many.jsonl"), made))
    told = monitoring(*words, until(2))
    assert told.status == 10
    assert "WARNING: 6.7% of the predictions have an id that came before in the same" in told.out
    ahead = lines(rides(300), BEGIN + 40000 * DAY, first=5000)
    monitoring("profile", write(Path("ahead.jsonl"), ahead))
    told = monitoring(*words, until(40001), "--metrics-file", "m.prom")
    assert "WARNING: 100.0% of the predictions are of the future: a clock is ahead" in told.out
    assert 'model_data_future_ratio{model="ride"} 1.0' in Path("m.prom").read_text()


@pytest.mark.slow
def test_silence_is_an_alarm(monitoring: Run) -> None:
    """Where the days before would have had predictions at this time."""
    for day in range(4):
        log(monitoring, day, rows=480)
    later = f"{BEGIN + 4 * DAY + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    told = monitoring("report", "ride", "--against", "previous", "--until", later)
    assert told.status == 20
    assert "ALARM: no predictions for 3 h, usual are 60" in told.out
    assert "no predictions of 'churn' are known" in monitoring("report", "churn").out


@pytest.mark.slow
def test_predictions_of_this_hour_are_not_denied(monitoring: Run) -> None:
    """An hour counts once it is over: the report says how to include it, and that words work."""
    log(monitoring, 0, rows=100)
    early = monitoring("report", "ride", "--until", f"{BEGIN:%Y-%m-%dT%H:%M}").out
    [found] = re.findall(
        r"no predictions of 'ride' are known before .*, 100 since: (--until \S+)", early
    )
    assert "100 predictions from" in monitoring("report", "ride", *found.split()).out


@pytest.mark.slow
def test_the_training_is_compared_with(monitoring: Run, tmp_path: Path) -> None:
    """Its profile comes from the artifact in MODELS_DIR; of another version nothing is known."""
    manifest = train(silent(RIDE, data_of(RIDE, tmp_path), tmp_path / "models"))
    log(monitoring, 0)
    told = monitoring("report", "ride", "--until", until(1))
    assert "no profile of the version's training is known" in told.out
    made = lines(rides(2000), BEGIN + DAY, first=10**6, digest=manifest.sha256, version="4")
    monitoring("profile", write(Path("new.jsonl"), made))
    told = monitoring("report", "ride", "--until", until(2))
    assert told.status == 10
    assert "against the training of version" in told.out
    assert re.search(r"RMSE is expected at [\d.e-]+ \+- [\d.e-]+, was [\d.e-]+ on", told.out)


@pytest.mark.slow
def test_the_files_say_the_same(monitoring: Run) -> None:
    """JSON, Markdown as printed, one small page that needs nothing else, metrics."""
    log(monitoring, 0)
    log(monitoring, 1, factor=1.609)
    told = previous(
        monitoring, 2, "--json", "r.json", "--html", "r.html", "--markdown", "r.md",
        "--metrics-file", "r.prom",
    )  # fmt: skip
    found = json.loads(Path("r.json").read_text())
    assert (found["state"], found["window"]["rows"]) == ("warning", 2000)
    assert Path("r.md").read_text() == told.out
    html = Path("r.html").read_text()
    assert len(html) < 300_000
    assert not re.search(r"(src|href)=|<script|url\(", html)
    assert found["findings"][0]["sentence"] in html
    families = {f.name: f for f in text_string_to_metric_families(Path("r.prom").read_text())}
    drift = {s.labels["field"]: s.value for s in families["model_drift"].samples}
    limits = {s.labels["field"]: s.value for s in families["model_drift_threshold"].samples}
    assert drift["trip_distance"] > 10 * limits["trip_distance"]
    assert drift["DOLocationID"] < limits["DOLocationID"]
    assert families["model_monitoring_state"].samples[0].value == 10


@pytest.mark.slow
def test_what_a_log_holds_is_text_on_the_page(monitoring: Run) -> None:
    """A version's name is no markup."""
    made = lines(rides(100), version="<img src=x>")
    monitoring("profile", write(Path("a.jsonl"), made))
    previous(monitoring, 1, "--html", "r.html")
    assert "<img" not in Path("r.html").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [(["tips"], f"no model 'tips'; there are {', '.join(discover())}"),
     (["ride", "--window", "1y"], "as 24h, 7d, 4w"), (["ride", "--until", "soon"], "a time as")],
    ids=["model", "window", "until"],
)  # fmt: skip
def test_wrong_usage_is_one_line(monitoring: Run, words: list[str], says: str) -> None:
    """Status 2."""
    told = monitoring("report", *words)
    assert (told.status, says in told.err) == (2, True)


def test_one_version_alone_is_reported(monitoring: Run, tmp_path: Path) -> None:
    """By its name or its artifact; what is left out is said, also where that is everything."""
    rows = {"3": 200, "4": 100}
    manifest = write_artifact(discover()["ride"], tmp_path / "built")
    digests = {"3": manifest.sha256, "4": DIGEST}
    for first, (version, many) in enumerate(rows.items()):
        made = lines(rides(many), first=first * 1000, version=version, digest=digests[version])
        monitoring("profile", write(Path(f"{version}.jsonl"), made))
    words = ("report", "ride", "--until", until(1), "--against", "previous", "--model")
    told = monitoring(*words, "4", "--json", "r.json", "--html", "r.html")
    said = "100 predictions of version 4 from 2026-11-02 00:00 to 2026-11-03 00:00 UTC. 200 of"
    assert (told.status, f"{said} other versions are left out." in told.out) == (0, True)
    assert said in Path("r.html").read_text()
    window = json.loads(Path("r.json").read_text())["window"]
    assert (window["only"], window["left_out"], window["versions"]) == ("4", 200, {"4": 100})
    watched = ("watch", *words[2:], "4", "--once", "--reports", "out")
    assert monitoring(*watched, "ride").status == 0
    assert json.loads(Path("out/ride.json").read_text())["window"]["only"] == "4"
    told = monitoring(*watched)
    assert (told.status, "--model is a version of one model" in told.err) == (2, True)
    folder = str(tmp_path / "built" / "ride")
    told = monitoring(*words, folder)
    assert f"200 predictions of version {manifest.version} from" in told.out
    later = monitoring("report", "ride", "--until", until(2), "--model", "4")
    assert "no prediction is of version" not in later.out
    monitoring("profile", write(Path("5.jsonl"), lines(rides(60), BEGIN + DAY, first=9000)))
    later = monitoring("report", "ride", "--until", until(2), "--model", "4")
    assert (later.status, "WARNING: no prediction is of version 4" in later.out) == (10, True)


def test_a_version_that_is_not_there_is_one_line(monitoring: Run, tmp_path: Path) -> None:
    """It names those that are."""
    log(monitoring, 0, rows=60)
    for name in ("ride", "churn"):
        write_artifact(discover()[name], tmp_path / "built")
    folder = str(tmp_path / "built" / "ride")
    for which, status, says in (
        ("7", 2, "--model 7: the store has no such version of 'ride'; it has 3"),
        (folder, 1, "of which the store has no predictions; it has 3"),
        (str(tmp_path / "built" / "churn"), 2, "is a model of 'churn', not ride"),
        (str(tmp_path / "none"), 1, "cannot be read: No such file or directory"),
        ("models:/ride", 2, "names no version: write models:/NAME@ALIAS"),
    ):
        told = monitoring("report", "ride", "--model", which)
        assert (told.status, says in told.err, told.err.count("\n")) == (status, True, 1)
    told = monitoring("report", "churn", "--model", "7")
    assert "it has none yet: `profile` reads logs" in told.err
