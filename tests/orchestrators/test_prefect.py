"""The flow in Prefect, with a server that Prefect starts for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.orchestrators.conftest import (
    FILES,
    Place,
    assert_all_was_done,
    assert_the_month_was_refused,
)

pytestmark = [pytest.mark.slow, pytest.mark.orchestrators]

# the flow's last state, and those of its tasks as the server has them
_RUN = """
import asyncio, json, sys
from prefect.client.orchestration import get_client
from prefect_flow import retrain

state = retrain(**json.loads(sys.argv[1]), return_state=True)

async def tasks():
    async with get_client() as client:
        found = await client.read_task_runs()
        return [(one.name.rpartition("-")[0], one.state_name, one.run_count) for one in found
                if one.flow_run_id == state.state_details.flow_run_id]

print(json.dumps([state.name, state.type.value, state.message, asyncio.run(tasks())]))
"""


def ran(place: Place, **parameters: Any) -> tuple[list[str], dict[str, tuple[str, int]]]:
    """Return name, type and message of a flow run's state; each task's state and tries."""
    given = {"home": str(place.home), "words": place.words(), **parameters}
    environ = {
        "PREFECT_HOME": str(place.folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_TASK_DEFAULT_RETRY_DELAY_SECONDS": "0",
        "PYTHONPATH": str(FILES),
    }
    done = place.call("prefect", "python", "-c", _RUN, json.dumps(given), environ=environ)
    *state, tasks = json.loads(done.stdout.splitlines()[-1])
    return state, {name: (was, tries) for name, was, tries in tasks}


def test_each_end_of_a_run_is_a_state_of_prefects(place: Place) -> None:
    """New data, nothing new, a refusal, a failure that is tried again, wrong usage."""
    state, tasks = ran(place)
    assert state[:2] == ["Completed", "COMPLETED"]
    assert set(tasks.values()) == {("Completed", 1)}
    assert len(tasks) == 6
    assert_all_was_done(place)
    state, tasks = ran(place)
    assert state[:2] == ["NothingNew", "COMPLETED"]
    assert state[2].startswith("nothing to do: run 000006-")
    assert tasks == {"ingest": ("NothingNew", 1)}
    place.publish_kilometres()
    state, tasks = ran(place)
    assert state[:2] == ["Refused", "FAILED"]
    assert state[2].startswith("trip_distance is 61% higher")
    assert tasks == {"ingest": ("Completed", 1), "check": ("Refused", 1)}
    assert_the_month_was_refused(place)
    state, tasks = ran(place, words=place.words(fails=True))
    assert state[:2] == ["Failed", "FAILED"]
    assert "file/ride cannot be made" in state[2]
    assert tasks == {"ingest": ("Failed", 3)}
    state, tasks = ran(place, model="rides")
    assert state[:2] == ["WrongUsage", "FAILED"]
    assert tasks == {"ingest": ("WrongUsage", 1)}
