"""Model files of other people's, in folders that MODEL_CODE names."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from scoring.errors import SettingsError
from scoring.models import code_folders, discover, refused, select
from serving.app import create_app
from serving.settings import Settings
from tests.support import model_of_the_guide, write_artifact

TIP = model_of_the_guide()
# under another name: who follows the guide has a model `tip`
GRATUITY = TIP.replace('name="tip"', 'name="gratuity"')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of somebody's own that holds the guide's model."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gratuity.py").write_text(GRATUITY)
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    return tmp_path / "mine"


def test_a_model_in_a_folder_of_its_own_is_found_and_served(folder: Path, tmp_path: Path) -> None:
    """Beside those of the package, from `/models` to its predictions; without the variable it is
    not there."""
    assert {"ride", "churn", "gratuity"} <= discover().keys()
    model = discover()["gratuity"]
    write_artifact(model, tmp_path / "models")
    client = create_app(
        Settings(models_dir=tmp_path / "models", models=("gratuity",))
    ).test_client()
    assert "tip" in client.post("/predict", json=dict(model.example)).get_json()
    assert pickle.loads(pickle.dumps(model.record)) is model.record


def test_without_the_variable_there_is_no_such_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same process may look again, elsewhere."""
    assert "gratuity" in discover()
    monkeypatch.delenv("MODEL_CODE")
    assert "gratuity" not in discover()


@pytest.mark.slow
def test_several_folders_are_looked_into_in_order(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the first takes the place of one of the same name in the second."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "gratuity.py").write_text(GRATUITY.replace("Tip of a taxi ride", "Another one"))
    (other / "more.py").write_text(TIP.replace('name="tip"', 'name="more"'))
    monkeypatch.setenv("MODEL_CODE", f"{folder}{os.pathsep}{other}")
    assert discover()["gratuity"].title == "Tip of a taxi ride"
    assert "more" in discover()
    monkeypatch.setenv("MODEL_CODE", f"{other}{os.pathsep}{folder}")
    assert discover()["gratuity"].title == "Another one"


def test_a_file_in_such_a_folder_is_refused_by_its_name(folder: Path) -> None:
    """As one of the package is; the others do not notice."""
    (folder / "broken.py").write_text("MODEL = 1")
    assert "the model file broken.py is not used" in refused()["broken"]
    assert {"ride", "gratuity"} <= discover().keys()
    with pytest.raises(SettingsError, match="MODELS names 'broken': the model file"):
        select(("broken",), discover())


def test_a_folder_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path: nobody asks for a folder that is not there without meaning one that is."""
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match=r"MODEL_CODE names .*/missing, which is not a folder"):
        code_folders()


def test_the_home_of_nobody_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and no traceback."""
    monkeypatch.setenv("MODEL_CODE", "~nobody-of-that-name/models")
    with pytest.raises(SettingsError, match="MODEL_CODE names .*, which is not a folder"):
        discover()
