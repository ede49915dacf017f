"""Fixtures: `batch` called in this process, over tiny artifacts, in a folder of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from batch.cli import main
from batch.columns.score import TableScorer
from scoring.models import Model
from scoring.predictor import Predictor
from tests.batch.support import CHURN, RIDE
from tests.scoring.registry.conftest import mlflow_url, shop, weather
from tests.support import write_artifact

__all__ = ["mlflow_url", "shop", "weather"]  # a real MLflow server, and what stands before it


@dataclasses.dataclass
class Ended:
    """How a run ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def batch(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:  # fmt: skip
    """Run the command line with the words given; the working folder is empty."""
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> Ended:
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:  # argparse's way
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableScorer]:
    """A table scorer of each model, each kind of compiled form, and of a model without one."""
    folder = tmp_path_factory.mktemp("scorers")
    chosen: dict[str, tuple[Model, Any]] = {
        "ride": (RIDE, None),
        "churn": (CHURN, None),
        "ride-forest": (RIDE, RandomForestRegressor(20, random_state=1)),
        "churn-forest": (CHURN, RandomForestClassifier(20, random_state=1)),
        "ride-large-trees": (RIDE, RandomForestRegressor(3, min_samples_leaf=1, random_state=2)),
        "ride-scaled": (
            RIDE,
            make_pipeline(MaxAbsScaler(), RandomForestRegressor(3, random_state=1)),
        ),
    }
    made = {}
    for name, (model, estimator) in chosen.items():
        write_artifact(model, folder / name, estimator)
        made[name] = TableScorer(Predictor.from_folder(folder / name / model.name, model))
    return made
