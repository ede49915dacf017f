"""What serves a compiled model needs neither scikit-learn nor numpy; what needs them says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from deploy.supplychain.lock import requirements
from scoring.models import discover
from tests.support import ROOT, environment, records, tiny_pair, write_artifact

MODELS = discover()
REGRESSION = next(model for model in MODELS.values() if model.task == "regression")

# stands before a program that is to run as in an image without them
ABSENT = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sklearn", "numpy", "scipy", "skops", "joblib"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
def find_spec(name, package=None):
    try:
        return found(name, package)
    except ModuleNotFoundError:
        return None
importlib.util.find_spec = find_spec
"""


def run(program: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program without the packages of the group `sklearn`."""
    return subprocess.run(
        [sys.executable, "-c", ABSENT + program], input=stdin, capture_output=True, text=True,
        env=environment(**variables), check=False, timeout=120, cwd=ROOT / "web-service",
    )  # fmt: skip


def validated(folder: Path, number: str = "3") -> dict[str, Any]:
    """Return what the process that validates a version answers without those packages."""
    ref = {"model": REGRESSION.registered_name, "number": number, "created": 0, "source": "x"}
    asked = {"model": REGRESSION.name, "folder": str(folder), "ref": ref}
    done = run("from scoring.registry.validate import main; main()", json.dumps(asked))
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
def test_the_packages_that_serve_are_without_it() -> None:
    """The lock's default group has none of them; the group `sklearn` has all."""
    heavy = {"scikit-learn", "scipy", "numpy", "skops", "joblib"}
    default, own = (
        {line.partition("==")[0] for line in requirements(group).splitlines()}
        for group in ("packages", "sklearn")
    )
    assert not heavy & default
    assert heavy <= own


@pytest.mark.slow
def test_compiled_models_are_served_without_it(models_dir: Path) -> None:
    """gunicorn's target is made, and every model answers one record and many."""
    program = f"""
import json
from serving.app import create_app
client = create_app().test_client()
for name, rows in {json.dumps({m.name: records(m) for m in MODELS.values()})!s}.items():
    for body in (rows[0], rows):
        assert client.post(f"/predict/{{name}}", json=body).status_code == 200
assert "numpy" not in sys.modules
"""
    program = program.replace("true", "True").replace("false", "False")
    done = run(program, MODELS_DIR=str(models_dir))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_many_records_through_large_trees_need_no_numpy(tmp_path: Path) -> None:
    """Where numpy is the faster way, the plain one answers the same."""
    forest = RandomForestRegressor(n_estimators=20, random_state=1)
    manifest = write_artifact(REGRESSION, tmp_path, forest)
    assert manifest.compiled is not None
    rows = records(REGRESSION) * 10
    program = f"""
import json
from serving.app import create_app
answers = create_app().test_client().post("/predict", json=json.loads({json.dumps(rows)!r}))
print(answers.get_data(as_text=True))
"""
    done = run(program, MODELS_DIR=str(tmp_path), MODELS=REGRESSION.name)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["predictions"]
    vectorizer, estimator = tiny_pair(REGRESSION, RandomForestRegressor(20, random_state=1))
    features = [REGRESSION.features(REGRESSION.record.model_validate(row)) for row in rows]
    wanted = estimator.predict(vectorizer.transform(features).astype("float32"))
    key = next(iter(REGRESSION.answer(0.5, 0.5)))
    assert [row[key] for row in answers] == pytest.approx(
        [REGRESSION.answer(score, 0.5)[key] for score in wanted], rel=1e-6
    )


@pytest.fixture
def pair_only(tmp_path: Path) -> Path:
    """A folder of models whose one model has no compiled form."""
    estimator = make_pipeline(MaxAbsScaler(), RandomForestRegressor(3, random_state=1))
    assert write_artifact(REGRESSION, tmp_path, estimator).compiled is None
    return tmp_path


@pytest.mark.slow
def test_a_model_that_needs_it_stops_the_start(pair_only: Path) -> None:
    """The line says which model, which version, and how the image was built."""
    manifest = json.loads((pair_only / REGRESSION.name / "manifest.json").read_text())
    program = "from predict import app"
    done = run(program, MODELS_DIR=str(pair_only), MODELS=REGRESSION.name)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert (
        "this image was built without scikit-learn (SKLEARN=0); version "
        f"{manifest['version']} of '{REGRESSION.name}' has no compiled form"
    ) in line


@pytest.mark.slow
def test_a_version_that_needs_it_is_refused(pair_only: Path) -> None:
    """One that was registered with its manifest, by its number in the registry."""
    answer = validated(pair_only / REGRESSION.name)
    assert answer == {
        "refused": "this image was built without scikit-learn (SKLEARN=0); version 3 of "
        f"'{REGRESSION.name}' has no compiled form"
    }


@pytest.mark.slow
def test_a_version_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """One that others logged has a pair alone, which is not read."""
    (tmp_path / "model.pkl").write_bytes(b"")
    assert "version 4 of" in validated(tmp_path, "4")["refused"]


@pytest.mark.slow
def test_a_compiled_version_is_taken(models_dir: Path, tmp_path: Path) -> None:
    """The process that validates it needs no more than what serves it."""
    write_artifact(REGRESSION, tmp_path)
    assert set(validated(tmp_path / REGRESSION.name)) == {"digest"}
