"""What is imported is what is used: a service of compiled models knows nothing of scikit-learn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from scoring.models import discover
from tests.support import ROOT, environment, write_artifact

HEAVY = {"sklearn", "scipy", "numpy", "pandas", "skops", "joblib", "requests", "xgboost", "mlflow"}

# Serves, predicts, explains, shows every page, and says what it has imported.
ASKS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from serving.app import create_app
from scoring.models import discover
from serving.settings import Settings

client = create_app(Settings(models_dir=Path(sys.argv[2]))).test_client()
for model in discover().values():
    example = dict(model.example)
    asked = [client.post(f"/predict/{model.name}{query}", json=body)
             for query in ("", "?explain=true") for body in (example, [example] * 3)]
    asked += [client.post(f"/predict/{model.name}", json={})]
    asked += [client.get(f"/models/{model.name}{page}") for page in ("", "/card", "/weights.json")]
    assert [answer.status_code for answer in asked] == [200] * 4 + [422] + [200] * 3, asked
for page in ("/", "/docs", "/models", "/openapi.json", "/health/ready", "/ping"):
    assert client.get(page, headers={"Accept": "text/html"}).status_code == 200, page
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def imported(models_dir: Path) -> set[str]:
    """Return the packages that a service of `models_dir` has imported once it was asked all."""
    done = subprocess.run(
        [sys.executable, "-c", ASKS, ROOT / "web-service", models_dir],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return set(found)


@pytest.mark.slow
def test_compiled_models_are_served_without_scikit_learn(models_dir: Path) -> None:
    """No numpy, no scipy, no unpickling: predictions, explanations and pages need none of it."""
    found = imported(models_dir)
    assert {"flask", "pydantic", "scoring"} <= found
    assert not found & HEAVY
    assert "scoring.artifact.pickles" not in found


@pytest.mark.slow
def test_a_compiled_forest_is_served_without_scikit_learn(tmp_path: Path) -> None:
    """Trees are data as much as weights are."""
    for model in discover().values():
        regression = model.task == "regression"
        forest = (RandomForestRegressor if regression else RandomForestClassifier)(n_estimators=5)
        write_artifact(model, tmp_path, forest)
    assert not imported(tmp_path) & HEAVY


@pytest.mark.slow
def test_a_model_without_a_compiled_form_brings_scikit_learn(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    ride = discover()["ride"]
    for model in discover().values():
        write_artifact(model, tmp_path)
    forest = make_pipeline(MaxAbsScaler(), RandomForestRegressor(n_estimators=3))
    assert write_artifact(ride, tmp_path, forest).compiled is None
    assert {"sklearn", "scipy", "numpy"} <= imported(tmp_path)
