"""`monitoring profile`: each prediction is counted once, in its hour, whatever the files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.cli import main as batch
from monitoring.store import Store
from scoring.observers.log_lines import Lines
from scoring.profiles.numbers import Numbers
from scoring.profiles.profile import Profile, add
from tests.batch.support import write_rides
from tests.monitoring.support import BEGIN, DIGEST, line, lines, rides, text, write
from training.predictionlog import main as to_parquet

Run = Callable[..., Any]
ALWAYS = 0, 1 << 30
FIRST = int(BEGIN.timestamp()) // 3600


def whole(store: Store, model: str = "ride") -> Profile:
    return add([hour.profile for hour in store.hours(model, *ALWAYS)])


def rows_by_hour(store: Store) -> list[int]:
    return [hour.profile.rows for hour in store.hours("ride", *ALWAYS)]


@pytest.mark.slow
def test_predictions_are_counted_in_their_hour(monitoring: Run, store: Store) -> None:
    """With zones as categories, and what was unseen."""
    made = lines(rides(480))
    made[7]["unseen"] = ["PU_DO=1_2"]
    assert monitoring("profile", write(Path("a.jsonl"), made)).out == "480 predictions of 1 files\n"
    hours = store.hours("ride", *ALWAYS)
    assert [(one.hour - FIRST, one.profile.rows) for one in hours] == [(h, 20) for h in range(24)]
    assert {(one.version, one.digest) for one in hours} == {("3", DIGEST)}
    found = whole(store)
    zones = [str(one["features"]["PULocationID"]) for one in made]
    assert found.fields["PULocationID"].as_json()["counts"] == {z: zones.count(z) for z in zones}
    assert found.score.total == pytest.approx(sum(one["score"] for one in made))
    assert found.tallies == {"unseen": 1}


@pytest.mark.slow
def test_a_file_is_counted_once(monitoring: Run, store: Store) -> None:
    """Under another name, too, and when it is read a second time."""
    path = write(Path("a.jsonl"), lines(rides(100)))
    monitoring("profile", path)
    path.rename("predictions.2026.jsonl")
    told = monitoring("profile", "predictions.2026.jsonl", ".")
    assert told.out == "0 predictions of 2 files; 2 files were known already\n"
    assert whole(store).rows == 100


@pytest.mark.slow
def test_a_log_that_has_grown_goes_on_where_it_was_left(monitoring: Run, store: Store) -> None:
    """A last line without its end is read once it has one; a copy cut elsewhere adds nothing."""
    made = text(lines(rides(100)))
    path = Path("predictions.jsonl")
    path.write_bytes(made[:-20])
    told = monitoring("profile", path)
    assert told.out.startswith("99 predictions")
    assert "1 last lines have no end yet" in told.out
    path.write_bytes(made)
    assert monitoring("profile", path).out.startswith("1 predictions")
    Path("cut.jsonl").write_bytes(b"".join(made.splitlines(keepends=True)[:50]))
    told = monitoring("profile", "cut.jsonl")
    assert told.out == "0 predictions of 1 files; 50 predictions were known already\n"
    assert whole(store).rows == 100


@pytest.mark.slow
def test_a_late_line_is_counted_in_the_hour_of_its_prediction(
    monitoring: Run, store: Store
) -> None:
    """Two files that overlap in time, the later hour first; within a file in any order."""
    made = lines(rides(240))
    monitoring("profile", write(Path("b.jsonl"), made[120:][::-1]))
    monitoring("profile", write(Path("a.jsonl"), made[:125]))
    assert whole(store).rows == 240
    by_hour = store.rows("ride", *ALWAYS)
    assert by_hour == {FIRST + hour: 10 for hour in range(24)}


def test_an_instant_is_one_whatever_its_time_zone(monitoring: Run, store: Store) -> None:
    """With an offset, with Z, and within a leap second."""
    records = rides(3)
    made = [line(records[n], n, BEGIN) for n in range(3)]
    made[0]["time"] = "2026-11-02T02:30:00.000000+02:00"
    made[1]["time"] = "2026-11-02T00:59:59Z"
    made[2]["time"] = "2026-11-02T00:59:60.500000+00:00"
    monitoring("profile", write(Path("a.jsonl"), made))
    assert store.rows("ride", *ALWAYS) == {FIRST: 3}


@pytest.mark.slow
def test_broken_lines_are_left_out_and_told(monitoring: Run, store: Store) -> None:
    """The others go on: half a line, another schema, none of ours, a text for a number."""
    made = text(lines(rides(20))).splitlines(keepends=True)
    made[3] = made[3][:50] + b"\n"
    made[5] = made[5].replace(b'"schema":1', b'"schema":7')
    made[8] = b'{"level": "info"}\n'
    made[9] = b"\n"
    made[11] = b'\xff\xfe{"schema":1}\n'
    made[13] = made[13].replace(b'"time":"2026', b'"time":"soon')
    made[14] = made[14].replace(b'"unseen":[]', b'"unseen":5')
    made[15] = made[15].replace(b'"index":0', b'"index":9223372036854775808')
    made[16] = (
        b'{"schema": 1, "kind": "feedback", "time": "2026-11-02", "model": "ride", '
        b'"request_id": "a", "index": 9223372036854775808, "actual": 1}\n'
    )
    Path("a.jsonl").write_bytes(b"".join(made))
    told = monitoring("profile", "a.jsonl")
    assert told.status == 0
    assert told.out == (
        "11 predictions of 1 files; 5 lines left out: no line of a prediction log; 2 lines left "
        "out: not JSON; 1 lines left out: schema 7, which is not known here\n"
    )
    assert whole(store).rows == 11


@pytest.mark.slow
def test_fifty_versions_and_two_models_in_one_file(monitoring: Run, store: Store) -> None:
    """Each is told apart; a model that is not known here is left out with a word."""
    made = lines(rides(200))
    for place, one in enumerate(made):
        one |= {"version": str(place % 50), "digest": f"{place % 50:064d}"}
    made += [{**one, "model": "tips"} for one in lines(rides(3), first=900)]
    told = monitoring("profile", write(Path("a.jsonl"), made))
    assert told.out == (
        "200 predictions of 1 files; 3 of the model 'tips', which is not known here, left out\n"
    )
    versions = {(one.version, one.digest) for one in store.hours("ride", *ALWAYS)}
    assert len(versions) == 50
    assert whole(store).rows == 200


@pytest.mark.slow
def test_hashed_and_omitted_fields(monitoring: Run, store: Store) -> None:
    """A hashed number is hidden, a hashed zone is counted under its hash, what is left out is not
    there; and lines from before that go on beside them."""
    formatter = Lines(["DOLocationID"], ["PULocationID", "trip_distance"], "s" * 16)
    made = lines(rides(40))
    for one in made[20:]:
        one["features"] = formatter._features(one["features"])
    monitoring("profile", write(Path("a.jsonl"), made))
    found = whole(store)
    miles, zones = found.fields["trip_distance"], found.fields["PULocationID"]
    assert isinstance(miles, Numbers)
    assert (miles.count, miles.hidden) == (20, 20)
    assert (zones.count, zones.hidden) == (40, 20)
    assert found.fields["DOLocationID"].count == 20


@pytest.mark.slow
def test_compressed_and_converted_logs(monitoring: Run, store: Store) -> None:
    """`.jsonl.gz`, and Parquet as `training.predictionlog` makes it: the same predictions once."""
    made = lines(rides(50))
    write(Path("a.jsonl"), made)
    assert to_parquet(["a.jsonl", "--output", "a.parquet"]) == 0
    Path("a.jsonl.gz").write_bytes(gzip.compress(text(made)))
    assert monitoring("profile", "a.jsonl.gz").out.startswith("50 predictions")
    told = monitoring("profile", "a.parquet")
    assert "50 predictions were known already" in told.out
    assert whole(store).rows == 50


@pytest.mark.slow
def test_a_batch_and_its_log(
    monitoring: Run, store: Store, models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch's output is read as a log is; so are the lines of its `--log`."""
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    source = write_rides(tmp_path / "in.parquet", 500)
    assert batch(["ride", str(source), "--output", "scored", "--log", "log.jsonl"]) == 0
    assert monitoring("profile", "log.jsonl").out.startswith("500 predictions")
    logged = whole(store)
    assert monitoring("profile", "scored", "--store", "other.db").out.startswith("500 predictions")
    scored = whole(Store("other.db"))
    assert scored.fields == logged.fields
    assert scored.score.cells == logged.score.cells
    assert scored.tallies == logged.tallies


@pytest.mark.slow
def test_a_kill_leaves_all_of_a_file_or_nothing(
    monitoring: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command counts it then, once."""
    path = write(Path("a.jsonl"), lines(rides(60)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("monitoring.store.Writing.add_file", killed)
        with pytest.raises(KeyboardInterrupt):
            monitoring("profile", path)
    assert store.span("ride") is None
    assert monitoring("profile", path).out.startswith("60 predictions")


def test_the_future_and_repeated_ids_are_tallied(monitoring: Run, store: Store) -> None:
    """A clock that is ahead, a caller that sends an id twice."""
    made = lines(rides(10), BEGIN + timedelta(days=36500))
    made += [*lines(rides(4), first=100), line(rides(1)[0], 100, BEGIN + timedelta(minutes=1))]
    monitoring("profile", write(Path("a.jsonl"), made))
    assert whole(store).tallies == {"future": 10, "again": 1}


@pytest.mark.slow
def test_ids_can_be_hashed_or_not_kept(
    monitoring: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the secret the option is refused; copies are found by the hashes, too."""
    path = write(Path("a.jsonl"), lines(rides(10)))
    assert monitoring("profile", path, "--ids", "hash").status == 2
    monkeypatch.setenv("MONITORING_SECRET", "s" * 16)
    assert monitoring("profile", path, "--ids", "hash").out.startswith("10 predictions")
    assert b"r1" not in store.predictions("ride", *ALWAYS)[0].content
    write(Path("b.jsonl"), lines(rides(10))[:5])
    assert (
        "5 predictions were known already" in monitoring("profile", "b.jsonl", "--ids", "hash").out
    )
    monitoring("profile", path, "--ids", "none", "--store", "other.db")
    assert Store("other.db").predictions("ride", *ALWAYS) == []


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [(["nowhere.jsonl"], 2, "nowhere.jsonl: there is no file"),
     (["broken.parquet"], 1, "broken.parquet is no prediction log"),
     (["bare.parquet"], 1, "name it by --model"),
     (["a.jsonl", "--store", "nothing://x"], 2, "a file's name or a URL"),
     (["a.jsonl", "--store", "no/such/folder.db"], 1, "does not answer"),
     (["a.jsonl", "--model", "tips"], 2, "there are ride, churn")],
    ids=["missing", "broken", "unnamed", "url", "folder", "model"],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(
    monitoring: Run, words: list[str], status: int, says: str
) -> None:
    """What was seen, and what to do."""
    write(Path("a.jsonl"), lines(rides(3)))
    Path("broken.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"x": [1.0]}), "bare.parquet")
    told = monitoring("profile", *words)
    assert told.status == status
    assert says in told.err
    assert told.err.count("\n") == 1
