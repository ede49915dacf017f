"""The project in Mage: `mage run`."""

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


def ran(place: Place, *, model: str = "ride", fails: bool = False) -> tuple[int, str]:
    """Return the exit status of a run of the pipeline and what was printed."""
    project = place.folder / "mage"
    if not project.exists():
        shutil.copytree(FILES / "mage", project)
    given = {"model": model, "home": str(place.home), "words": shlex.join(place.words(fails=fails))}
    words = [str(project), "retrain", "--runtime-vars", json.dumps(given)]
    kept = {"MAGE_DATA_DIR": str(place.folder / "mage_data")}
    done = place.call("mage", "mage", "run", *words, status=None, environ=kept)
    return done.returncode, done.stdout


def test_each_end_of_a_run_is_told_by_mage(place: Place) -> None:
    """New data, nothing new, a refusal, a failure, wrong usage."""
    status, printed = ran(place)
    assert status == 0, printed[-3000:]
    assert_all_was_done(place)
    status, printed = ran(place)
    assert status == 0
    assert "nothing to do: run 000006-" in printed
    assert len(place.records()) == 6
    place.publish_kilometres()
    status, printed = ran(place)
    assert status != 0
    assert "refused: trip_distance is 61% higher" in printed
    assert_the_month_was_refused(place)
    status, printed = ran(place, fails=True)
    assert status != 0
    assert "file/ride cannot be made" in printed
    status, printed = ran(place, model="rides")
    assert status != 0
    assert "wrong usage: there is no model 'rides'; there are " in printed
