"""The first day of a new champion, by monitoring's report."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitoring.ingest import Ingest
from monitoring.kept import Keeper
from monitoring.store import Store as Monitored
from pipeline import observe, publish
from pipeline import run as module
from pipeline.cli import main
from pipeline.config import Config, Watch
from pipeline.errors import PipelineError
from pipeline.reasons import Nothing
from pipeline.records import Record, Runs
from pipeline.run import Asked, run
from pipeline.shared.lease import Leases
from pipeline.shared.store import Store
from pipeline.triggers import monitored
from scoring.models import discover
from tests.monitoring.support import lines, write
from tests.pipeline.support import artifact, asked, copied, month, months, told
from training.evaluation import plots

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of neither run."""
    folder = tmp_path_factory.mktemp("third")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "draw", lambda *_: [])
        more = {"estimator": "ridge", "parameters": {"alpha": 1e4}, "force": True}
        return artifact(folder / "models", months(folder, 1), **more)


@pytest.fixture
def promoted(
    tmp_path: Path, good: Path, worse: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Asked, Store, list[Record]]:
    """A call whose second run has just promoted `good` over `worse`; what people were told."""
    told_of: list[Record] = []
    runs = Runs(tmp_path / "runs", "ride")
    runs.make()
    store = Store(str(tmp_path / "runs/pipeline.db"))
    environ = {
        "MODELS_DIR": str(tmp_path / "models"), "MONITORING_STORE": str(tmp_path / "m.db"),
    }  # fmt: skip
    call = asked(
        tmp_path, months(tmp_path, 3), runs=runs, environ=environ, tell=told_of.append,
        leases=Leases(store, runs.folder),
        config=Config(watch=Watch(monitoring="warning", monitoring_hours=1)),
    )  # fmt: skip
    monkeypatch.setattr(module, "fit", copied(worse))
    run(call)
    assert store.mark("ride", observe.MARK) is None  # nothing could come back
    monkeypatch.setattr(module, "fit", copied(good))
    call = replace(call, data=[*call.data, *months(tmp_path, 4)])
    assert run(call)["state"] == "promoted"
    told_of.clear()
    return call, store, told_of


def predicted(call: Asked, folder: Path, hours: list[int], *, miles: float = 1.0) -> datetime:
    """Count predictions of what serves, of some hours from the promotion on, and return the end of
    the last one."""
    assert call.leases is not None
    began = datetime.fromisoformat(call.leases.store.mark("ride", observe.MARK)["began"])
    began = began.replace(minute=0, second=0, microsecond=0)
    frame = month(2).sample(300, random_state=1)
    for hour in hours:
        records = [
            {"PULocationID": int(p), "DOLocationID": int(d), "trip_distance": float(m) * miles}
            for p, d, m in zip(
                frame["PULocationID"], frame["DOLocationID"], frame["trip_distance"], strict=True
            )
        ]
        manifest = json.loads((folder / "models/ride/manifest.json").read_bytes())
        made = lines(
            records, began + hour * HOUR, HOUR, first=hour * 1000, digest=manifest["sha256"],
            version=manifest["version"],
        )  # fmt: skip
        log = write(folder / f"{hour}-{np.random.default_rng().integers(2**60)}.jsonl", made)
        Ingest(Monitored(call.environ["MONITORING_STORE"]), discover(), Keeper()).take([log])
    return began + (max(hours) + 1) * HOUR


def test_an_alarm_brings_the_one_before_back(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, worse: Path, good: Path
) -> None:
    """Not before two whole windows are over; the run, its record and people hear why. It is not
    promoted again by itself."""
    call, store, people = promoted
    now = predicted(call, tmp_path, [1, 2], miles=4)
    assert "no alarm" in str(observe.look(call, store, now - HOUR))
    assert told(tmp_path / "models/ride") == told(good)
    said = str(observe.look(call, store, now))
    versions = [told(place)["version"] for place in (good, worse)]
    assert said.startswith(f"{versions[0]} was rolled back to {versions[1]}: ")
    assert "trip_distance is " in said
    assert "so it was in the window before" in said
    assert told(tmp_path / "models/ride") == told(worse)
    last = call.runs.all()[-1]
    assert (last["state"], last["said"]) == ("rolled back", said)
    assert [(one["state"], one["said"]) for one in people] == [("rolled back", said)]
    assert observe.look(call, store, now) is None
    assert store.finished("ride")[0]["state"] == "rolled back"
    with pytest.raises(Nothing, match="was rolled back"):
        run(call)
    assert store.finished("ride")[0]["state"] == "rolled back"


def test_what_its_predecessor_had_as_well_is_not_held_against_it(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, good: Path
) -> None:
    """The world had changed before it came."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [-3, -2, -1, 1, 2], miles=4)
    assert "no alarm" in str(observe.look(call, store, now))
    assert told(tmp_path / "models/ride") == told(good)


def test_a_quiet_day_ends_it(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, good: Path
) -> None:
    """The champion stays, and is not looked at any more."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [1, 2])
    assert "is observed since" in str(observe.look(call, store, now))
    said = observe.look(call, store, now + 24 * HOUR)
    assert said == f"{told(good)['version']} stays: no alarm in 24 hours"
    assert observe.look(call, store, now) is None


def test_a_champion_moved_by_hand_is_left_alone(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, third: Path
) -> None:
    """Whatever monitoring says."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [1, 2], miles=4)
    publish.copy(third, tmp_path / "models/ride")
    said = str(observe.look(call, store, now))
    assert said.endswith("it is left as it is")
    assert told(tmp_path / "models/ride") == told(third)
    assert observe.look(call, store, now) is None


def test_one_moved_at_the_very_moment_is_left_alone(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, third: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The last look is within the fence."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [1, 2], miles=4)
    alarm = observe._alarm

    def meanwhile(*given: Any) -> str:
        found = alarm(*given)
        publish.copy(third, tmp_path / "models/ride")
        return found

    monkeypatch.setattr(observe, "_alarm", meanwhile)
    assert "moved at this moment" in str(observe.look(call, store, now))
    assert told(tmp_path / "models/ride") == told(third)


def test_a_rollback_that_was_killed_is_noted_by_the_next_look(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, worse: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Between the move and the note."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [1, 2], miles=4)
    with monkeypatch.context() as broken:
        broken.setattr(observe, "_note", _killed)
        with pytest.raises(SystemExit):
            observe.look(call, store, now)
    assert told(tmp_path / "models/ride") == told(worse)
    assert "was rolled back to" in str(observe.look(call, store, now))
    assert call.runs.all()[-1]["state"] == "rolled back"


def _killed(*_: object) -> str:
    raise SystemExit


def test_where_nothing_can_come_back_it_says_so(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, third: Path
) -> None:
    """The copy of what served before is another, or gone."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [1, 2], miles=4)
    publish.copy(third, call.runs.before)
    with pytest.raises(PipelineError, match=r"has an alarm and cannot be rolled back here: "):
        observe.look(call, store, now)


def test_monitoring_is_a_trigger_once_a_day(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it found as the reason."""
    call, store, _ = promoted
    now = predicted(call, tmp_path, [-2])
    real = monitored.report_of
    ends = [int(now.timestamp()) // 3600]
    monkeypatch.setattr(monitored, "report_of", lambda one, hours: real(one, hours, ends[-1]))
    monitored.look(call, store)
    assert store.events("ride") == []
    predicted(call, tmp_path, [-1], miles=4)
    ends.append(ends[0] + 1)
    for _ in range(2):
        monitored.look(call, store)
    [event] = store.events("ride")
    assert event.why.startswith("warning of monitoring: trip_distance is ")
    other = replace(call, config=Config(watch=Watch(monitoring="alarm", monitoring_hours=1)))
    monitored.look(other, store)
    assert len(store.events("ride")) == 1
    away = {**call.environ, "MONITORING_STORE": "postgresql+psycopg2://x@127.0.0.1:9/m"}
    monkeypatch.undo()
    with pytest.raises(PipelineError, match="there is no report: the store"):
        monitored.look(replace(call, environ=away), store)


def test_the_command_looks_once(
    promoted: tuple[Asked, Store, list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Status 20 where it was rolled back; `status` tells of what is observed."""
    call, _, _ = promoted
    for name, value in call.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["status", "ride", "--html", "page.html"]) == 0
    assert " is observed since 20" in (out := capsys.readouterr().out)
    assert out.splitlines()[1] in (tmp_path / "page.html").read_text()
    assert main(["observe", "ride"]) == 0
    assert "no alarm" in capsys.readouterr().out
    monkeypatch.setattr(observe, "_alarm", lambda *_: "trip_distance is higher")
    assert main(["observe", "ride"]) == 20
    assert capsys.readouterr().out.endswith(": trip_distance is higher\n")
    assert main(["observe", "ride"]) == 0
    assert capsys.readouterr().out == "no champion of ride is observed\n"
