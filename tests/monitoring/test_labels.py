"""`monitoring labels`: truth joins whenever it comes, and makes the realised performance."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitoring.outcomes import outcomes
from monitoring.store import Store
from monitoring.truths import table_of
from scoring.models import discover
from tests.monitoring.support import BEGIN, line, lines, rides, write
from tests.training.support import CHURN, RIDE, data_of, silent
from training.run import train

Run = Callable[..., Any]
DAY = timedelta(days=1)
ALWAYS = 0, 1 << 30


def truth(path: str, made: list[dict[str, Any]], off: float = 1.0, seed: int = 5) -> Path:
    """Write a truth for each line: its score, off by a deviation."""
    error = np.random.default_rng(seed).normal(0, off, len(made))
    rows = {"request_id": [one["request_id"] for one in made],
            "actual": [one["score"] - e for one, e in zip(made, error, strict=True)]}  # fmt: skip
    pq.write_table(pa.table(rows), path)
    return Path(path)


def reported(monitoring: Run, days: int, *more: str) -> tuple[int, dict[str, Any], str]:
    until = f"{BEGIN + days * DAY:%Y-%m-%dT%H:%M}"
    told = monitoring("report", "ride", "--until", until, "--against", "previous", "--json",
                      "r.json", "--html", "r.html", *more)  # fmt: skip
    return told.status, json.loads(Path("r.json").read_text()), told.out


def by_name(metrics: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["metric"]: one for one in metrics}


@pytest.mark.slow
@pytest.mark.parametrize("first", ["truth", "log"])
def test_truth_joins_whichever_comes_first(monitoring: Run, first: str) -> None:
    """After the raw log is gone, and before it has come."""
    made = lines(rides(1000))
    log = write(Path("a.jsonl"), made)
    known = truth("t.parquet", made[:900], off=2.0)
    words = {"truth": ("labels", known, "--key", "request_id", "--model", "ride"),
             "log": ("profile", log)}  # fmt: skip
    monitoring(*words.pop(first))
    if first == "log":
        log.unlink()
    told = monitoring(*words.popitem()[1])
    if first == "log":
        assert told.out == ("900 truths of 1 files; 900 of 1000 predictions kept have one by "
                            "request_id\n")  # fmt: skip
    _, found, out = reported(monitoring, 1)
    real = found["realised"]
    assert (real["rows"], real["of"]) == (900, 1000)
    rmse = by_name(real["metrics"])["rmse"]
    assert rmse["low"] < 2.0 < rmse["high"]
    assert (rmse["kind"], rmse["value"]) == ("realised", pytest.approx(2.0, abs=0.15))
    assert "The truth of 900 of 1000 predictions is known: RMSE is" in out
    assert "How good it was" in Path("r.html").read_text()


@pytest.mark.slow
def test_a_correction_takes_the_place_of_what_came_before(monitoring: Run, store: Store) -> None:
    """Within a file and over files; a file that comes twice is taken once."""
    made = lines(rides(3))
    monitoring("profile", write(Path("a.jsonl"), made))
    ids = ["r0", "r1", "r1"]
    pq.write_table(pa.table({"request_id": ids, "actual": [1.0, 2.0, 3.0]}), "a.parquet")
    Path("b.csv").write_text("request_id,actual\nr0,7\nr2,8\n")
    for name in ("a.parquet", "b.csv"):
        monitoring("labels", name, "--key", "request_id")
    told = monitoring("labels", "a.parquet", "--key", "request_id")
    assert told.out.startswith("0 truths of 1 files; 1 files were known already; 3 of 3")
    found = outcomes(store, "ride", *ALWAYS)
    assert found is not None
    assert found.actual.tolist() == [7.0, 3.0, 8.0]


def test_an_array_is_told_apart_by_the_index(monitoring: Run, store: Store) -> None:
    """A request of several records has one id."""
    some = rides(3)
    made = [line(one, 0, BEGIN, index=place) for place, one in enumerate(some)]
    monitoring("profile", write(Path("a.jsonl"), made))
    Path("t.csv").write_text("request_id,index,actual\nr0,2,20\nr0,,5\n")
    told = monitoring("labels", "t.csv", "--key", "request_id")
    assert "2 of 3 predictions kept have one" in told.out
    found = outcomes(store, "ride", *ALWAYS)
    assert found is not None
    assert found.known.actual.tolist() == [5.0, 20.0]


@pytest.mark.slow
def test_ids_are_joined_by_their_hash(
    monitoring: Run, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """Where they were kept so, with the same secret; no plain id is stored beside them."""
    monkeypatch.setenv("MONITORING_SECRET", "a secret of some length")
    made = lines(rides(10))
    for place, one in enumerate(made):
        one["ids"] = {"ride_id": f"x{place}"}
    monitoring("profile", write(Path("a.jsonl"), made), "--ids", "hash")
    Path("t.jsonl").write_text('{"ride_id": "x4", "actual": 9.5}\n')
    told = monitoring("labels", "t.jsonl", "--key", "ride_id")
    assert (told.status, "give --ids hash" in told.err) == (2, True)
    assert store.truths("ride") == []
    monitoring("labels", "t.jsonl", "--key", "ride_id", "--ids", "hash")
    told = monitoring("labels", write(Path("u.jsonl"), [{"request_id": "r5", "actual": 1}]),
                      "--key", "request_id", "--ids", "hash")  # fmt: skip
    found = outcomes(store, "ride", *ALWAYS)
    assert found is not None
    assert found.known.actual.tolist() == [9.5, 1.0]
    kept = [content for _, content in store.truths("ride")]
    keys = [key for content in kept for key in table_of(content).column("key").to_pylist()]
    assert [key.startswith("hmac:") for key in keys] == [True, True]


@pytest.mark.slow
def test_a_class_has_words_for_its_truth(monitoring: Run, store: Store) -> None:
    """yes, no, 0, 1, true; the rest is left out and said."""
    example = discover()["churn"].example
    made = [line({**example, "trip_distance": 1}, place, BEGIN, model="churn", score=0.5,
                 features=example) for place in range(6)]  # fmt: skip
    monitoring("profile", write(Path("a.jsonl"), made))
    Path("t.csv").write_text("request_id,churn\nr0,Yes\nr1,no\nr2,1\nr3,TRUE\nr4,perhaps\n,1\n")
    told = monitoring("labels", "t.csv", "--key", "request_id")
    assert "1 rows left out: no yes, no, true, false, 1 or 0" in told.out
    found = outcomes(store, "churn", *ALWAYS)
    assert found is not None
    assert found.known.actual.tolist() == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.slow
def test_a_class_is_reported_at_its_training_s_threshold(monitoring: Run, tmp_path: Path) -> None:
    """AUC, Brier score, calibration, confusion; the words of the page, too."""
    manifest = train(silent(CHURN, data_of(CHURN, tmp_path), tmp_path / "models", threshold=0.3))
    random = np.random.default_rng(2)
    example = discover()["churn"].example
    scores = random.random(400).round(6)
    made = [line({"trip_distance": 1}, place, BEGIN, model="churn", score=float(score),
                 features=example, digest=manifest.sha256)
            for place, score in enumerate(scores)]  # fmt: skip
    monitoring("profile", write(Path("a.jsonl"), made))
    actual = random.random(400) < scores
    pq.write_table(
        pa.table({"request_id": [one["request_id"] for one in made], "actual": actual}), "t.parquet"
    )
    monitoring("labels", "t.parquet", "--key", "request_id")
    told = monitoring("report", "churn", "--until", "2026-11-03T00:00", "--json", "r.json",
                      "--html", "r.html")  # fmt: skip
    real = json.loads(Path("r.json").read_text())["realised"]
    assert real["threshold"] == 0.3
    assert real["confusion"]["true_positive"] == int(((scores >= 0.3) & actual).sum())
    assert {"auc", "brier", "accuracy", "precision", "recall"} <= by_name(real["metrics"]).keys()
    assert len(real["calibration"]) == 10
    assert "At the threshold 0.3:" in told.out
    assert "was said" in Path("r.html").read_text()
    later = [{**one, "time": (BEGIN + DAY).isoformat(), "request_id": f"l{place}"}
             for place, one in enumerate(made[:100])]  # fmt: skip
    monitoring("profile", write(Path("b.jsonl"), later))
    told = monitoring("report", "churn", "--until", "2026-11-04T00:00", "--json", "r.json",
                      "--html", "r.html")  # fmt: skip
    found = json.loads(Path("r.json").read_text())
    assert found["realised"] is None
    assert sum(found["expected_confusion"].values()) == 100
    names = [one["metric"] for one in found["performance"]]
    assert [one["metric"] for one in found["past_estimates"]] == names
    assert {"brier", "auc", "accuracy", "recall"} <= set(names)
    assert "| AUC | " in told.out
    assert "(1 windows) |" in told.out
    assert "Expected at the threshold: " in told.out
    assert "past estimates were off by" in Path("r.html").read_text()


@pytest.mark.slow
def test_worse_than_before_is_a_warning_and_twice_an_alarm(monitoring: Run) -> None:
    """With the segment and the version that are to blame."""
    for day, off in enumerate((1, 1, 1, 2, 2)):
        made = lines(rides(1500, seed=day), BEGIN + day * DAY, first=day * 10_000,
                     version="3" if day < 4 else "4")  # fmt: skip
        monitoring("profile", write(Path(f"{day}.jsonl"), made))
        for one in made:
            if off == 2 and one["features"]["PULocationID"] == 41:
                one["score"] += 9
        monitoring("labels", truth(f"{day}.parquet", made, seed=day), "--key", "request_id")
    status, found, _ = reported(monitoring, 3)
    assert (status, found["realised"]["is_worse"]) == (0, False)
    status, found, out = reported(monitoring, 4)
    assert status == 10
    assert "WARNING: RMSE is" in out
    assert "in the windows before" in out
    worst = found["realised"]["segments"][0]
    assert (worst["by"], worst["name"]) == ("PULocationID", "41")
    assert "More off than all others" in out
    status, found, out = reported(monitoring, 5)
    assert status == 20
    assert "it was worse in the window before, too" in out
    assert [one["rows"] for one in found["realised"]["windows"]] == [1500] * 5
    assert "Window by window" in Path("r.html").read_text()
    told = monitoring("report", "ride", "--window", "5d", "--until", "2026-11-07", "--json",
                      "r.json")  # fmt: skip
    assert "By version" in told.out


@pytest.mark.slow
def test_estimates_are_shown_next_to_how_far_they_were_off(monitoring: Run, tmp_path: Path) -> None:
    """Those of the windows before, of the same rows."""
    manifest = train(silent(RIDE, data_of(RIDE, tmp_path), tmp_path / "models"))
    for day in range(3):
        made = lines(rides(500, seed=day), BEGIN + day * DAY, first=day * 1000,
                     digest=manifest.sha256)  # fmt: skip
        monitoring("profile", write(Path(f"{day}.jsonl"), made))
        monitoring("labels", truth(f"{day}.parquet", made, off=3.0, seed=day), "--key",
                   "request_id")  # fmt: skip
    told = monitoring("report", "ride", "--until", "2026-11-05", "--json", "r.json")
    [past] = json.loads(Path("r.json").read_text())["past_estimates"]
    assert (past["metric"], past["windows"]) == ("rmse", 2)
    assert past["bias"] == pytest.approx(-3.0, abs=0.5)  # the sample is learned by heart
    assert "Over the 2 windows before, such estimates were off by" in told.out
    assert "on the training's held-out rows" in told.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "words", "status", "says"),
    [("a,actual\n1,2\n", ["--key", "request_id"], 2, "no column 'request_id'; it has a, actual"),
     ("request_id,b\n1,2\n", ["--key", "request_id"], 2, "has no column 'actual'"),
     ("request_id,actual\n1,2\n", ["--key", "request_id", "--model", "tips"], 2, "there are"),
     ("request_id,actual\n1,2\n1\n", ["--key", "request_id"], 1, "cannot be read"),
     ("request_id,actual\n1,2\n", ["--key", "who"], 2, "has no column 'who'")],
    ids=["key", "actual", "model", "broken", "another key"],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    monitoring: Run, content: str, words: list[str], status: int, says: str
) -> None:
    """And nothing of the file is kept."""
    monitoring("profile", write(Path("a.jsonl"), lines(rides(5))))
    Path("t.csv").write_text(content)
    told = monitoring("labels", "t.csv", *words)
    assert (told.status, says in told.err) == (status, True), told.err
    assert told.err.count("\n") == 1


def test_several_models_are_to_be_named(monitoring: Run) -> None:
    """And a file of another kind says what is read."""
    Path("t.csv").write_text("request_id,actual\n1,2\n")
    told = monitoring("labels", "t.csv", "--key", "request_id")
    assert (told.status, "predictions of no model: say by --model" in told.err) == (2, True)
    Path("t.txt").write_text("x")
    told = monitoring("labels", "t.txt", "--key", "request_id", "--model", "ride")
    assert (told.status, ".parquet, .csv, .jsonl" in told.err) == (2, True)


@pytest.mark.slow
def test_truths_without_a_prediction_wait(monitoring: Run) -> None:
    """And it is said, since a wrong key looks the same."""
    monitoring("profile", write(Path("a.jsonl"), lines(rides(5))))
    Path("t.csv").write_text("ride_id,actual\n1,2\n")
    told = monitoring("labels", "t.csv", "--key", "ride_id")
    assert (told.status, "no prediction has such a ride_id" in told.err) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "with a broken line"])
@pytest.mark.parametrize("ids", ["plain", "hash", "none"])
def test_feedback_in_the_log_is_joined(
    monitoring: Run, store: Store, monkeypatch: pytest.MonkeyPatch, ids: str, broken: bool
) -> None:
    """As it stands between the predictions, the later over the earlier."""
    monkeypatch.setenv("MONITORING_SECRET", "a secret of some length")
    made = lines(rides(20))
    told = [
        {"schema": 1, "kind": "feedback", "time": made[0]["time"], "model": "ride",
         "request_id": f"r{place}", "index": 0, "actual": float(actual)}
        for place, actual in ((3, 1), (5, 2), (3, 7))
    ]  # fmt: skip
    if broken:
        told.append({**told[0], "actual": None})
    path = write(Path("a.jsonl"), [*made[:10], *told, *made[10:]])
    said = monitoring("profile", path, "--ids", ids).out
    assert said.startswith("20 predictions of 1 files")
    assert ("3 truths" in said) == (ids != "none")
    assert ("1 lines left out" in said) == broken
    found = outcomes(store, "ride", *ALWAYS)
    assert (None if found is None else found.known.actual.tolist()) == (
        None if ids == "none" else [7.0, 2.0]
    )
