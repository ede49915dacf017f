"""The DAG in Airflow: `airflow dags test` with a database, and what that has of each task."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest

from tests.orchestrators.conftest import (
    FILES,
    Place,
    assert_all_was_done,
    assert_the_month_was_refused,
)

pytestmark = [pytest.mark.slow, pytest.mark.orchestrators]


def outcome(
    place: Place, *, model: str = "ride", fails: bool = False
) -> tuple[int, dict[str, str], str]:
    """Return the exit status of a run of the DAG, each task's state, and what was printed."""
    given = {
        "AIRFLOW_HOME": str(place.folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_VAR_PREDICTION_SERVICE": str(place.home),
        "AIRFLOW_VAR_PIPELINE_WORDS": shlex.join(place.words(fails=fails)),
    }
    if not (place.folder / "airflow").exists():
        (place.folder / "airflow" / "dags").mkdir(parents=True)
        shutil.copy(FILES / "airflow_dag.py", place.folder / "airflow" / "dags")
        place.call("airflow", "airflow", "db", "migrate", environ=given)
        place.call("airflow", "airflow", "dags", "reserialize", environ=given)
    words = ["-c", json.dumps({"model": model}), "retrain"]
    done = place.call("airflow", "airflow", "dags", "test", *words, status=None, environ=given)
    listed = place.call(
        "airflow", "airflow", "dags", "list-runs", "retrain", "-o", "json", environ=given
    )
    run = max(json.loads(_json(listed.stdout)), key=lambda one: one["run_after"])["run_id"]
    words = ["retrain", run, "-o", "json"]
    told = place.call("airflow", "airflow", "tasks", "states-for-dag-run", *words, environ=given)
    states = {one["task_id"]: one["state"] for one in json.loads(_json(told.stdout))}
    return done.returncode, states, done.stdout


def _json(printed: str) -> str:
    """Return the list in what was printed, after warnings."""
    return next(line for line in reversed(printed.splitlines()) if line.startswith("[{"))


def test_each_end_of_a_run_is_a_state_of_airflows(place: Place) -> None:
    """New data, nothing new, a refusal, a failure that is tried again, wrong usage."""
    status, states, printed = outcome(place)
    assert (status, set(states.values()), len(states)) == (0, {"success"}, 6), printed[-3000:]
    assert_all_was_done(place)
    status, states, printed = outcome(place)
    assert (status, set(states.values())) == (0, {"skipped"})
    assert "nothing to do: run 000006-" in printed
    place.publish_kilometres()
    status, states, printed = outcome(place)
    assert status == 1
    assert (states["ingest"], states["check"]) == ("success", "failed")
    assert states["train"] == "upstream_failed"
    assert "refused: trip_distance is 61% higher" in printed
    assert_the_month_was_refused(place)
    status, states, printed = outcome(place, fails=True)
    assert (status, states["ingest"]) == (1, "failed")
    assert printed.count("pipeline: ") == 3
    assert "file/ride cannot be made" in printed
    status, states, printed = outcome(place, model="rides")
    assert (status, states["ingest"]) == (1, "failed")
    assert "wrong usage: there is no model 'rides'; there are " in printed
    assert printed.count("pipeline: ") == 1
