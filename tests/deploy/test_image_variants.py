"""Images that are built otherwise: without scikit-learn, with `batch`, with a model that has no
data."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from scoring.models import discover
from scoring.predictor import Predictor
from tests.batch.support import scored, write_rides
from tests.support import ROOT, clean_tree, model_of_the_guide, post, records, write_artifact
from tests.support.containers import alone, answering, docker, need_engine

pytestmark = [pytest.mark.slow, pytest.mark.container]

MODELS = discover()
LARGEST_WITHOUT_SKLEARN = 45_000_000  # bytes over the base image
HEAVY = ("sklearn", "scipy", "numpy", "skops", "joblib")

Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A clean tree, to which models are added."""
    (tmp_path / "context").mkdir()
    return clean_tree(tmp_path / "context")


@pytest.fixture
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """Build an image and return what was said; its tag is the last word of the command."""
    need_engine()
    tags: list[str] = []

    def made(context: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        tags.append(f"prediction-service-test:{uuid.uuid4().hex}")
        options = [word for argument in arguments for word in ("--build-arg", argument)]
        words = ["docker", "build", *options, str(context), "-t", tags[-1]]
        with alone(tmp_path_factory.getbasetemp().parent / "docker-build.lock"):
            return subprocess.run(words, capture_output=True, text=True, check=False, timeout=1800)

    yield made
    for tag in tags:
        subprocess.run(["docker", "rmi", "-f", tag], capture_output=True, check=False)


def size(image: str) -> int:
    return int(docker("inspect", "-f", "{{.Size}}", image))


def base_image() -> str:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    [name] = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    return str(name)


@pytest.mark.long
def test_compiled_models_are_served_without_scikit_learn(build: Build, context: Path) -> None:
    """Every model answers one record and many, and the image is small without those packages."""
    for model in MODELS.values():
        write_artifact(model, context / "models")
    done = build(context, "SKLEARN=0")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    image = done.args[-1]
    assert size(image) - size(base_image()) <= LARGEST_WITHOUT_SKLEARN
    with answering(image) as container:
        for name, model in MODELS.items():
            for body in (dict(model.example), records(model)):
                assert post(f"{container.url()}/predict/{name}", body).status_code == 200
        code = f"import importlib.util as u, json; print(json.dumps([*map(u.find_spec, {HEAVY})]))"
        assert container.python(code) == [None] * len(HEAVY)


@pytest.mark.long
def test_a_model_without_a_compiled_form_stops_such_a_build(build: Build, context: Path) -> None:
    """The build says which one."""
    first, *others = MODELS.values()
    for model in others:
        write_artifact(model, context / "models")
    forest = RandomForestClassifier if first.task == "classification" else RandomForestRegressor
    pipeline = make_pipeline(MaxAbsScaler(), forest(3, random_state=1))
    manifest = write_artifact(first, context / "models", pipeline)
    assert manifest.compiled is None
    done = build(context, "SKLEARN=0")
    assert done.returncode != 0
    assert (
        "this image was built without scikit-learn (SKLEARN=0); version "
        f"{manifest.version} of '{first.name}' has no compiled form"
    ) in done.stdout + done.stderr


def test_another_value_is_refused(build: Build, context: Path) -> None:
    """SKLEARN=no is neither of the two."""
    done = build(context, "SKLEARN=no")
    assert done.returncode != 0
    assert "SKLEARN=no: 1 installs scikit-learn, 0 leaves it out" in done.stdout + done.stderr


@pytest.mark.long
def test_with_batch_it_scores_files_and_serves_as_before(
    build: Build, context: Path, tmp_path: Path
) -> None:
    """`docker run -v ... IMAGE batch ride ...` writes what a run on this machine writes, as the
    user who owns the folder; without a word, the service starts."""
    write_artifact(MODELS["ride"], context / "models")
    done = build(context, "BATCH=1", "MODELS=ride")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    image = done.args[-1]
    data = tmp_path / "data"
    data.mkdir()
    write_rides(data / "in.parquet", 500)
    owner = f"{os.getuid()}:{os.getgid()}"
    said = docker(
        "run", "--rm", "--user", owner, "--network", "none", "--read-only", "--tmpfs", "/tmp",
        "-v", f"{data}:/data", image, "batch", "ride", "/data/in.parquet", "--output", "/data/out",
    )  # fmt: skip
    assert "500" in said
    from_container = scored(data / "out")
    predictor = Predictor.from_folder(context / "models" / "ride", MODELS["ride"])
    values = pq.read_table(data / "in.parquet").to_pylist()
    assert [row["duration"] for row in from_container] == [
        answer["duration"] for answer in predictor.many(values).answers
    ]
    assert (data / "out" / "_SUCCESS").stat().st_uid == os.getuid()
    with answering(image) as container:
        example = dict(MODELS["ride"].example)
        assert post(f"{container.url()}/predict/ride", example).status_code == 200


@pytest.mark.long
def test_without_scikit_learn_there_is_no_batch(build: Build, context: Path) -> None:
    """Which would leave out numpy, that columns need."""
    done = build(context, "BATCH=1", "SKLEARN=0")
    assert done.returncode != 0
    assert "BATCH=1 needs numpy, which SKLEARN=0 leaves out" in done.stdout + done.stderr


@pytest.mark.long
def test_a_third_model_without_data_is_left_out(build: Build, context: Path) -> None:
    """The documentation's `tip.py`, for which there is neither a model nor a sample: the image is
    built, says so, and serves the others."""
    for model in MODELS.values():
        write_artifact(model, context / "models")
    models = context / "web-service" / "scoring" / "models"
    (models / "tip.py").write_text(model_of_the_guide())
    done = build(context, "SKLEARN=0")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "model 'tip' is left out: there is no models/tip, and no sample" in said
    with answering(done.args[-1]) as container:
        assert list(container.served()) == list(MODELS)
    asked_for = build(context, "SKLEARN=0", "MODELS=tip")
    assert asked_for.returncode != 0
    assert "there is no sample for 'tip'" in asked_for.stdout + asked_for.stderr
