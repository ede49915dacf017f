"""New data beside what came before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.champions import champion_of
from pipeline.check import check
from pipeline.config import Check
from pipeline.errors import RefusedError
from tests.pipeline.support import RIDE, month
from tests.training.support import saved

pytestmark = pytest.mark.slow


def checked(
    folder: Path, new: pd.DataFrame, good: Path | None = None, files: int = 2, **config: Any
) -> dict[str, Any]:
    """Return what the step says of a month after two others."""
    before = [saved(month(n), folder / f"{n}.parquet") for n in (1, 2)]
    parts = {"learned": before[:1], "watched": before[1:],
             "held_out": [saved(new, folder / "3.parquet")]}  # fmt: skip
    environ = {"MODELS_DIR": str(good.parent if good else folder / "none")}
    work = check(RIDE, parts, files, champion_of(RIDE, environ), Check(**config))
    (folder / "step").mkdir(exist_ok=True)
    return work(folder / "step")


def refused(*given: Any, **more: Any) -> list[str]:
    """Return the reasons for which it is refused."""
    with pytest.raises(RefusedError) as error:
        checked(*given, **more)
    return error.value.reasons


def test_a_month_like_those_before_passes(tmp_path: Path, good: Path) -> None:
    """The figures of each comparison are kept, and where nothing serves the rows before count."""
    for champion in (good, None):
        assert checked(tmp_path, month(3), champion)["said"] == (
            "400 new rows are like those before"
        )
        told = json.loads((tmp_path / "step/check.json").read_bytes())
        assert told["rows"]["before"] == {"usable": 800, "all": 800}
        assert {one["field"] for one in told["compared"]} == {*RIDE.record.model_fields}


def test_a_wrong_unit_is_refused_in_words(tmp_path: Path, good: Path) -> None:
    """Kilometres for miles: how much higher, than what, and what is allowed."""
    [reason] = refused(tmp_path, month(3, miles=1.609), good)
    assert reason.startswith("trip_distance is 61% higher on average: 8.447, was 5.25: a PSI of ")
    assert reason.endswith("to the training of the champion, " + _version(good)
                           + ", 0.1 is allowed (max_psi)")  # fmt: skip
    [reason] = refused(tmp_path, month(3, miles=1.609))
    assert "to the rows before" in reason
    assert checked(tmp_path, month(3, miles=1.609), good, max_psi=50)


def _version(folder: Path) -> str:
    return str(json.loads((folder / "manifest.json").read_bytes())["version"])


def test_metres_are_refused_as_out_of_range(tmp_path: Path) -> None:
    """A month of which most rows are no valid record is named with the reason."""
    reasons = refused(tmp_path, month(3).assign(trip_distance=lambda f: f["trip_distance"] * 20))
    assert "of the new rows are no valid record, 20.0% are allowed (max_dropped)" in reasons[0]
    assert "trip_distance is not" in reasons[0]


def test_missing_values_are_refused(tmp_path: Path) -> None:
    """A field that is missing more often than allowed, though most rows are usable."""
    frame = month(3)
    frame["trip_distance"] = frame["trip_distance"].where(np.arange(400) % 8 > 0)
    [reason] = refused(tmp_path, frame)
    assert reason == (
        "trip_distance is missing in 12.5% of the new rows, 10.0% are allowed (max_missing)"
    )


def test_a_half_published_month_is_refused(tmp_path: Path) -> None:
    """Its rows are compared with those of the whole files before; of a cut file they are not."""
    assert refused(tmp_path, month(3, 60)) == [
        "the newest file has 60 rows, the files before it 400 on average; from 80 to 2000 are "
        "expected (rows)"
    ]
    assert checked(tmp_path, month(3, 60), files=0)
    assert refused(tmp_path, month(3, 60), files=0, min_rows=100) == [
        "there are 60 new rows; at least 100 are expected (min_rows)"
    ]


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Another schema is no failure of ours: the reason names the column."""
    [reason] = refused(tmp_path, month(3).drop(columns="PULocationID"))
    assert "PULocationID" in reason
