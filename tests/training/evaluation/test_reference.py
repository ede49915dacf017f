"""The profile that a training writes beside the pair."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from scoring.artifact.manifest import PROFILE, Manifest
from scoring.artifact.reading import load
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.profiles.profile import Profile, profile_of
from tests.training.support import CHURN, RIDE, data_of, silent, trips
from training.data.checks import check
from training.data.tables import Table
from training.evaluation.reference import reference
from training.run import train
from training.sources import source_of

pytestmark = pytest.mark.slow


def trained(model: Model, tmp_path: Path) -> tuple[Manifest, Profile]:
    manifest = train(silent(model, data_of(model, tmp_path), tmp_path / "models", force=True))
    return manifest, profile_of((tmp_path / "models" / model.name / PROFILE).read_bytes())


def test_a_training_writes_what_its_data_looked_like(model: Model, tmp_path: Path) -> None:
    """Fields over the rows that were learned from, score, target and errors over held-out ones."""
    manifest, profile = trained(model, tmp_path)
    assert list(profile.fields) == list(model.record.model_fields)
    assert profile.rows == manifest.data["training"].rows
    assert profile.performance is not None
    assert profile.target is not None
    assert profile.performance.split == "test"
    held_out = manifest.data["test"].rows
    assert profile.score.count == profile.performance.whole.rows == held_out
    assert profile.target.count == held_out
    squared = profile.performance.whole.squared / held_out
    measured = manifest.metrics["test"]
    assert squared == pytest.approx(
        measured["brier"] if model.task == "classification" else measured["rmse"] ** 2
    )


def test_the_manifest_names_it_and_its_digest_is_verified(tmp_path: Path) -> None:
    """Exchanged or gone, the artifact is refused with a sentence."""
    manifest, _ = trained(RIDE, tmp_path)
    folder = tmp_path / "models" / "ride"
    assert manifest.profile_file is not None
    assert manifest.files == ("lin_reg.bin", "scorer.json", PROFILE)
    assert load(folder, RIDE).manifest == manifest
    (folder / PROFILE).write_bytes(b"{}")
    with pytest.raises(ArtifactError, match=r"profile\.json has the sha256"):
        load(folder, RIDE)
    (folder / PROFILE).unlink()
    with pytest.raises(ArtifactError, match=r"there is no .*profile\.json"):
        load(folder, RIDE)


def test_an_artifact_of_before_profiles_serves(tmp_path: Path) -> None:
    """Its manifest names none, and a file of that name beside it is nobody's."""
    trained(RIDE, tmp_path)
    folder = tmp_path / "models" / "ride"
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["profile_file"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / PROFILE).write_bytes(b"{}")
    assert load(folder, RIDE).manifest.profile_file is None


def rows_of_days(days: int, per_day: int) -> pd.DataFrame:
    raw = trips(days * per_day)
    minutes = raw["lpep_dropoff_datetime"] - raw["lpep_pickup_datetime"]
    begin = pd.Timestamp("2021-01-01") + pd.to_timedelta(
        [place // per_day for place in range(len(raw))], unit="D"
    )
    raw["lpep_pickup_datetime"] = begin
    raw["lpep_dropoff_datetime"] = begin + minutes
    return raw


def test_days_that_differ_are_told(tmp_path: Path) -> None:
    """Where rows are dated: how much shares move, beyond what the number of rows explains."""
    source = source_of(RIDE)
    calm = rows_of_days(10, 400)
    restless = calm.copy()
    odd = restless.index // 400 % 2 == 1
    restless.loc[odd, "trip_distance"] += 3
    for raw, moves in ((calm, False), (restless, True)):
        frame = check(Table(source.tidy(raw), "a", ""), RIDE, source).frame
        scores = frame["trip_distance"].to_numpy() * 3.0
        found = reference(RIDE, frame, "test", frame, scores).day_to_day
        assert ("trip_distance" in found) is moves
        assert ("" in found) is moves


def test_customers_have_no_days(tmp_path: Path) -> None:
    """Nothing is said of what is not known; the target is a category."""
    _, profile = trained(CHURN, tmp_path)
    assert profile.day_to_day == {}
    assert profile.target is not None
    assert profile.target.as_json()["counts"].keys() == {"0", "1"}
