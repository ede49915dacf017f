"""Where a training writes, and where the service looks: one folder, whichever command made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import train
from serving.app import create_app
from serving.settings import Settings
from tests.support import tiny_pair
from tests.training.sketch.tables import write_tips
from tests.training.support import CHURN, customers, saved
from training import adopt, new
from training.output import models_folder

pytestmark = pytest.mark.usefixtures("without_plots")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that MODELS_DIR names, in a working folder that has another one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MODELS_DIR", f" {tmp_path / 'served'} ")
    return tmp_path / "served"


def answers_of_the_service(model: str, record: dict[str, Any]) -> int:
    """Return the status of a service that is started in the same environment."""
    settings = Settings.from_env({"MODELS_DIR": str(models_folder()), "MODELS": model})
    return create_app(settings).test_client().post("/predict", json=record).status_code


@pytest.mark.slow
def test_what_is_trained_is_served(models: Path, tmp_path: Path) -> None:
    """`train.py churn --data FILE` alone, then the service."""
    train.main(["churn", "--data", str(saved(customers(400), tmp_path / "a.csv"))])
    assert answers_of_the_service("churn", dict(CHURN.example)) == 200
    assert sorted(Path().iterdir()) == []
    assert [path.name for path in models.iterdir()] == ["churn"]


@pytest.mark.slow
def test_what_is_adopted_is_served(models: Path, pickled: Any) -> None:
    """`training.adopt churn FILE` alone, then the service."""
    adopt.main(["churn", str(pickled(tiny_pair(CHURN)))])
    assert answers_of_the_service("churn", dict(CHURN.example)) == 200
    assert [path.name for path in models.iterdir()] == ["churn"]


@pytest.mark.slow
def test_what_is_made_of_a_table_is_in_the_services_folder(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`training.new gratuity --data FILE` alone."""
    (tmp_path / "code").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "code"))
    new.main(["gratuity", "--data", str(write_tips(tmp_path)), "--target", "tip"])
    assert [path.name for path in models.iterdir()] == ["gratuity"]


def test_without_the_setting_it_is_the_working_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset or blank, it is `models` in the current folder."""
    monkeypatch.delenv("MODELS_DIR", raising=False)
    assert models_folder() == Path("models")
    monkeypatch.setenv("MODELS_DIR", " ")
    assert models_folder() == Path("models")
