"""A candidate beside the champion."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.champions import champion_of
from pipeline.config import Gate
from pipeline.errors import RefusedError, UsageError
from pipeline.gate import gate
from tests.pipeline.support import RIDE, month
from tests.training.support import saved

pytestmark = pytest.mark.slow


def judged(
    folder: Path, candidate: Path, champion: Path | None = None, number: int = 3,
    inputs: dict[str, str] | None = None, **config: Any,
) -> str:  # fmt: skip
    """Return what the gate says of a candidate on a month of 2021."""
    held_out = saved(month(number), folder / "held_out.parquet")
    environ = {"MODELS_DIR": str(champion.parent if champion else folder / "none")}
    now = champion_of(RIDE, environ)
    (folder / "step").mkdir(exist_ok=True)
    work = gate(RIDE, candidate, [held_out], inputs or {}, now, Gate(**config))
    return str(work(folder / "step")["said"])


def refused(*given: Any, **more: Any) -> list[str]:
    """Return the reasons for which it is refused."""
    with pytest.raises(RefusedError) as error:
        judged(*given, **more)
    return error.value.reasons


def test_where_nothing_serves_a_candidate_passes(tmp_path: Path, good: Path) -> None:
    """It is measured all the same; its size and the time of a record are kept."""
    assert judged(tmp_path, good).endswith("on 400 rows, against no champion: it serves")
    told = json.loads((tmp_path / "step/gate.json").read_bytes())
    assert [one["what"] for one in told["asked"]] == ["size", "latency"]
    assert told["asked"][0]["seen"] > 0 < told["asked"][1]["seen"]


def test_a_better_one_passes_and_a_worse_one_is_refused(
    tmp_path: Path, good: Path, worse: Path
) -> None:
    """Both figures are said, and by how much; a margin allows it."""
    assert "better by" in judged(tmp_path, good, worse)
    [reason] = refused(tmp_path, worse, good)
    assert reason.startswith("on 400 rows its rmse is ")
    assert reason.endswith("0.0% is allowed (margin)")
    same = judged(tmp_path, good, good)
    assert "better by 0.0%" in same


def test_limits_of_the_file_hold(tmp_path: Path, good: Path) -> None:
    """A metric, the size and the time for one record; each reason names its option."""
    reasons = refused(tmp_path, good, limits={"rmse": 0, "r2": 1.1}, max_bytes=10, max_us=0.001)
    assert [reason.rpartition(" (")[2] for reason in reasons] == [
        "max_bytes)", "max_us)", "limits)", "limits)",
    ]  # fmt: skip
    assert judged(tmp_path, good, limits={"rmse": 100, "r2": 0}, max_bytes=10**7, max_us=10**6)
    with pytest.raises(UsageError, match="there is no metric 'rsme'; there are rmse, mae, r2"):
        judged(tmp_path, good, limits={"rsme": 1})


def test_each_segment_is_compared(tmp_path: Path, good: Path, worse: Path) -> None:
    """A zone, and a quarter of the distances; one that is too small is left out."""
    more: dict[str, Any] = {
        "margin": 1,
        "segments": ["PULocationID", "trip_distance"],
        "segment_rows": 70,
    }
    judged(tmp_path, good, worse, **more)
    told = json.loads((tmp_path / "step/gate.json").read_bytes())
    names = [one["what"] for one in told["asked"][3:]]
    assert [name for name in names if name.startswith("PU")] == [
        f"PULocationID {zone}" for zone in range(1, 6)
    ]
    assert sum(name.startswith("trip_distance (") for name in names) == 4
    reasons = refused(tmp_path, worse, good, **more)
    assert any(" rows of " in reason and "(segment_margin)" in reason for reason in reasons)
    with pytest.raises(UsageError, match="ride has no field 'zone'; it has PULocationID"):
        judged(tmp_path, good, worse, segments=["zone"])


def test_rows_that_the_champion_learned_from_do_not_count(tmp_path: Path, good: Path) -> None:
    """Of dated rows those of later days do; where none are left, that is the reason."""
    [reason] = refused(tmp_path, good, good, number=1)
    assert reason == (
        "the champion has seen all rows that were held out, until 2021-01-01: name newer ones"
    )


def test_a_file_that_the_champion_learned_from_is_known(tmp_path: Path, good: Path) -> None:
    """Rows without dates are told by the digest of their file."""
    own = shutil.copytree(good, tmp_path / "models/ride")
    manifest = json.loads((own / "manifest.json").read_bytes())
    digest = manifest["data"]["training"]["sha256"]
    for part in manifest["data"].values():
        part |= {"first": None, "last": None}
    (own / "manifest.json").write_text(json.dumps(manifest))
    assert refused(tmp_path, good, own, inputs={digest: "january.parquet"}) == [
        "the champion learned from january.parquet itself: name newer rows"
    ]


def test_a_candidate_that_forgot_its_golden_records_is_refused(tmp_path: Path, good: Path) -> None:
    """It is loaded as the service loads it."""
    own = shutil.copytree(good, tmp_path / "ride")
    manifest = json.loads((own / "manifest.json").read_bytes())
    manifest["golden"][0]["answer"]["duration"] += 1
    (own / "manifest.json").write_text(json.dumps(manifest))
    [reason] = refused(tmp_path, own)
    assert reason.startswith("the candidate cannot serve: ")
