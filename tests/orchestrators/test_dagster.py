"""The job in Dagster: `dagster job execute`, and what Dagster keeps of each op."""

from __future__ import annotations

import json

import pytest

from tests.orchestrators.conftest import (
    FILES,
    Place,
    assert_all_was_done,
    assert_the_month_was_refused,
)

pytestmark = [pytest.mark.slow, pytest.mark.orchestrators]

_STATES = """
import dagster, json
instance = dagster.DagsterInstance.get()
run = instance.get_runs(limit=1)[0]
steps = instance.get_run_step_stats(run.run_id)
print(json.dumps([run.status.value, {s.step_key: s.status.value for s in steps if s.status}]))
"""


def executed(place: Place, **config: object) -> tuple[str, dict[str, str], str]:
    """Return the state of a run of the job, of each op that was started, and what was printed."""
    (place.folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    given = {"home": str(place.home), "words": place.words(), "retry_seconds": 0, **config}
    file = place.folder / "config.json"
    alone: dict[str, object] = {
        "config": {"in_process": {}}
    }  # a process for each op takes its time
    file.write_text(json.dumps({"resources": {"pipeline": {"config": given}}, "execution": alone}))
    words = ["-f", str(FILES / "dagster_job.py"), "-j", "retrain", "-c", str(file)]
    kept = {"DAGSTER_HOME": str(place.folder), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    done = place.call("dagster", "dagster", "job", "execute", *words, status=None, environ=kept)
    told = place.call("dagster", "python", "-c", _STATES, environ=kept).stdout
    state, ops = json.loads(told.splitlines()[-1])
    return state, ops, done.stdout


def test_each_end_of_a_run_is_a_state_of_dagsters(place: Place) -> None:
    """New data, nothing new, a refusal, a failure that is tried again, wrong usage."""
    state, ops, printed = executed(place)
    assert (state, set(ops.values()), len(ops)) == ("SUCCESS", {"SUCCESS"}, 6), printed
    assert_all_was_done(place)
    state, ops, printed = executed(place)
    assert state == "SUCCESS"
    assert ops == {"ingest": "SUCCESS"} | dict.fromkeys(list(ops)[1:], "SKIPPED")
    assert "nothing to do: run 000006-" in printed
    place.publish_kilometres()
    state, ops, printed = executed(place)
    assert state == "FAILURE"
    assert (ops["ingest"], ops["check"]) == ("SUCCESS", "FAILURE")
    assert "refused: trip_distance is 61% higher" in printed
    assert_the_month_was_refused(place)
    state, ops, printed = executed(place, words=place.words(fails=True))
    assert (state, ops["ingest"]) == ("FAILURE", "FAILURE")
    assert printed.count("STEP_RESTARTED") == 2, printed
    assert "file/ride cannot be made" in printed
    state, _, printed = executed(place, model="rides")
    assert state == "FAILURE"
    assert "wrong usage: there is no model 'rides'; there are " in printed
    assert "STEP_RESTARTED" not in printed
