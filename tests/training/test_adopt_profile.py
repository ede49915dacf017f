"""A pair that is adopted with data has the profile that a training writes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import PROFILE
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.profiles.fields import field_kinds
from scoring.profiles.profile import profile_of
from tests.support import tiny_pair
from tests.training.adopting import manifest
from tests.training.support import data_of
from tests.training.test_adopt_versions import OTHER_MINOR
from training.adopt import main


@pytest.mark.slow
@pytest.mark.parametrize("version", [None, OTHER_MINOR], ids=["loaded", "read as data"])
def test_data_makes_a_profile(
    tmp_path: Path, pickled: Any, model: Model, version: str | None
) -> None:
    """Named in the manifest with its digest, of the table's rows and of the errors on them."""
    given = {} if version is None else {"version": version}
    path, data = pickled(tiny_pair(model), **given), data_of(model, tmp_path, 120)
    words = ["--data", str(data), "--target", model.target, "--output", str(tmp_path / "models")]
    main([model.name, str(path), *words])
    found = manifest(tmp_path / "models", model)
    content = (tmp_path / "models" / model.name / PROFILE).read_bytes()
    assert found["profile_file"] == {"file": PROFILE, "sha256": hashlib.sha256(content).hexdigest()}
    profile = profile_of(content)
    assert list(profile.fields) == list(field_kinds(model))
    assert profile.rows == profile.score.count == 120
    assert profile.performance is not None
    whole, metrics = profile.performance.whole, found["metrics"]["test"]
    squared = metrics["brier"] if model.task == "classification" else metrics["rmse"] ** 2
    assert whole.squared / whole.rows == pytest.approx(squared)
    Predictor.from_folder(tmp_path / "models" / model.name, model)
    (tmp_path / "models" / model.name / PROFILE).write_bytes(content + b" ")
    with pytest.raises(Exception, match=PROFILE):
        Predictor.from_folder(tmp_path / "models" / model.name, model)


@pytest.mark.slow
def test_without_data_there_is_none(tmp_path: Path, pickled: Any, model: Model) -> None:
    """Nothing is known then of what it learned from."""
    main([model.name, str(pickled(tiny_pair(model))), "--output", str(tmp_path / "models")])
    assert manifest(tmp_path / "models", model)["profile_file"] is None
