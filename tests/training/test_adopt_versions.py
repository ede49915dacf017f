"""Pairs of another scikit-learn: read as data, or loaded where their owner accepts that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sklearn

from scoring.artifact.manifest import NOT_PROVED, OTHER_VERSION
from scoring.models import Model
from serving.app import create_app
from serving.settings import Settings
from tests.support import tiny_pair
from tests.training.adopting import manifest
from training.adopt import main

MAJOR, MINOR, PATCH = sklearn.__version__.split(".")[:3]
OTHER_MINOR = f"{MAJOR}.{int(MINOR) - 1}.{PATCH}"
OTHER_PATCH = f"{MAJOR}.{MINOR}.{int(PATCH) + 1}"


@pytest.mark.slow
def test_another_minor_version_is_read_as_data(tmp_path: Path, pickled: Any, model: Model) -> None:
    """The weights mean the same in each version, so no option is needed; the manifest tells."""
    path = pickled(tiny_pair(model), 4, OTHER_MINOR)
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    assert manifest(tmp_path / "models", model)["notes"] == [
        "taken in from lin_reg.bin, trained elsewhere",
        NOT_PROVED,
        f"saved by scikit-learn {OTHER_MINOR}, read as data",
    ]


@pytest.mark.slow
def test_another_version_that_is_accepted_is_noted(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """--other-version takes it in, the manifest says so, and the service then loads it."""
    path = pickled(tiny_pair(model), 4, OTHER_MINOR)
    main([model.name, str(path), "--output", str(tmp_path / "models"), "--other-version"])
    assert manifest(tmp_path / "models", model)["notes"] == [
        "taken in from lin_reg.bin, trained elsewhere",
        OTHER_VERSION,
        f"pickled by scikit-learn {OTHER_MINOR}",
    ]
    app = create_app(Settings(models_dir=tmp_path / "models", models=(model.name,)))
    told = app.test_client().get(f"/models/{model.name}").get_json()
    assert OTHER_VERSION in told["notes"]


@pytest.mark.slow
def test_the_option_notes_nothing_where_the_version_is_ours(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """--other-version given without need leaves no mark, and no hole."""
    path = pickled(tiny_pair(model))
    main([model.name, str(path), "--output", str(tmp_path / "models"), "--other-version"])
    assert len(manifest(tmp_path / "models", model)["notes"]) == 1


@pytest.mark.slow
def test_another_patch_version_needs_no_option(tmp_path: Path, pickled: Any, model: Model) -> None:
    """A difference in the last number is taken in, and told."""
    path = pickled(tiny_pair(model), 4, OTHER_PATCH)
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    notes = manifest(tmp_path / "models", model)["notes"]
    assert f"pickled by scikit-learn {OTHER_PATCH}" in notes
